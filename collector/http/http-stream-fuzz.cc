// Any bytes in any pieces, directions and gaps. The first byte holds flags; then each piece is led by one
// byte: the top bit its direction, the next whether it is a gap, the next whether a new call begins, and
// the rest its length / 2 (31: all that is left).
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "base/bug.h"
#include "collector/http/http-connection.h"

namespace oisp {
namespace {

// Checks the order of what is told of each exchange.
class Checker : public ExchangeListener {
 public:
  void on_request(const Exchange& exchange) override {
    Seen& seen = seen_[exchange.number];
    OISP_BUG_IF(!exchange.request.has_head || seen.request || seen.response);
    seen.request = true;
  }
  void on_response_head(const Exchange& exchange) override {
    Seen& seen = seen_[exchange.number];
    OISP_BUG_IF(seen.response || seen.request != exchange.request.has_head);
    seen.response = true;
  }
  void on_response_body(const Exchange& exchange, std::string_view) override {
    OISP_BUG_IF(!seen_[exchange.number].response);
  }
  void on_response_gap(const Exchange& exchange) override { OISP_BUG_IF(!seen_[exchange.number].response); }
  void on_finished(const Exchange& exchange) override {
    const Seen seen = seen_[exchange.number];
    seen_.erase(exchange.number);
    OISP_BUG_IF(seen.request != exchange.request.has_head || seen.response != exchange.response.has_head);
    OISP_BUG_IF(!exchange.response.whole && exchange.response.missing.empty());
    OISP_BUG_IF(exchange.request.body.bytes.size() > 4096 || exchange.response.body.bytes.size() > 4096);
    ++finished_;
  }
  void on_protocol(Protocol) override {}
  [[nodiscard]] std::uint32_t finished() const { return finished_; }

 private:
  struct Seen {
    bool request = false;
    bool response = false;
  };
  std::map<std::uint32_t, Seen> seen_;
  std::uint32_t finished_ = 0;
};

}  // namespace
}  // namespace oisp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oisp;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.empty()) {
    return 0;
  }
  HttpLimits limits;
  limits.max_body = 4096;
  limits.max_kept = 16384;
  limits.max_head = 2048;
  limits.max_open = 8;
  limits.max_streams = 8;
  limits.max_inflated = std::uint64_t{1} << 20;
  Checker checker;
  HttpConnection connection(checker, limits);
  const auto flags = static_cast<unsigned char>(bytes.front());
  bytes.remove_prefix(1);
  if ((flags & 1) != 0) {
    connection.on_gap(Direction::write, 0, Missing::joined_late);
    connection.on_gap(Direction::read, 0, Missing::joined_late);
  }
  std::uint64_t clock = 1;
  while (!bytes.empty()) {
    const auto lead = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    const Direction direction = (lead & 0x80) != 0 ? Direction::read : Direction::write;
    clock += (lead & 0x20) != 0 ? 1 : 0;
    const std::size_t length = (lead & 0x1f) == 0x1f ? bytes.size() : std::size_t{lead & 0x1fu} * 2;
    const std::string_view piece = bytes.substr(0, length);
    if ((lead & 0x40) != 0) {
      connection.on_gap(direction, piece.size(), Missing::lost);
    } else {
      connection.on_bytes(direction, piece, {.entry_ns = clock, .return_ns = clock});
    }
    bytes.remove_prefix(piece.size());
    OISP_BUG_IF(connection.held_bytes() > 200'000);
  }
  connection.on_end(static_cast<EndCause>(flags >> 1 & 3));
  OISP_BUG_IF(checker.finished() != connection.exchanges());
  return 0;
}
