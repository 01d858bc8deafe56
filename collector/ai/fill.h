// Requests and answers as parts of events.
#pragma once

#include "collector/ai/model.h"
#include "event.capnp.h"

namespace oisp::ai {

// All that the model's form of a request and of an answer says; what is not sent is not set.
void fill(const Request& request, schema::AiRequest::Builder builder);
void fill(const Response& response, schema::AiResponse::Builder builder);
void fill(const Request& request, const Response& response, schema::AiEmbedding::Builder builder);

// Empty text is not set.
template <typename Set>
void set_text(const std::string& text, Set&& set) {
  if (!text.empty()) {
    set(capnp::Text::Reader(text.c_str(), text.size()));
  }
}

}  // namespace oisp::ai
