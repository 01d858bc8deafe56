#include "collector/ai/json-reader.h"

#include <algorithm>

#include "collector/ai/json-text.h"

namespace oisp::ai {
namespace {

// A string's token: the quotes, and maybe space behind.
std::string_view content_of(std::string_view token) {
  const std::size_t end = token.rfind('"');
  return end == 0 || end == std::string_view::npos ? std::string_view{} : token.substr(1, end - 1);
}

}  // namespace

bool JsonReader::iterate(std::string_view padded) {
  text_ = padded;
  return parser_.iterate(padded.data(), padded.size(), padded.size() + simdjson::SIMDJSON_PADDING).get(document_) ==
         simdjson::SUCCESS;
}

std::optional<JsonObject> JsonReader::open_copy(std::string_view text) {
  copy_.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  copy_.assign(text);
  return iterate(copy_) ? open_again() : std::nullopt;
}

std::optional<JsonObject> JsonReader::open_again() {
  JsonObject object;
  if (alive()) {
    document_.rewind();
  } else if (!iterate(text_)) {
    return std::nullopt;  // an error ended it, and it ended here before
  }
  if (document_.get_object().get(object) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  return object;
}

std::optional<JsonObject> JsonReader::open(const std::string& text, MissingSet from) {
  if (from.empty()) {
    // A string that grew has room to read beyond its end, nearly always.
    const bool padded = text.capacity() - text.size() >= simdjson::SIMDJSON_PADDING;
    if (auto object = padded ? (iterate(text) ? open_again() : std::nullopt) : open_copy(text); object.has_value()) {
      return object;
    }
    missing_.add(Missing::malformed);
  }
  return open_copy(close_json(mend_utf8(text)));
}

std::optional<JsonObject> JsonReader::open_event(std::string_view text) {
  if (!is_json(text)) {
    missing_.add(Missing::malformed);
    return std::nullopt;
  }
  return iterate(text) ? open_again() : open_copy(mend_utf8(text));
}

bool JsonReader::find(JsonObject& object, std::string_view key, JsonValue& value) {
  return alive() && object.find_field_unordered(key).get(value) == simdjson::SUCCESS;
}

bool JsonReader::enter(JsonValue value, JsonObject& object) {
  return alive() && value.get_object().get(object) == simdjson::SUCCESS;
}

bool JsonReader::restart(JsonObject& object) { return alive() && object.reset().error() == simdjson::SUCCESS; }

void JsonReader::close() {
  document_ = simdjson::ondemand::document();
  parser_ = simdjson::ondemand::parser();
  std::string().swap(copy_);
  text_ = {};
}

char JsonReader::first_byte(JsonValue value) {
  const std::string_view token = value.raw_json_token();
  return token.empty() ? '\0' : token.front();
}

bool JsonReader::is_string(JsonValue value) {
  const std::string_view token = value.raw_json_token();
  return !token.empty() && token.front() == '"';
}

bool JsonReader::is_null(JsonValue value) { return value.raw_json_token().starts_with("null"); }

bool JsonReader::afford(std::size_t bytes) {
  if (bytes > text_left_) {
    missing_.add(Missing::body_too_large);
    return false;
  }
  text_left_ -= bytes;
  return true;
}

bool JsonReader::afford_item() {
  if (items_left_ == 0) {
    missing_.add(Missing::body_too_large);
    return false;
  }
  --items_left_;
  return true;
}

bool JsonReader::append_text(JsonValue value, std::string& out) {
  if (!is_string(value)) {
    return false;
  }
  const std::string_view content = content_of(value.raw_json_token());
  if (!afford(content.size())) {
    return true;
  }
  std::string_view text;
  if (view_text(value, text)) {
    out.append(text);
  } else {
    append_unescaped(out, content);  // lone surrogates
  }
  return true;
}

bool JsonReader::view_text(JsonValue value, std::string_view& out) {
  return alive() && value.get_string().get(out) == simdjson::SUCCESS;
}

bool JsonReader::read_text(JsonValue value, std::string& out) {
  if (!is_string(value)) {
    return false;
  }
  out.clear();
  return append_text(value, out);
}

bool JsonReader::read_text(JsonValue value, std::optional<std::string>& out) {
  if (!is_string(value)) {
    return false;
  }
  return append_text(value, out.emplace());
}

std::size_t JsonReader::text_size(JsonValue value) {
  return is_string(value) ? content_of(value.raw_json_token()).size() : 0;
}

bool JsonReader::append_escaped(JsonValue value, std::string& out) {
  if (!is_string(value)) {
    return false;
  }
  const std::string_view content = content_of(value.raw_json_token());
  if (afford(content.size())) {
    out.append(content);
  }
  return true;
}

void JsonReader::read_raw(JsonValue value, std::string& out) {
  std::string_view raw;
  if (is_null(value)) {
    return;
  }
  // On demand, nobody has looked inside: it is passed on as JSON only if it is.
  if (!alive() || simdjson::to_json_string(value).get(raw) != simdjson::SUCCESS || !is_json(raw)) {
    missing_.add(Missing::malformed);
    return;
  }
  if (afford(raw.size())) {
    out = one_line(raw);
  }
}

void JsonReader::read_bool(JsonValue value, std::optional<bool>& out) {
  bool read = false;
  if (alive() && value.get_bool().get(read) == simdjson::SUCCESS) {
    out = read;
  }
}

void JsonReader::read_index(JsonValue value, std::int64_t& out) {
  std::int64_t read = 0;
  if (alive() && value.get_int64().get(read) == simdjson::SUCCESS) {
    out = read;
  }
}

}  // namespace oisp::ai
