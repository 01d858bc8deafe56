#include "collector/ai/fill.h"

namespace oisp::ai {
namespace {

schema::Tri tri(const std::optional<bool>& value) {
  return !value.has_value() ? schema::Tri::UNSET : *value ? schema::Tri::YES : schema::Tri::NO;
}

unsigned count(std::size_t size) { return static_cast<unsigned>(size); }

// kj::StringPtr needs a terminator, which std::string has.
kj::StringPtr text_of(const std::string& text) { return {text.c_str(), text.size()}; }

void fill_call(const ToolCall& call, schema::ToolCallItem::Builder builder) {
  set_text(call.id, [&](auto text) { builder.setId(text); });
  set_text(call.name, [&](auto text) { builder.setName(text); });
  set_text(call.type, [&](auto text) { builder.setType(text); });
  set_text(call.arguments_json, [&](auto text) { builder.setArguments(text); });
  set_text(call.server, [&](auto text) { builder.setServer(text); });
}

void fill_part(const ContentPart& part, schema::ContentPart::Builder builder) {
  set_text(part.type, [&](auto text) { builder.setType(text); });
  if (part.text.has_value()) {
    builder.setText(text_of(*part.text));
  }
  set_text(part.media_type, [&](auto text) { builder.setMediaType(text); });
  builder.setSizeBytes(part.size_bytes);
  set_text(part.url, [&](auto text) { builder.setUrl(text); });
  set_text(part.tool_call_id, [&](auto text) { builder.setToolCallId(text); });
  set_text(part.name, [&](auto text) { builder.setName(text); });
  set_text(part.arguments_json, [&](auto text) { builder.setArguments(text); });
  builder.setIsError(tri(part.is_error));
}

void fill_message(const Message& message, schema::Message::Builder builder) {
  set_text(message.role, [&](auto text) { builder.setRole(text); });
  if (message.content.has_value()) {
    builder.setContent(text_of(*message.content));
  }
  builder.setContentLength(message.content_length);
  if (!message.parts.empty()) {
    auto parts = builder.initParts(count(message.parts.size()));
    for (unsigned i = 0; i < parts.size(); ++i) {
      fill_part(message.parts[i], parts[i]);
    }
  }
  set_text(message.tool_call_id, [&](auto text) { builder.setToolCallId(text); });
  set_text(message.name, [&](auto text) { builder.setName(text); });
  if (!message.tool_calls.empty()) {
    auto calls = builder.initToolCalls(count(message.tool_calls.size()));
    for (unsigned i = 0; i < calls.size(); ++i) {
      fill_call(message.tool_calls[i], calls[i]);
    }
  }
  if (message.refusal.has_value()) {
    builder.setRefusal(text_of(*message.refusal));
  }
}

void fill_parameters(const Parameters& from, schema::AiRequest::Builder builder) {
  auto to = builder.initParameters();
  set_text(from.temperature, [&](auto text) { to.setTemperature(text); });
  set_text(from.top_p, [&](auto text) { to.setTopP(text); });
  set_text(from.top_k, [&](auto text) { to.setTopK(text); });
  set_text(from.max_tokens, [&](auto text) { to.setMaxTokens(text); });
  set_text(from.max_completion_tokens, [&](auto text) { to.setMaxCompletionTokens(text); });
  set_text(from.frequency_penalty, [&](auto text) { to.setFrequencyPenalty(text); });
  set_text(from.presence_penalty, [&](auto text) { to.setPresencePenalty(text); });
  set_text(from.stop, [&](auto text) { to.setStop(text); });
  set_text(from.seed, [&](auto text) { to.setSeed(text); });
  set_text(from.n, [&](auto text) { to.setN(text); });
  set_text(from.thinking, [&](auto text) { to.setThinking(text); });
  set_text(from.reasoning_effort, [&](auto text) { to.setReasoningEffort(text); });
  set_text(from.response_format, [&](auto text) { to.setResponseFormat(text); });
  set_text(from.reasoning, [&](auto text) { to.setReasoning(text); });
  set_text(from.parallel_tool_calls, [&](auto text) { to.setParallelToolCalls(text); });
  set_text(from.store, [&](auto text) { to.setStore(text); });
  set_text(from.num_ctx, [&](auto text) { to.setNumCtx(text); });
  set_text(from.dimensions, [&](auto text) { to.setDimensions(text); });
  set_text(from.encoding_format, [&](auto text) { to.setEncodingFormat(text); });
}

// What every kind of answer may carry.
template <typename Answer>
void fill_error(const Response& response, Answer builder) {
  if (response.error.has_value()) {
    auto error = builder.initError();
    set_text(response.error->type, [&](auto text) { error.setType(text); });
    set_text(response.error->message, [&](auto text) { error.setMessage(text); });
    set_text(response.error->code_json, [&](auto text) { error.setCode(text); });
  }
}

template <typename Answer>
void fill_durations(const Durations& from, Answer builder) {
  if (from == Durations{}) {
    return;
  }
  auto to = builder.initDurations();
  set_text(from.total, [&](auto text) { to.setTotal(text); });
  set_text(from.load, [&](auto text) { to.setLoad(text); });
  set_text(from.prompt_eval, [&](auto text) { to.setPromptEval(text); });
  set_text(from.eval, [&](auto text) { to.setEval(text); });
}

template <typename Answer>
void fill_usage(const Usage& from, Answer builder) {
  if (from == Usage{}) {
    return;
  }
  auto to = builder.initUsage();
  set_text(from.prompt_tokens, [&](auto text) { to.setPromptTokens(text); });
  set_text(from.completion_tokens, [&](auto text) { to.setCompletionTokens(text); });
  set_text(from.total_tokens, [&](auto text) { to.setTotalTokens(text); });
  set_text(from.cached_tokens, [&](auto text) { to.setCachedTokens(text); });
  set_text(from.cache_creation_tokens, [&](auto text) { to.setCacheCreationTokens(text); });
  set_text(from.reasoning_tokens, [&](auto text) { to.setReasoningTokens(text); });
  set_text(from.cache_creation, [&](auto text) { to.setCacheCreation(text); });
  set_text(from.server_tool_use, [&](auto text) { to.setServerToolUse(text); });
}

void fill_input(const Request& request, schema::AiRequest::Builder builder) {
  if (!request.input.empty()) {
    auto input = builder.initInput(count(request.input.size()));
    for (unsigned i = 0; i < input.size(); ++i) {
      input.set(i, text_of(request.input[i]));
    }
  }
  builder.setInputCount(request.input_count);
  builder.setInputBytes(request.input_bytes);
}

}  // namespace

void fill(const Request& request, schema::AiRequest::Builder builder) {
  set_text(request.model, [&](auto text) { builder.initModel().setId(text); });
  builder.setStreaming(tri(request.streaming));
  if (request.has_messages) {
    auto messages = builder.initMessages(count(request.messages.size()));
    for (unsigned i = 0; i < messages.size(); ++i) {
      fill_message(request.messages[i], messages[i]);
    }
    builder.setMessagesCount(request.messages_count);
    builder.setHasImages(tri(request.image_count > 0));
    builder.setImageCount(request.image_count);
  }
  builder.setHasSystemPrompt(tri(request.has_system_prompt));
  if (request.system.has_value()) {
    builder.setSystem(text_of(*request.system));
  }
  if (request.has_tools) {
    auto tools = builder.initTools(count(request.tools.size()));
    for (unsigned i = 0; i < tools.size(); ++i) {
      set_text(request.tools[i].name, [&](auto text) { tools[i].setName(text); });
      set_text(request.tools[i].type, [&](auto text) { tools[i].setType(text); });
      set_text(request.tools[i].description, [&](auto text) { tools[i].setDescription(text); });
    }
    builder.setToolsCount(request.tools_count);
  }
  set_text(request.tool_choice_json, [&](auto text) { builder.setToolChoice(text); });
  if (request.parameters != Parameters{}) {
    fill_parameters(request.parameters, builder);
  }
  fill_input(request, builder);
  set_text(request.previous_response_id, [&](auto text) { builder.setPreviousResponseId(text); });
  set_text(request.conversation_id, [&](auto text) { builder.setConversationId(text); });
}

void fill(const Response& response, schema::AiResponse::Builder builder) {
  set_text(response.id, [&](auto text) { builder.setProviderRequestId(text); });
  set_text(response.model, [&](auto text) { builder.initModel().setId(text); });
  fill_error(response, builder);
  if (!response.choices.empty()) {
    auto choices = builder.initChoices(count(response.choices.size()));
    for (unsigned i = 0; i < choices.size(); ++i) {
      const Choice& choice = response.choices[i];
      choices[i].setIndex(choice.index);
      fill_message(choice.message, choices[i].initMessage());
      set_text(choice.finish_reason, [&](auto text) { choices[i].setFinishReason(text); });
    }
    auto calls = builder.initToolCalls(count(response.tool_calls.size()));
    for (unsigned i = 0; i < calls.size(); ++i) {
      fill_call(response.tool_calls[i], calls[i]);
    }
    builder.setToolCallsCount(static_cast<std::int32_t>(response.tool_calls.size()));
  }
  fill_usage(response.usage, builder);
  set_text(response.finish_reason, [&](auto text) { builder.setFinishReasonRaw(text); });
  if (response.thinking.has_value()) {
    auto thinking = builder.initThinking();
    thinking.setContent(text_of(*response.thinking));
    thinking.setContentLength(static_cast<std::int64_t>(response.thinking->size()));
  }
  set_text(response.service_tier, [&](auto text) { builder.setServiceTier(text); });
  fill_durations(response.durations, builder);
}

void fill(const Request& request, const Response& response, schema::AiEmbedding::Builder builder) {
  const std::string& model = response.model.empty() ? request.model : response.model;
  set_text(model, [&](auto text) { builder.initModel().setId(text); });
  fill_error(response, builder);
  builder.setInputCount(request.input_count);
  builder.setInputBytes(request.input_bytes);
  builder.setEmbeddingCount(response.embedding_count);
  builder.setDimensions(response.dimensions);
  const Usage& usage = response.usage;
  set_text(usage.total_tokens.empty() ? usage.prompt_tokens : usage.total_tokens,
           [&](auto text) { builder.setTotalTokens(text); });
  fill_usage(usage, builder);
  fill_durations(response.durations, builder);
}

}  // namespace oisp::ai
