// One stream of one process, a TLS session's or a socket's: puts the plaintext of its calls back in order, says what is
// missing, and feeds HTTP.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "collector/ai/ai-exchange.h"
#include "collector/correlate/connection-table.h"
#include "collector/correlate/file-trust.h"
#include "collector/correlate/process-table.h"
#include "collector/http/http-connection.h"
#include "collector/intake/record.h"

namespace oisp {

struct StreamKey {
  ProcessKey process;
  std::uint64_t session = 0;
  friend bool operator==(const StreamKey&, const StreamKey&) = default;
};
struct StreamKeyHash {
  std::size_t operator()(const StreamKey& key) const {
    return ProcessKeyHash{}(key.process) ^ static_cast<std::size_t>(key.session * 0xff51afd7ed558ccdULL);
  }
};

// A request to a model that is open on a stream.
struct OpenAiExchange {
  std::uint32_t number = 0;
  std::unique_ptr<AiExchange> ai;
  std::string request_id;
  std::string request_event;
  std::optional<std::size_t> slot;  // among the open requests
};

// What is known of a stream besides its bytes.
struct StreamFacts {
  // Of the URLs of what is asked on it.
  [[nodiscard]] std::string_view scheme() const { return is_tls ? "https" : "http"; }

  std::uint64_t number = 0;  // of this run, from 1
  StreamKey key;
  std::string name;         // the same for all its events
  std::string server_name;  // that the program asked for
  bool is_server = false;
  bool is_tls = true;  // else HTTP as it is, of a socket's own calls
  bool joined_late = false;
  bool seen_from_start = false;  // its making or its handshake was seen before any byte
  bool bytes_seen = false;
  std::uint64_t cookie = 0;  // of its connection; 0: not known
  LinkConfidence link = LinkConfidence::none;
  std::uint32_t tid = 0;                // that made the last call
  std::uint64_t plaintext[2] = {0, 0};  // bytes, by direction
  std::uint32_t file = 0;               // the number of that which it was first read at
  bool overrun = false;                 // a call moved more than it was asked to
  bool unreadable = false;              // a direction began where nothing could be read
  bool judged = false;                  // it has said what it says of its file
  bool ignored = false;                 // no more of it is wanted: its file is not believed, or it is no model traffic
  std::uint64_t unseen_bytes = 0;  // of a socket: passed in calls that are not looked into
  bool has_ai = false;             // a request to a model was on it
  // The handshake: first call's begin, and what has been told of it.
  std::uint64_t handshake_begin_ns = 0;
  bool handshake_open = false;  // tried, and neither done nor failed for good
  bool handshake_told = false;
  bool handshake_first = false;  // it was done before any byte
};

class Stream : private ExchangeListener {
 public:
  // Told of the exchanges of all streams.
  class Observer {
   public:
    virtual ~Observer() = default;
    virtual void on_request(Stream& stream, const Exchange& exchange) = 0;
    virtual void on_exchange_finished(Stream& stream, const Exchange& exchange) = 0;
    virtual void on_bytes_lost(std::uint64_t bytes) = 0;
    virtual void on_bytes_cut(std::uint64_t bytes) = 0;
  };

  Stream(StreamFacts facts, Observer& observer, const HttpLimits& http_limits);

  // The next call's plaintext, or a chunk of it. False: it cannot be of this stream, whose session was
  // freed unseen and has come back.
  bool on_data(const TlsDataView& view);
  // It ran before it was watched: what lies before its first bytes is not known.
  void mark_joined_late();
  void end(EndCause cause);

  [[nodiscard]] Protocol protocol() const { return http_.protocol(); }
  [[nodiscard]] std::uint32_t exchanges() const { return http_.exchanges(); }
  [[nodiscard]] std::size_t held_bytes() const;
  [[nodiscard]] StreamVerdict verdict() const;
  // What it shows of its file so far; `over`: no more will come. `late`: it may have begun unseen.
  [[nodiscard]] StreamEvidence evidence(bool late, bool over) const;

  OpenAiExchange& open_ai(std::uint32_t number, std::unique_ptr<AiExchange> ai);
  // Null where the exchange is no request to a model.
  [[nodiscard]] OpenAiExchange* find_ai(std::uint32_t number);
  void close_ai(std::uint32_t number);

  StreamFacts facts;

 private:
  void on_request(const Exchange& exchange) override { observer_.on_request(*this, exchange); }
  void on_response_head(const Exchange& exchange) override;
  void on_response_body(const Exchange& exchange, std::string_view piece) override;
  void on_response_gap(const Exchange& exchange) override;
  void on_finished(const Exchange& exchange) override;
  void on_protocol(Protocol) override {}  // asked for when the stream is judged

  void note_first(const TlsDataView& view);
  void skip(Direction direction, std::uint64_t bytes, Missing cause);

  Observer& observer_;
  std::uint64_t next_offset_[2] = {0, 0};  // by direction: where the next byte belongs
  FirstBytes first_[2];
  std::list<OpenAiExchange> ai_;  // few; addresses stay
  bool ended_ = false;
  HttpConnection http_;
};

}  // namespace oisp
