// The blocks that Anthropic's messages are made of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "collector/ai/json-reader.h"
#include "collector/ai/model.h"

namespace oisp::ai {

// A block's content that is itself text or blocks (a tool's result).
struct InnerContent {
  std::optional<std::string> text;
  std::int64_t data_bytes = 0;
  std::int32_t images = 0;
  bool failed = false;
};

void read_inner(JsonReader& reader, JsonValue value, InnerContent& inner);

struct Block {
  ContentPart part;
  InnerContent inner;
  std::string server;  // MCP
};

Block read_block(JsonReader& reader, JsonValue value);

// Calls of tools: of the program's, of the provider's own, and of an MCP server that it asks.
bool is_call(const ContentPart& part);

}  // namespace oisp::ai
