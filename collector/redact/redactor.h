// Replaces secrets by typed markers with a keyed hash, "[secret:TYPE:HASH]": the same secret has the
// same marker throughout a run, and nobody can guess it from the marker. All else is left as it is.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/redact/secret-finder.h"
#include "event.capnp.h"

namespace oisp {

class TextWalk;

class Redactor {
 public:
  // Draws the key of this run: call before the sandbox is on.
  Redactor();
  ~Redactor();

  // The one way out: walks every text of a finished event, and notes in ext.oisp_sensor.secrets what
  // was replaced.
  void redact_event(schema::Event::Builder event);

  // The text with markers, or nothing where it has no secret. Types are appended to `found`.
  std::optional<std::string> redact_text(std::string_view text, std::vector<std::string_view>& found) const;

 private:
  [[nodiscard]] std::string_view type_of(const FoundSecret& secret) const;
  [[nodiscard]] std::string marker(std::string_view type, std::string_view secret) const;

  std::unique_ptr<TextWalk> texts_;
  SecretFinder finder_;
  std::array<unsigned char, 32> key_{};
};

}  // namespace oisp
