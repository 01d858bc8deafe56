// An HTTP exchange that is a request to a model, decoded in its dialect.
//
// The collector calls recognise_ai when on_request tells of a request. From then on the AiExchange is told
// what the listener is told of that exchange, in the same order. The request can be read at once, the
// answer after on_finished.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "collector/ai/model.h"
#include "collector/http/exchange.h"
#include "event.capnp.h"

namespace oisp {

enum class Dialect : std::uint8_t {
  openai_chat_completions,
  openai_responses,
  openai_responses_compact,
  openai_responses_input_tokens,
  openai_embeddings,
  anthropic_messages,
  anthropic_count_tokens,
  ollama_chat,
  ollama_generate,
  ollama_embed,
};

// How it was recognised: by the host, or by the shape of path, headers and body alone.
enum class AiDetection : std::uint8_t { known_endpoint, payload_inspection };
std::string_view detection_word(AiDetection detection);

class AiExchange {
 public:
  virtual ~AiExchange() = default;

  virtual void on_response_head(const Exchange& exchange) = 0;
  virtual void on_response_body(const Exchange& exchange, std::string_view piece) = 0;
  virtual void on_response_gap(const Exchange& exchange) = 0;
  virtual void on_finished(const Exchange& exchange) = 0;

  // The request's events are made: what it said is not asked for again, and need not be kept.
  virtual void forget_request() = 0;
  // About as much memory as it fills.
  [[nodiscard]] virtual std::size_t held_bytes() const = 0;

  [[nodiscard]] virtual Dialect dialect() const = 0;
  [[nodiscard]] virtual AiDetection detection() const = 0;
  // False: the request's path was not seen, and its body alone says that it is one.
  [[nodiscard]] virtual bool path_known() const = 0;
  // An answer is an ai.embedding, else an ai.response.
  [[nodiscard]] virtual bool is_embedding() const = 0;
  // The provider's name ("unknown" where the host is nobody's), and what was asked there.
  [[nodiscard]] virtual std::string_view provider() const = 0;
  [[nodiscard]] virtual std::string_view endpoint() const = 0;
  // Valid until forget_request.
  [[nodiscard]] virtual const ai::Request& request() const = 0;
  // Valid after on_finished.
  [[nodiscard]] virtual const ai::Response& response() const = 0;
  // What is missing in the one and in the other event. The answer's differs from the HTTP response's
  // where the model's answer was whole although the HTTP message was not (a client that stops reading
  // at the end mark), or the reverse.
  [[nodiscard]] virtual MissingSet request_missing() const = 0;
  [[nodiscard]] virtual MissingSet response_missing() const = 0;

  // All fields but request_id, which is the collector's to choose.
  virtual void fill_request(schema::AiRequest::Builder builder) const = 0;
  virtual void fill_response(schema::AiResponse::Builder builder) const = 0;
  virtual void fill_embedding(schema::AiEmbedding::Builder builder) const = 0;

  // For agent.tool_call: what the answer asked for. Valid after on_finished.
  [[nodiscard]] std::span<const ai::ToolCall> tool_calls() const { return response().tool_calls; }
  // For agent.tool_result: what is new in the request. A conversation repeats its older results in every request.
  [[nodiscard]] std::span<const ai::ToolResult> tool_results() const { return request().tool_results; }
};

// Null where the exchange is no request to a model that this program can decode. `scheme`: of its URL.
std::unique_ptr<AiExchange> recognise_ai(const Exchange& exchange, std::string_view scheme);

}  // namespace oisp
