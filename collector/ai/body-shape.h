// What the keys of a request's body say of the dialect it is in.
#pragma once

#include <cstdint>
#include <optional>

#include "collector/ai/ai-exchange.h"
#include "collector/ai/json-reader.h"

namespace oisp::ai {

// The keys by which a request of a known path is told from another program's.
struct BodyKeys {
  bool model = false;
  bool messages = false;
  bool input = false;
  bool prompt = false;
  bool max_tokens = false;
};
BodyKeys keys_of(JsonReader& reader, JsonObject& body);

// Of a request whose path was not seen: the one dialect in which it can be, by all its keys, by its messages
// and tools, and by what is known of headers and host. Nothing where there is none, or more than one.
std::optional<Dialect> only_dialect(JsonReader& reader, JsonObject& body, const HttpRequest& request,
                                    std::string_view provider);

}  // namespace oisp::ai
