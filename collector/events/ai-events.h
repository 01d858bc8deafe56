// Events of exchanges with a model.
#pragma once

#include <string>

#include "collector/correlate/connection-table.h"
#include "collector/events/event-factory.h"
#include "collector/events/open-requests.h"
#include "collector/streams/stream.h"

namespace oisp {

// What the events of one exchange have in common.
struct ExchangeContext {
  const Process* process;
  const Connection* connection;  // null: not known
  const StreamFacts& stream;
  bool bodies;           // keep decoded bodies
  std::uint64_t now_ns;  // for what was never seen
};

// ai.request, and an agent.tool_result for each result that is new in it. Sets the ids in `open`.
void emit_request(EventFactory& factory, const ExchangeContext& context, const Exchange& exchange,
                  OpenAiExchange& open);
// ai.response, and an agent.tool_call for each call in it; or ai.embedding.
void emit_response(EventFactory& factory, const ExchangeContext& context, const Exchange& exchange,
                   const OpenAiExchange& open);

// What a later collector has to know to make the response to this request.
OpenRequest describe_open(const ExchangeContext& context, const Exchange& exchange, const OpenAiExchange& open);
// The answer to a request whose answer went with an earlier collector.
void emit_unanswered(EventFactory& factory, const OpenRequest& about, std::uint64_t now_ns);

}  // namespace oisp
