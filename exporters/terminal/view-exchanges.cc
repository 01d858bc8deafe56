// The lines of requests, responses and tools.
#include <algorithm>

#include "exporters/terminal/fitted-fields.h"
#include "exporters/terminal/json-brief.h"
#include "exporters/terminal/limits.h"
#include "exporters/terminal/quantities.h"
#include "exporters/terminal/terminal-view.h"
#include "exporters/terminal/text-columns.h"

namespace oisp {
namespace {

constexpr std::size_t kMostNameColumns = 40;     // of a provider, model or tool
constexpr std::size_t kFewestQuoteColumns = 12;  // fewer say nothing
constexpr std::size_t kWantedQuoteColumns = 24;  // for which other fields give way

std::string_view view_of(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

std::string name_of(capnp::Text::Reader text) {
  return cut_to_columns(harmless(view_of(text), kMostNameColumns), kMostNameColumns);
}

std::string quote(std::string_view text, std::size_t columns) {
  const std::string words = one_line(text, columns);
  return words.empty() ? std::string{} : '"' + words + '"';
}

// The provider's name, or the host where only the shape of the exchange told that it is one. What the process itself
// answers is told apart: where its client is watched as well, that one has told of it.
std::string provider_of(const std::string& name, schema::Event::Reader event) {
  const auto sensor = event.getExt().getOispSensor();
  const char* side = view_of(sensor.getRole()) == "server" ? " (served)" : "";
  if (!name.empty() && name != "unknown") return name + side;
  const std::string host = name_of(sensor.getHttp().getHost());
  return (host.empty() ? "unknown" : host) + side;
}

// What the user said since the model last spoke (nothing where only tools did), or the first text to embed.
std::string_view last_user_words(schema::AiRequest::Reader request) {
  const auto messages = request.getMessages();
  for (unsigned i = messages.size(); i-- > 0;) {
    const auto message = messages[i];
    const std::string_view role = view_of(message.getRole());
    if (role == "assistant") return {};
    if (role == "user" && message.getContent().size() > 0) return view_of(message.getContent());
  }
  return request.getInput().size() > 0 ? view_of(request.getInput()[0]) : std::string_view{};
}

template <typename Answer>
bool has_failed(Answer answer) {
  return answer.getStatusCode() >= 400 || answer.hasError() || answer.getSuccess() == schema::Tri::NO;
}

std::string words_for_missing(std::string_view reason) {
  static constexpr struct {
    std::string_view reason;
    const char* words;
  } kWords[] = {
      {"joined_late", "joined late"},
      {"stream_ended", "broke off"},
      {"cut", "cut by max_capture"},
      {"unseen_call", "in part passed unseen"},
      {"lost", "records lost"},
      {"body_too_large", "body too large to keep"},
      {"answered_early", "answered before the request was whole"},
      {"malformed", "malformed"},
      {"encoding_not_decoded", "content coding not decoded"},
      {"encoding_broken", "compressed data broken"},
      {"over_limit", "over a limit"},
  };
  for (const auto& known : kWords) {
    if (known.reason == reason) return known.words;
  }
  return harmless(reason, kMostNameColumns);
}

std::string missing_words(capnp::List<capnp::Text>::Reader reasons) {
  std::string words;
  for (const auto reason : reasons) {
    words += (words.empty() ? "incomplete: " : ", ") + words_for_missing(view_of(reason));
    if (words.size() > 200) break;
  }
  return words;
}

void add_usage(FittedFields& fields, schema::Usage::Reader usage) {
  const auto number = [](capnp::Text::Reader digits) {
    return with_thousands(std::string_view(harmless(view_of(digits), 20)));
  };
  if (usage.hasPromptTokens()) fields.add("in " + number(usage.getPromptTokens()));
  if (usage.hasCachedTokens() && view_of(usage.getCachedTokens()) != "0") {
    fields.add("(cached " + number(usage.getCachedTokens()) + ")", Style::faint, 3, 1);
  }
  if (usage.hasCompletionTokens()) fields.add("out " + number(usage.getCompletionTokens()));
}

// The provider's own words about what went wrong.
std::string error_words(schema::AiError::Reader error, std::size_t columns) {
  std::string words = name_of(error.getType());
  const std::string message = one_line(view_of(error.getMessage()), columns);
  if (!message.empty()) words += (words.empty() ? "" : ": ") + message;
  if (words.empty() && error.hasCode()) words = harmless(brief_json(view_of(error.getCode()), 200), 200);
  return words;
}

}  // namespace

// As much of the words as there is room for, with the closing quotation mark.
void TerminalView::add_quote(StyledLine& line, const std::string& words, Style style) const {
  const std::size_t left = room(line);
  if (words.empty() || left < kFewestQuoteColumns + 2) return;
  if (columns_of(words) + 2 <= left) {
    line.field(words, style);
  } else {
    line.field(cut_to_columns(words, left - 3) + '"', style);
  }
}

void TerminalView::on_request(schema::Event::Reader event, schema::AiRequest::Reader request) {
  Request known{.number = ++requests_seen_,
                .provider = provider_of(name_of(request.getProvider().getName()), event),
                .model = name_of(request.getModel().getId())};
  tally_.add_request(known.provider, known.model);
  provider_columns_ = std::max(provider_columns_, columns_of(known.provider));
  model_columns_ = std::max(model_columns_, columns_of(known.model));

  StyledLine line = begin_line(event);
  line.add("→ ", Style::sent).add('#' + std::to_string(known.number), Style::sent);
  if (options_.columns >= kComfortableColumns || known.model.empty()) {
    line.field(known.provider).pad_to(line.columns() + provider_columns_ - columns_of(known.provider));
  }
  line.field(known.model, Style::strong).pad_to(line.columns() + model_columns_ - columns_of(known.model));
  FittedFields fields;
  const std::string_view type = view_of(request.getRequestType());
  if (type != "chat") fields.add(harmless(type, kMostNameColumns));
  std::size_t gap = 2;
  const auto count = [&](std::int32_t number, const char* noun, unsigned rank) {
    if (number <= 0) return;
    fields.add(counted(static_cast<std::uint64_t>(number), noun), Style::plain, rank, gap);
    gap = 1;
  };
  count(request.getMessagesCount(), "msg", 1);
  count(request.getInputCount(), "input", 1);
  count(request.getToolsCount(), "tool", 2);
  count(request.getImageCount(), "image", 0);
  const auto ext = event.getExt().getOispSensor();
  const std::int64_t bytes = ext.getHttp().getBodyBytes();
  if (bytes >= 0) fields.add(short_bytes(static_cast<std::uint64_t>(bytes)), Style::faint, 3, gap);
  fields.add(missing_words(ext.getIncomplete()), Style::warning);
  const std::string words = quote(last_user_words(request), options_.columns);
  fields.append_to(line, options_.columns, words.empty() ? 0 : std::min(columns_of(words), kWantedQuoteColumns) + 2);
  add_quote(line, words, Style::plain);

  const std::string id(view_of(request.getRequestId()));
  if (request_order_.size() >= kMostOpenRequests) {
    (void)requests_.erase(request_order_.front());
    request_order_.pop_front();
  }
  request_order_.push_back(id);
  requests_.insert_or_assign(id, std::move(known));
  put(std::move(line), id);
}

template <typename Answer>
StyledLine TerminalView::begin_answer(schema::Event::Reader event, Answer answer) {
  const Request* request = find_request(answer.getRequestId());
  const bool incomplete = event.getExt().getOispSensor().getIncomplete().size() > 0;
  const bool failed = has_failed(answer);
  const std::string provider =
      request ? request->provider : provider_of(name_of(answer.getProvider().getName()), event);
  tally_.add_answer(provider, request ? request->model : name_of(answer.getModel().getId()), failed, incomplete,
                    answer.getUsage());
  const Style style = failed ? Style::bad : incomplete ? Style::warning : Style::received;
  StyledLine line = begin_line(event);
  line.add("← ", style);
  if (request != nullptr) line.add('#' + std::to_string(request->number), style);
  const std::int32_t status = answer.getStatusCode();
  return line.field(status < 0 ? "no answer" : std::to_string(status), style);
}

void TerminalView::on_response(schema::Event::Reader event, schema::AiResponse::Reader response) {
  StyledLine line = begin_answer(event, response);
  FittedFields fields;
  if (response.getTimeToFirstTokenMs() >= 0) {
    fields.add("ttft " + short_duration(response.getTimeToFirstTokenMs()), Style::faint, 2);
  }
  if (response.getLatencyMs() >= 0) fields.add(short_duration(response.getLatencyMs()), Style::plain, 1);
  if (response.hasUsage()) add_usage(fields, response.getUsage());
  fields.add(name_of(response.hasFinishReasonRaw() ? response.getFinishReasonRaw() : response.getFinishReason()));
  fields.add(missing_words(event.getExt().getOispSensor().getIncomplete()), Style::warning);
  if (response.hasError()) fields.add(error_words(response.getError(), options_.columns), Style::bad);
  fields.append_to(line, options_.columns);
  // The answer's first words, where tools do not speak for it.
  if (!has_failed(response) && response.getToolCalls().size() == 0 && response.getChoices().size() > 0) {
    const auto message = response.getChoices()[0].getMessage();
    add_quote(line, quote(view_of(message.getContent()), options_.columns), Style::faint);
  }
  put(std::move(line), view_of(response.getRequestId()));
}

void TerminalView::on_embedding(schema::Event::Reader event, schema::AiEmbedding::Reader embedding) {
  StyledLine line = begin_answer(event, embedding);
  FittedFields fields;
  if (embedding.getLatencyMs() >= 0) fields.add(short_duration(embedding.getLatencyMs()), Style::plain, 1);
  if (embedding.hasUsage()) add_usage(fields, embedding.getUsage());
  if (embedding.getEmbeddingCount() > 0 && embedding.getDimensions() > 0) {
    const auto number = [](std::int32_t count) { return with_thousands(static_cast<std::uint64_t>(count)); };
    fields.add(number(embedding.getEmbeddingCount()) + " × " + number(embedding.getDimensions()) + " numbers");
  }
  fields.add(missing_words(event.getExt().getOispSensor().getIncomplete()), Style::warning);
  if (embedding.hasError()) fields.add(error_words(embedding.getError(), options_.columns), Style::bad);
  fields.append_to(line, options_.columns);
  put(std::move(line), view_of(embedding.getRequestId()));
}

void TerminalView::on_tool_call(schema::Event::Reader event, schema::ToolCall::Reader call) {
  const std::string name = name_of(call.getTool().getName());
  tally_.add_tool_call(name);
  const std::string id(view_of(call.getRequestId()));
  StyledLine line = begin_line(event, id);
  line.add("⚙ ", Style::tool).add(name, Style::tool);
  const std::size_t left = room(line);
  if (left > 1) line.add(" ").add(harmless(brief_json(view_of(call.getArguments()), left * 4), left));
  put(std::move(line), id);
}

void TerminalView::on_tool_result(schema::Event::Reader event, schema::ToolResult::Reader result) {
  const std::string id(view_of(result.getRequestId()));
  const bool failed = result.getSuccess() == schema::Tri::NO;
  StyledLine line = begin_line(event, id);
  line.add(failed ? "✗ " : "↳ ", failed ? Style::bad : Style::faint);
  const std::string name = name_of(result.getTool().getName());
  line.add(name.empty() ? "tool result" : name, failed ? Style::bad : Style::faint);
  if (failed) line.field("failed", Style::bad);
  if (result.getResultSizeBytes() >= 0) {
    line.field(short_bytes(static_cast<std::uint64_t>(result.getResultSizeBytes())), Style::faint);
  }
  add_quote(line, quote(view_of(result.getResult()), options_.columns), Style::faint);
  put(std::move(line), id);
}

}  // namespace oisp
