@0xd398a423344c2a74;
# The one model of an event: what the collector makes, what the export channel and the event log
# carry, and what every exporter renders.
#
# This file is also the field table. The annotations say how a field looks in OISP JSON; the same
# table gives the JSON Schema and the event reference (ipc-schema/event-json, ipc-schema/event-docs).
# A new field is one line here.
#
# Rules of the JSON form:
#  * the key is the field's name in snake_case, unless $json names another;
#  * keys are written in the order of this file;
#  * absent is absent: a null pointer, an empty list, a struct with nothing in it, an enum's first
#    member `unset`, and a number that equals its default here are not written (so a number whose zero
#    means something has the default -1); $always writes it whatever it is;
#  * Text marked $raw holds one JSON value, as the provider sent it, and is written without change:
#    so no number is rounded and no word is altered (what is not JSON is written as a string);
#  * an enum's member is its name in snake_case, or the JSON that $json gives;
#  * a UInt64 marked $timestamp is nanoseconds since 1970, written as RFC 3339 in UTC.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("oisp::schema");

annotation json @0xd0b5b1c7a1b2c301 (field, enumerant) :Text;
annotation raw @0xd0b5b1c7a1b2c302 (field) :Void;
annotation timestamp @0xd0b5b1c7a1b2c303 (field) :Void;
annotation always @0xd0b5b1c7a1b2c304 (field) :Void;
annotation eventType @0xd0b5b1c7a1b2c305 (field) :Text;
annotation doc @0xd0b5b1c7a1b2c306 (field, struct, enum) :Text;

struct Event $doc("One event. Every event has this envelope; `data` depends on `event_type`.") {
  oispVersion @0 :Text $doc("Version of the OISP envelope: \"0.1\".");
  eventId @1 :Text $doc("ULID; the same event always has the same id, so delivery twice is harmless.");
  # event_type is written here, from the member of `data` that is set.
  ts @2 :UInt64 $timestamp $doc("When it happened, from kernel time.");
  tsMono @3 :UInt64 $doc("The same moment in nanoseconds of CLOCK_BOOTTIME.");
  host @4 :Host;
  actor @5 :Actor;
  process @6 :Process;
  app @7 :App;
  source @8 :Source;
  confidence @9 :Confidence;
  ext @10 :Extensions;
  relatedEvents @11 :List(RelatedEvent);
  data :union {
    unset @12 :Void;
    aiRequest @13 :AiRequest $eventType("ai.request");
    aiResponse @14 :AiResponse $eventType("ai.response");
    toolCall @15 :ToolCall $eventType("agent.tool_call");
    toolResult @16 :ToolResult $eventType("agent.tool_result");
    processExec @17 :ProcessExec $eventType("process.exec");
    processExit @18 :ProcessExit $eventType("process.exit");
    processFork @19 :ProcessFork $eventType("process.fork");
    networkConnect @20 :NetworkConnect $eventType("network.connect");
    tlsHandshake @21 :TlsHandshake $eventType("tls.handshake");
    sensorStart @22 :SensorStart $eventType("sensor.start");
    sensorStop @23 :SensorStop $eventType("sensor.stop");
    sensorCoverage @24 :SensorCoverage $eventType("sensor.coverage");
    sensorLoss @25 :SensorLoss $eventType("sensor.loss");
    aiEmbedding @26 :AiEmbedding $eventType("ai.embedding");
    networkFlow @27 :NetworkFlow $eventType("network.flow");
  }
}

struct Host $doc("The machine.") {
  hostname @0 :Text;
  deviceId @1 :Text $doc("Content of /etc/machine-id.");
  os @2 :Text;
  osVersion @3 :Text;
  arch @4 :Text;
  kernelVersion @5 :Text;
}

struct Actor $doc("The user the process runs as.") {
  uid @0 :Int64 = -1;
  user @1 :Text;
  gid @2 :Int64 = -1;
}

struct Process $doc("The process that did it. Identity is (boot, pid, start time, exec count): see ext.oisp_sensor.") {
  pid @0 :UInt32 $always;
  ppid @1 :Int64 = -1;
  exe @2 :Text;
  name @3 :Text $doc("The kernel's comm.");
  cmdline @4 :Text;
  cwd @5 :Text;
  tid @6 :Int64 = -1;
}

struct App $doc("The application that the process looks like, by its program, package and arguments; any program may take another's name.") {
  appId @0 :Text $doc("Its word in the catalogue (data/apps.cc): claude-code, codex, cursor, ollama, …");
  name @1 :Text;
  vendor @2 :Text;
  version @3 :Text;
  category @4 :Text $doc("cli, dev_tools, chat or server.");
  tier @5 :Text $doc("identified, where the catalogue has it; else unknown.");
  isAiApp @6 :Tri $doc("Made for models: an agent, a chat, a server of models.");
  isAiHost @7 :Tri $doc("Made for something else, with models inside or in its extensions.");
}

struct Source $doc("How it was seen.") {
  collector @0 :Text;
  collectorVersion @1 :Text;
  captureMethod @2 :Text;
  capturePoint @3 :Text;
}

struct Confidence $doc("How sure it is, and how whole.") {
  level @0 :Text $doc("low, medium or high; medium where a request's path was not seen and its body had to say what it is.");
  completeness @1 :Text $doc("metadata_only, partial or full.");
  reasons @2 :List(Text);
  contentSource @3 :Text;
  aiDetectionMethod @4 :Text $doc("known_endpoint (by host) or payload_inspection (by shape of path and body).");
}

struct Extensions $doc("What is not OISP's own, by vendor.") {
  oispSensor @0 :SensorExtension $json("oisp_sensor");
}

struct SensorExtension $doc("What this sensor adds to the OISP envelope.") {
  sequence @0 :UInt64 $always $doc("Number of the event in this run; rises by one.");
  bootId @1 :Text;
  processStart @2 :UInt64 $timestamp $doc("Start time of the process.");
  execCount @3 :Int64 = -1 $doc("Changes with every exec of the process.");
  cgroupId @4 :UInt64;
  mountNamespace @5 :UInt32;
  stream @6 :Text $doc("Name of the stream (process, TLS session or socket), the same for all its events.");
  exchange @7 :UInt32 $doc("Number of the request on its stream, from 1.");
  http @8 :HttpExchange;
  connection @9 :Connection;
  incomplete @10 :List(Text) $doc("What is missing, and why: joined_late, stream_ended, cut, lost, body_too_large, unseen_call, collector_restarted.");
  secrets @11 :List(SecretCount) $doc("Kinds of secrets that were replaced by markers in this event.");
  role @12 :Text $doc("client or server: which side of the exchange the process is. Where both sides are watched, both are told of, each with its own process, stream and ids.");
}

struct SecretCount $doc("One kind of secret.") {
  type @0 :Text;
  count @1 :UInt32 $always;
}

struct HttpExchange $doc("The HTTP message that the event was decoded from.") {
  method @0 :Text;
  scheme @1 :Text;
  host @2 :Text;
  path @3 :Text $doc("With the query; secrets in it are markers.");
  version @4 :Text;
  statusCode @5 :Int32 = -1;
  contentType @6 :Text;
  bodyBytes @7 :Int64 = -1 $doc("Size of the body as sent, after transfer coding and before decompression.");
  decodedBytes @8 :Int64 = -1 $doc("Size of the body after decompression.");
  contentEncoding @9 :Text;
  userAgent @10 :Text;
  body @11 :Text $doc("The decoded body as text, only where bodies were asked for (record --bodies).");
  bodyBase64 @12 :Text $doc("The same where it is not UTF-8.");
}

struct Endpoint $doc("One end of a connection.") {
  ip @0 :Text;
  port @1 :Int32 = -1;
  domain @2 :Text;
}

struct Connection $doc("The connection behind a stream.") {
  local @0 :Endpoint;
  remote @1 :Endpoint;
  confidence @2 :Text $doc("socket (seen in the same call), sni, or process (the only candidate of the process).");
}

struct RelatedEvent $doc("Another event that this one belongs to.") {
  eventId @0 :Text;
  relationship @1 :Text $doc("parent, child, caused_by, causes or related.");
}

struct Provider $doc("Whose model it is.") {
  name @0 :Text $doc("openai, anthropic, …; `unknown` where only the shape of the exchange was recognised.");
  endpoint @1 :Text $doc("SCHEME://HOST/PATH without the query; what of it was not seen is missing.");
}

struct Model $doc("The model, as the program named it.") {
  id @0 :Text;
  family @1 :Text;
}

enum Tri { unset @0; no @1 $json("false"); yes @2 $json("true"); }
# Written as a JSON boolean.

struct AiRequest $doc("A request to a model.") {
  requestId @0 :Text $doc("Links to the ai.response, or to the ai.embedding where request_type is embedding.");
  provider @1 :Provider;
  model @2 :Model;
  requestType @3 :Text $doc("chat, completion, embedding, image, audio, moderation or other.");
  dialect @4 :Text $doc("openai.chat_completions, openai.responses, openai.responses.compact, openai.responses.input_tokens, openai.embeddings, anthropic.messages, anthropic.count_tokens, ollama.chat, ollama.generate or ollama.embed.");
  streaming @5 :Tri;
  messages @6 :List(Message);
  messagesCount @7 :Int32 = -1;
  hasSystemPrompt @8 :Tri;
  system @9 :Text $doc("The system prompt where it is not one of the messages (Anthropic; the instructions of OpenAI Responses).");
  tools @10 :List(Tool);
  toolsCount @11 :Int32 = -1;
  toolChoice @12 :Text $raw;
  parameters @13 :Parameters;
  hasImages @14 :Tri;
  imageCount @15 :Int32 = -1;
  input @16 :List(Text) $doc("The texts of an embedding.");
  inputCount @17 :Int32 = -1 $doc("How many embeddings are asked for.");
  inputBytes @18 :Int64 = -1 $doc("Of the texts together; absent where tokens are sent.");
  previousResponseId @19 :Text $doc("The answer that the conversation goes on from: what was said before stays with the provider.");
  conversationId @20 :Text $doc("The conversation that the provider keeps.");
}

struct Parameters $doc("As the program sent them; under the name that most use (max_output_tokens and num_predict are max_tokens).") {
  temperature @0 :Text $raw;
  topP @1 :Text $raw;
  topK @2 :Text $raw;
  maxTokens @3 :Text $raw;
  maxCompletionTokens @4 :Text $raw;
  frequencyPenalty @5 :Text $raw;
  presencePenalty @6 :Text $raw;
  stop @7 :Text $raw;
  seed @8 :Text $raw;
  n @9 :Text $raw;
  thinking @10 :Text $raw;
  reasoningEffort @11 :Text $raw;
  responseFormat @12 :Text $raw;
  reasoning @13 :Text $raw;
  parallelToolCalls @14 :Text $raw;
  store @15 :Text $raw $doc("Whether the provider keeps the answer.");
  numCtx @16 :Text $raw;
  dimensions @17 :Text $raw;
  encodingFormat @18 :Text $raw;
}

struct Message $doc("One message of a conversation.") {
  role @0 :Text;
  content @1 :Text $doc("The text; of a message of several parts, its text parts joined by a line feed.");
  contentLength @2 :Int64 = -1;
  parts @3 :List(ContentPart) $doc("Where the message has parts.");
  toolCallId @4 :Text;
  name @5 :Text;
  toolCalls @6 :List(ToolCallItem);
  refusal @7 :Text;
}

struct ContentPart $doc("One part of a message: text, image, tool use, tool result, …") {
  type @0 :Text;
  text @1 :Text;
  mediaType @2 :Text;
  sizeBytes @3 :Int64 = -1 $doc("Of data that is not text, as encoded.");
  url @4 :Text;
  toolCallId @5 :Text;
  name @6 :Text;
  arguments @7 :Text $raw;
  isError @8 :Tri;
}

struct Tool $doc("A tool that the model may call.") {
  name @0 :Text;
  type @1 :Text;
  description @2 :Text;
}

struct ToolCallItem $doc("One call of a tool.") {
  id @0 :Text;
  name @1 :Text;
  type @2 :Text;
  arguments @3 :Text $raw $doc("A JSON string (OpenAI) or object (Anthropic), as sent.");
  server @4 :Text $doc("The MCP server, where the provider calls one.");
}

struct AiResponse $doc("The answer. Each ai.request has exactly one, also on errors and broken streams (an embedding: ai.embedding).") {
  requestId @0 :Text;
  providerRequestId @1 :Text $doc("The id in the body.");
  provider @2 :Provider;
  model @3 :Model;
  statusCode @4 :Int32 = -1;
  success @5 :Tri;
  error @6 :AiError;
  choices @7 :List(Choice);
  toolCalls @8 :List(ToolCallItem);
  toolCallsCount @9 :Int32 = -1;
  usage @10 :Usage;
  latencyMs @11 :Int64 = -1 $doc("From the request's first byte to the answer's last.");
  timeToFirstTokenMs @12 :Int64 = -1 $doc("To the first delta of a streamed answer.");
  finishReason @13 :Text $doc("stop, length, tool_calls, content_filter, error or other.");
  finishReasonRaw @14 :Text $doc("The provider's own word.");
  thinking @15 :Thinking;
  streaming @16 :Tri;
  chunkCount @17 :Int64 = -1 $doc("Events (server-sent, or lines of JSON) in a streamed answer.");
  serviceTier @18 :Text;
  durations @19 :Durations;
}

struct AiEmbedding $doc("The answer to an ai.request of type embedding: how much was embedded, not the numbers.") {
  requestId @0 :Text;
  provider @1 :Provider;
  model @2 :Model;
  statusCode @3 :Int32 = -1;
  success @4 :Tri;
  error @5 :AiError;
  inputCount @6 :Int32 = -1 $doc("As asked for.");
  inputBytes @7 :Int64 = -1 $doc("Of the texts together; absent where tokens were sent.");
  embeddingCount @8 :Int32 = -1 $doc("As answered.");
  dimensions @9 :Int32 = -1 $doc("Of the first embedding.");
  totalTokens @10 :Text $raw;
  usage @11 :Usage;
  latencyMs @12 :Int64 = -1 $doc("From the request's first byte to the answer's last.");
  durations @13 :Durations;
}

struct Durations $doc("Nanoseconds, as the server measured them (Ollama).") {
  total @0 :Text $raw;
  load @1 :Text $raw;
  promptEval @2 :Text $raw;
  eval @3 :Text $raw;
}

struct AiError $doc("What the provider said went wrong.") {
  type @0 :Text;
  message @1 :Text;
  code @2 :Text $raw;
}

struct Choice $doc("One answer of possibly several.") {
  index @0 :Int32 $always;
  message @1 :Message;
  finishReason @2 :Text $doc("The provider's own word.");
}

struct Usage $doc("Numbers as the provider sent them; what it did not send is absent.") {
  promptTokens @0 :Text $raw;
  completionTokens @1 :Text $raw;
  totalTokens @2 :Text $raw;
  cachedTokens @3 :Text $raw;
  cacheCreationTokens @4 :Text $raw;
  reasoningTokens @5 :Text $raw;
  cacheCreation @6 :Text $raw $doc("cache_creation_tokens, by how long they are kept.");
  serverToolUse @7 :Text $raw $doc("How often the provider used its own tools.");
}

struct Thinking $doc("The model's reasoning, where the provider sends it.") {
  content @0 :Text;
  contentLength @1 :Int64 = -1;
}

struct AgentInfo $doc("The agent.") {
  name @0 :Text;
}

struct ToolName $doc("The tool.") {
  name @0 :Text;
  type @1 :Text $doc("The provider's word for the kind of call.");
  server @2 :Text $doc("The MCP server, where the provider calls one.");
}

struct ToolCall $doc("The model asked for a tool.") {
  requestId @0 :Text;
  tool @1 :ToolName;
  callId @2 :Text;
  triggeredBy @3 :Text;
  arguments @4 :Text $raw;
}

struct ToolResult $doc("A program sent a tool's result back to the model.") {
  requestId @0 :Text;
  tool @1 :ToolName;
  callId @2 :Text;
  success @3 :Tri;
  result @4 :Text;
  resultSizeBytes @5 :Int64 = -1;
}

struct ProcessExec $doc("A watched process started a program.") {
  exe @0 :Text;
  args @1 :List(Text);
  argsTruncated @2 :Tri;
  cwd @3 :Text;
}

struct ProcessExit $doc("A watched process ended.") {
  exitCode @0 :Int32 = -1;
  signal @1 :Int32 = -1;
  signalName @2 :Text;
  runtimeMs @3 :Int64 = -1;
  terminationType @4 :Text $doc("normal, signaled or coredump.");
}

struct ProcessFork $doc("A watched process made another, which is watched from then on.") {
  childPid @0 :UInt32 $always;
}

struct NetworkConnect $doc("A watched process tried to connect.") {
  dest @0 :Endpoint;
  src @1 :Endpoint;
  protocol @2 :Text;
  success @3 :Tri;
  error @4 :Text;
  latencyMs @5 :Text $raw;
  tls @6 :TlsInfo;
}

struct NetworkFlow $doc("A connection of a watched process was closed: what it moved.") {
  dest @0 :Endpoint;
  src @1 :Endpoint;
  protocol @2 :Text;
  bytesSent @3 :Int64 = -1 $doc("By TCP: with the handshake of TLS and all that it adds.");
  bytesReceived @4 :Int64 = -1;
  durationMs @5 :Int64 = -1;
  tls @6 :TlsInfo;
}

struct TlsInfo $doc("What is known of TLS on the connection.") {
  sni @0 :Text;
  plaintextSent @1 :Int64 = -1 $doc("Bytes of plaintext that were read of it; absent where no stream is known to have run on it.");
  plaintextReceived @2 :Int64 = -1;
}

struct TlsHandshake $doc("A TLS handshake of a watched process ended, well or not.") {
  sni @0 :Text;
  success @1 :Tri;
  durationMs @2 :Text $raw;
  library @3 :Text $doc("Family, and the file it was found in.");
  role @4 :Text $doc("client or server.");
}

struct SensorStart $doc("The recording began: what is watched, and how.") {
  scope @0 :Text $doc("What is watched, in words.");
  command @1 :List(Text);
  pid @2 :Int64 = -1;
  uprobes @3 :Text $doc("uprobe_multi or perf.");
  content @4 :Text $doc("What is kept of content, in words.");
  missingHooks @5 :List(Text) $doc("Places in the kernel that it lacks and that can be done without; `oisp-sensor check` says what each costs.");
}

struct SensorStop $doc("The recording ended: why, and how the command ended.") {
  reason @0 :Text $doc("command_ended, interrupted, failed, …");
  durationMs @1 :Int64 = -1;
  commandExitCode @2 :Int32 = -1;
  commandSignal @3 :Int32 = -1;
}

struct SensorCoverage $doc("What was seen and what was not, with reasons. Sent at the end, and whenever a new blind spot shows.") {
  processes @0 :UInt64 $always;
  connections @1 :UInt64 $always $doc("TCP connections that watched processes made.");
  tlsConnections @2 :UInt64 $always;
  tlsConnectionsRead @3 :UInt64 $always $doc("Of those, how many were read as plaintext.");
  streams @4 :UInt64 $always;
  plaintextBytes @5 :UInt64 $always;
  httpExchanges @6 :UInt64 $always;
  aiExchanges @7 :UInt64 $always;
  files @8 :List(ProbedFile);
  blindSpots @9 :List(BlindSpot);
  final @10 :Tri;
  measuredConnections @11 :UInt64 $always $doc("TLS connections that were seen from their beginning to their end. Of the others it is not known what they moved.");
  measuredPlaintextBytes @12 :UInt64 $always $doc("What was read of these as plaintext, and …");
  measuredWireBytes @13 :UInt64 $always $doc("… what their sockets moved: a few thousand bytes more for each handshake, and some 20 for each record.");
  plainConnections @14 :UInt64 $doc("Connections of model servers, or to them, that were read without TLS.");
}

struct ProbedFile $doc("A file in which TLS functions were looked for and found, or refused.") {
  path @0 :Text;
  outcome @1 :Text $doc("probed, refused or failed. Files with no TLS library in them are only counted.");
  family @2 :Text;
  reason @3 :Text;
  sites @4 :UInt32;
  trust @5 :Text $doc("Of a probed one: unproven, until a stream has behaved, then trusted; distrusted (why: reason) where its first streams did not, and nothing of it is read any more.");
}

struct BlindSpot $doc("Something that a watched process did and that could not be read.") {
  process @0 :Process;
  remote @1 :Endpoint;
  reason @2 :Text $doc("A word: no_tls_library, probe_refused, joined_late, not_attributed, not_http, distrusted, unseen_call (it passed in sendfile, splice, sendmmsg or io_uring), plain_http (this kernel cannot show it).");
  detail @3 :Text $doc("A sentence with what to do.");
  count @4 :UInt64 $always;
}

struct SensorLoss $doc("What was lost or cut since the last such event; at the end, in all.") {
  lost @0 :UInt64 $always $doc("Records, and finished events that a sink did not get.");
  lostBytes @1 :UInt64 $always $doc("Plaintext bytes known to be in them.");
  cut @2 :UInt64 $always $doc("Calls that carried more than max_capture.");
  cutBytes @3 :UInt64 $always;
  causes @4 :List(LossCause);
  unexplained @5 :UInt64 $always;
  final @6 :Tri;
}

struct LossCause $doc("One cause of loss.") {
  family @0 :Text;
  place @1 :Text $doc("ring, memory, streams, fan_out, …");
  cause @2 :Text;
  count @3 :UInt64 $always;
  bytes @4 :UInt64 $always;
}
