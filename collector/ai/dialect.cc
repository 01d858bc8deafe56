#include "collector/ai/dialect.h"

#include <algorithm>
#include <unordered_map>

namespace oisp::ai {

bool read_parameter(JsonReader& reader, std::span<const ParameterKey> rows, std::string_view key, JsonValue field,
                    Parameters& parameters) {
  const auto found = std::ranges::find(rows, key, &ParameterKey::key);
  if (found == rows.end()) {
    return false;
  }
  reader.read_raw(field, parameters.*(found->field));
  return true;
}

void read_tools(JsonReader& reader, JsonValue value, Tool (*read)(JsonReader& reader, JsonValue value),
                Request& request) {
  request.has_tools = reader.each_element(value, [&](JsonValue element) {
    ++request.tools_count;
    if (reader.afford_item()) {
      request.tools.push_back(read(reader, element));
    }
  });
}

void read_error(JsonReader& reader, JsonValue value, std::optional<Error>& error) {
  if (JsonReader::is_null(value)) {
    return;
  }
  Error& read = error.emplace();
  if (reader.read_text(value, read.message)) {
    return;
  }
  reader.each_field(value, [&](std::string_view key, JsonValue field) {
    if (key == "message") {
      (void)reader.read_text(field, read.message);
    } else if (key == "type" || (key == "status" && read.type.empty())) {
      (void)reader.read_text(field, read.type);
    } else if (key == "code") {
      reader.read_raw(field, read.code_json);
    }
  });
}

void append_line(JsonReader& reader, std::optional<std::string>& text, std::string_view line) {
  if (!reader.afford(line.size() + 1)) {
    return;
  }
  if (text.has_value()) {
    text->push_back('\n');
    text->append(line);
  } else {
    text = line;
  }
}

void read_url(JsonReader& reader, JsonValue value, ContentPart& part) {
  std::string_view url;
  if (!JsonReader::is_string(value) || !reader.view_text(value, url)) {
    return;
  }
  constexpr std::string_view kData = "data:";
  if (!url.starts_with(kData)) {
    if (reader.afford(url.size())) {
      part.url = url;
    }
    return;
  }
  const std::size_t comma = url.find(',');
  const std::size_t end = std::min(url.find_first_of(";,"), url.size());
  part.media_type = url.substr(kData.size(), end - kData.size());
  part.size_bytes = static_cast<std::int64_t>(comma == std::string_view::npos ? 0 : url.size() - comma - 1);
}

void ToolResults::on_call(const std::string& id, const std::string& name) {
  if (!id.empty()) {
    calls_.emplace_back(id, name);
  }
}

void ToolResults::add(ToolResult&& result) {
  if (request_.tool_results.size() < kMostToolCalls) {
    request_.tool_results.push_back(std::move(result));
  }
}

void ToolResults::finish() {
  if (request_.tool_results.empty()) {
    return;
  }
  std::unordered_map<std::string_view, std::string_view> names;
  for (const auto& [id, name] : calls_) {
    names.insert_or_assign(id, name);
  }
  for (ToolResult& result : request_.tool_results) {
    if (const auto found = names.find(result.call_id); result.name.empty() && found != names.end()) {
      result.name = found->second;
    }
  }
}

}  // namespace oisp::ai
