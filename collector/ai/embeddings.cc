// Embeddings, of OpenAI (https://platform.openai.com/docs/api-reference/embeddings) and of Ollama
// (https://docs.ollama.com/api). The numbers themselves are not kept, only how many there are.
#include <algorithm>
#include <array>

#include "collector/ai/dialect.h"
#include "collector/ai/usage.h"

namespace oisp::ai {
namespace {

constexpr std::array kParameters = std::to_array<ParameterKey>({
    {"dimensions", &Parameters::dimensions},
    {"encoding_format", &Parameters::encoding_format},
});

void read_input_text(JsonReader& reader, JsonValue value, Request& request) {
  std::string& text = request.input.emplace_back();
  (void)reader.read_text(value, text);
  request.input_bytes = std::max<std::int64_t>(request.input_bytes, 0) + static_cast<std::int64_t>(text.size());
}

// A text, several, the tokens of one, or those of several.
void read_input(JsonReader& reader, JsonValue value, Request& request) {
  request.input_count = 0;
  if (JsonReader::is_string(value)) {
    request.input_count = 1;
    read_input_text(reader, value, request);
    return;
  }
  bool one_of_tokens = false;
  (void)reader.each_element(value, [&](JsonValue element) {
    const char first = JsonReader::first_byte(element);
    one_of_tokens = one_of_tokens || (first >= '0' && first <= '9');
    ++request.input_count;
    if (first == '"' && reader.afford_item()) {
      read_input_text(reader, element, request);
    }
  });
  if (one_of_tokens) {
    request.input_count = 1;
  }
}

// Numbers, or base64 of as many floats.
std::int32_t count_dimensions(JsonReader& reader, JsonValue value) {
  std::size_t count = 0;
  if (JsonReader::is_string(value)) {
    count = JsonReader::text_size(value) * 3 / 4 / sizeof(float);
  } else if (!reader.each_element(value, [&](JsonValue) { ++count; })) {
    return -1;
  }
  return static_cast<std::int32_t>(count);
}

class EmbeddingsDecoder final : public DialectDecoder {
 public:
  void read_request(JsonReader& reader, JsonObject& body, Request& request) override;
  void read_response(JsonReader& reader, JsonObject& body, Response& response) override;
};

void EmbeddingsDecoder::read_request(JsonReader& reader, JsonObject& body, Request& request) {
  reader.each_field(body, [&](std::string_view key, JsonValue field) {
    if (key == "model") {
      (void)reader.read_text(field, request.model);
    } else if (key == "input" || key == "prompt") {
      read_input(reader, field, request);
    } else {
      (void)read_parameter(reader, kParameters, key, field, request.parameters);
    }
  });
}

// The first embedding says how many dimensions they have.
void take_embedding(JsonReader& reader, JsonValue value, Response& response) {
  if (response.dimensions < 0) {
    response.dimensions = count_dimensions(reader, value);
  }
}

void EmbeddingsDecoder::read_response(JsonReader& reader, JsonObject& body, Response& response) {
  const auto count_one = [&] { response.embedding_count = std::max(response.embedding_count, 0) + 1; };
  reader.each_field(body, [&](std::string_view key, JsonValue field) {
    if (key == "model") {
      (void)reader.read_text(field, response.model);
    } else if (key == "data") {
      response.embedding_count = 0;
      (void)reader.each_element(field, [&](JsonValue element) {
        count_one();
        reader.each_field(element, [&](std::string_view name, JsonValue value) {
          if (name == "embedding") {
            take_embedding(reader, value, response);
          }
        });
      });
    } else if (key == "embeddings") {
      response.embedding_count = 0;
      (void)reader.each_element(field, [&](JsonValue element) {
        count_one();
        take_embedding(reader, element, response);
      });
    } else if (key == "embedding") {
      count_one();
      take_embedding(reader, field, response);
    } else if (key == "usage") {
      read_usage(reader, field,
                 {{{}, "prompt_tokens", &Usage::prompt_tokens}, {{}, "total_tokens", &Usage::total_tokens}},
                 response.usage);
    } else if (key == "prompt_eval_count") {
      reader.read_raw(field, response.usage.prompt_tokens);
    } else if (key == "total_duration") {
      reader.read_raw(field, response.durations.total);
    } else if (key == "load_duration") {
      reader.read_raw(field, response.durations.load);
    } else if (key == "error") {
      read_error(reader, field, response.error);
    }
  });
}

}  // namespace

std::unique_ptr<DialectDecoder> make_embeddings_decoder() { return std::make_unique<EmbeddingsDecoder>(); }

}  // namespace oisp::ai
