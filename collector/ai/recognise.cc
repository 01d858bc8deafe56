// Which exchanges are requests to models: by path and host, by path and shape, or by shape alone.
#include <algorithm>
#include <array>
#include <optional>

#include "base/bug.h"
#include "collector/ai/body-shape.h"
#include "collector/ai/decoded-exchange.h"
#include "collector/ai/dialect.h"
#include "collector/ai/provider.h"

namespace oisp {
namespace {

using ai::BodyKeys;
using ai::DialectRow;
using ai::JsonObject;
using ai::JsonReader;

template <typename... Ends>
bool path_ends(const HttpRequest& request, Ends... ends) {
  return (request.path().ends_with(ends) || ...);
}
bool has_anthropic_version(const HttpRequest& request) { return request.headers.find("anthropic-version").has_value(); }

// Not …/messages/batches, nor OpenAI's …/threads/ID/messages.
bool is_messages(const HttpRequest& request) {
  return path_ends(request, "/v1/messages") || (path_ends(request, "/messages") && has_anthropic_version(request));
}
bool is_count_tokens(const HttpRequest& request) {
  return path_ends(request, "/v1/messages/count_tokens") ||
         (path_ends(request, "/messages/count_tokens") && has_anthropic_version(request));
}

// The order counts: the first row whose path fits is the one.
constexpr std::array kDialects = std::to_array<DialectRow>({
    {.dialect = Dialect::openai_chat_completions,
     .word = "openai.chat_completions",
     .make = ai::make_openai_chat_decoder,
     .path = [](const HttpRequest& request) { return path_ends(request, "/chat/completions"); },
     .shape = [](const HttpRequest&, const BodyKeys& keys) { return keys.messages; }},
    {.dialect = Dialect::openai_responses,
     .word = "openai.responses",
     .make = ai::make_openai_responses_decoder,
     .path = [](const HttpRequest& request) { return path_ends(request, "/responses"); },
     .shape = [](const HttpRequest&, const BodyKeys& keys) { return keys.model && (keys.input || keys.prompt); }},
    {.dialect = Dialect::openai_responses_compact,
     .word = "openai.responses.compact",
     .request_type = "other",
     .make = ai::make_openai_responses_decoder,
     .path = [](const HttpRequest& request) { return path_ends(request, "/responses/compact"); },
     .shape = [](const HttpRequest&, const BodyKeys& keys) { return keys.model && keys.input; }},
    {.dialect = Dialect::openai_responses_input_tokens,
     .word = "openai.responses.input_tokens",
     .request_type = "other",
     .make = ai::make_openai_responses_decoder,
     .path = [](const HttpRequest& request) { return path_ends(request, "/responses/input_tokens"); },
     .shape = [](const HttpRequest&, const BodyKeys& keys) { return keys.model && keys.input; }},
    {.dialect = Dialect::anthropic_messages,
     .word = "anthropic.messages",
     .make = ai::make_anthropic_messages_decoder,
     .path = is_messages,
     .shape =
         [](const HttpRequest& request, const BodyKeys& keys) {
           return keys.messages && (keys.max_tokens || has_anthropic_version(request));
         }},
    {.dialect = Dialect::anthropic_count_tokens,
     .word = "anthropic.count_tokens",
     .request_type = "other",
     .make = ai::make_anthropic_messages_decoder,
     .path = is_count_tokens,
     .shape = [](const HttpRequest&, const BodyKeys& keys) { return keys.model && keys.messages; }},
    {.dialect = Dialect::ollama_chat,
     .word = "ollama.chat",
     .provider = "ollama",
     .make = ai::make_ollama_decoder,
     .path = [](const HttpRequest& request) { return path_ends(request, "/api/chat"); },
     .shape = [](const HttpRequest&, const BodyKeys& keys) { return keys.model && keys.messages; }},
    {.dialect = Dialect::ollama_generate,
     .word = "ollama.generate",
     .request_type = "completion",
     .provider = "ollama",
     .make = ai::make_ollama_decoder,
     .path = [](const HttpRequest& request) { return path_ends(request, "/api/generate"); },
     .shape = [](const HttpRequest&, const BodyKeys& keys) { return keys.model && keys.prompt; }},
    {.dialect = Dialect::ollama_embed,
     .word = "ollama.embed",
     .request_type = "embedding",
     .provider = "ollama",
     .make = ai::make_embeddings_decoder,
     .path = [](const HttpRequest& request) { return path_ends(request, "/api/embed", "/api/embeddings"); },
     .shape = [](const HttpRequest&, const BodyKeys& keys) { return keys.model && (keys.input || keys.prompt); }},
    {.dialect = Dialect::openai_embeddings,
     .word = "openai.embeddings",
     .request_type = "embedding",
     .make = ai::make_embeddings_decoder,
     .path = [](const HttpRequest& request) { return path_ends(request, "/embeddings"); },
     .shape = [](const HttpRequest&, const BodyKeys& keys) { return keys.model && keys.input; }},
});

const DialectRow* row_of(std::optional<Dialect> dialect) {
  const auto* const found =
      dialect.has_value() ? std::ranges::find(kDialects, *dialect, &DialectRow::dialect) : kDialects.end();
  return found == kDialects.end() ? nullptr : found;
}

// A request that HTTP/2 sent before the stream was watched may lack its path, but not its method: that is
// always known.
bool lacks_path(const HttpRequest& request) { return request.target.empty() && !request.missing.empty(); }

const DialectRow* row_by_path(const HttpRequest& request) {
  const auto* const found = std::ranges::find_if(kDialects, [&](const DialectRow& row) { return row.path(request); });
  return found == kDialects.end() ? nullptr : found;
}

}  // namespace

std::string_view detection_word(AiDetection detection) {
  switch (detection) {
    case AiDetection::known_endpoint:
      return "known_endpoint";
    case AiDetection::payload_inspection:
      return "payload_inspection";
  }
  OISP_BUG_IF(true);
}

std::unique_ptr<AiExchange> recognise_ai(const Exchange& exchange, std::string_view scheme) {
  const HttpRequest& request = exchange.request;
  if (!request.has_head || request.method != "POST") {
    return nullptr;
  }
  const bool path_known = !lacks_path(request);
  const DialectRow* row = path_known ? row_by_path(request) : nullptr;
  if (path_known && row == nullptr) {
    return nullptr;
  }
  const std::string_view provider = find_provider(request.host());
  JsonReader reader;
  std::optional<JsonObject> body;
  BodyKeys keys;
  if (!request.missing.has(Missing::encoding_not_decoded) && !request.body.bytes.empty()) {
    body = reader.open(request.body.bytes, request.missing);
    if (body.has_value()) {
      if (path_known) {
        keys = keys_of(reader, *body);
      } else {
        row = row_of(only_dialect(reader, *body, request, provider));
      }
      body = reader.open_again();
    }
  }
  // Of a body that is not there whole, the path has to do.
  const bool known = !provider.empty() && path_known;
  if (row == nullptr || (path_known && !known && !row->shape(request, keys) && request.missing.empty())) {
    return nullptr;
  }
  auto made =
      std::make_unique<ai::DecodedExchange>(*row, known ? AiDetection::known_endpoint : AiDetection::payload_inspection,
                                            !provider.empty() ? provider : row->provider, scheme, exchange);
  made->read_request(reader, body);
  return made;
}

}  // namespace oisp
