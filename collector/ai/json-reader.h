// JSON documents by simdjson's on-demand parser: values are read once, in the order in which they stand,
// and failures are values. Included by decoders only.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#ifndef SIMDJSON_EXCEPTIONS
#define SIMDJSON_EXCEPTIONS 0
#endif
#include <simdjson.h>

#include "collector/ai/limits.h"
#include "collector/ai/model.h"
#include "collector/http/missing.h"

namespace oisp::ai {

using JsonValue = simdjson::ondemand::value;
using JsonObject = simdjson::ondemand::object;

// Reads values; keeps account of how much text was taken and of what went wrong.
class JsonReader {
 public:
  explicit JsonReader(std::size_t most_text = kMostText) : most_text_(most_text), text_left_(most_text) {}

  [[nodiscard]] MissingSet missing() const { return missing_; }
  void add_missing(Missing missing) { missing_.add(missing); }

  // The object that the text holds, which stays where it is while it is read. `from` says what the text is
  // known to lack: then what there is of it is made whole.
  std::optional<JsonObject> open(const std::string& text, MissingSet from);
  // The same from its beginning.
  std::optional<JsonObject> open_again();
  // Of text that is followed by kEventPadding readable bytes and stays where it is; malformed: nothing. All of
  // it is known to be JSON then, so that fields may be looked up.
  std::optional<JsonObject> open_event(std::string_view text);

  // An error ends a document, and simdjson 3.0 must not be asked anything more of it then. So decoders ask
  // through these functions only.

  // The field of that name, wherever it stands. Of events only: in malformed objects simdjson 3.0 may take
  // what stands outside for a field.
  bool find(JsonObject& object, std::string_view key, JsonValue& value);
  // The object that a value is.
  bool enter(JsonValue value, JsonObject& object);
  // From the first field again.
  bool restart(JsonObject& object);
  // Ends the document and gives back the memory that reading it took.
  void close();

  // Visits (key, value) of an object; nothing where the value is none.
  template <typename Visit>
  void each_field(JsonValue value, Visit&& visit) {
    JsonObject object;
    if (enter(value, object)) {
      each_field(object, visit);
    }
  }
  template <typename Visit>
  void each_field(JsonObject& object, Visit&& visit) {
    if (!alive()) {
      return;
    }
    for (auto result : object) {
      simdjson::ondemand::field field;
      if (std::move(result).get(field) != simdjson::SUCCESS) {
        missing_.add(Missing::malformed);
        return;
      }
      std::string_view key;
      if (field.unescaped_key().get(key) == simdjson::SUCCESS) {
        visit(key, field.value());
      }
    }
  }
  // Visits the elements of an array; false where the value is none.
  template <typename Visit>
  bool each_element(JsonValue value, Visit&& visit) {
    simdjson::ondemand::array array;
    if (!alive() || value.get_array().get(array) != simdjson::SUCCESS) {
      return false;
    }
    for (auto result : array) {
      JsonValue element;
      if (std::move(result).get(element) != simdjson::SUCCESS) {
        missing_.add(Missing::malformed);
        return true;
      }
      visit(element);
    }
    return true;
  }

  // Only a look: these may always be asked.
  [[nodiscard]] static bool is_string(JsonValue value);
  [[nodiscard]] static bool is_null(JsonValue value);
  [[nodiscard]] static char first_byte(JsonValue value);  // 0: there is none

  // A string's text, added to `out`. False where the value is no string.
  bool append_text(JsonValue value, std::string& out);
  // The same, instead of what `out` holds.
  bool read_text(JsonValue value, std::string& out);
  bool read_text(JsonValue value, std::optional<std::string>& out);
  // The same without a copy; valid until the document is closed.
  bool view_text(JsonValue value, std::string_view& out);
  // How long a string is, as it stands there.
  static std::size_t text_size(JsonValue value);
  // What stands between a string's quotes, as sent, added to `out`. False where the value is no string.
  bool append_escaped(JsonValue value, std::string& out);
  // Any value but null, as it was sent (without line breaks between tokens, so that an event stays a line).
  void read_raw(JsonValue value, std::string& out);
  void read_bool(JsonValue value, std::optional<bool>& out);
  void read_index(JsonValue value, std::int64_t& out);

  // Whether so many bytes of text may still be kept; if so, they are counted.
  bool afford(std::size_t bytes);
  // Text that was counted is not kept after all.
  void give_back(std::size_t bytes) { text_left_ += bytes; }
  // About as much memory as what was taken fills.
  [[nodiscard]] std::size_t kept_bytes() const {
    return most_text_ - text_left_ + (kMostItems - items_left_) * sizeof(Message);
  }
  // The same for an element of a list.
  bool afford_item();

 private:
  // `padded` bytes are followed by SIMDJSON_PADDING readable ones.
  bool iterate(std::string_view padded);
  std::optional<JsonObject> open_copy(std::string_view text);
  bool alive() { return document_.is_alive(); }

  simdjson::ondemand::parser parser_;
  simdjson::ondemand::document document_;
  std::string_view text_;  // what the document was made of
  std::string copy_;
  std::size_t most_text_;
  std::size_t text_left_;
  std::size_t items_left_ = kMostItems;
  MissingSet missing_;
};

}  // namespace oisp::ai
