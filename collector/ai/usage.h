// What an answer cost, as the provider counts it: the same few numbers under many names.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "collector/ai/json-reader.h"

namespace oisp::ai {

struct UsageName {
  std::string_view object;  // inside the usage object; empty: in itself
  std::string_view name;
  std::string Usage::*number;
  bool is_second = false;  // counts only where nothing else said it
};

// Reads a usage object; `rest` hears of the fields in itself that no row names.
void read_usage(JsonReader& reader, JsonValue value, std::initializer_list<UsageName> names, Usage& usage,
                const std::function<void(std::string_view, JsonValue)>& rest = {});

}  // namespace oisp::ai
