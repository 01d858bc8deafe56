// Any bytes in any pieces, directions and gaps. The first byte holds flags; then each piece is led by one
// byte: the top bit its direction, the next whether it is a gap, the next whether a new call begins, and
// the rest its length / 2 (31: all that is left).
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bug.h"
#include "collector/http/http-connection.h"

namespace oisp {
namespace {

// Checks the order of what is told.
class Checker : public ExchangeListener {
 public:
  void on_request(const Exchange& exchange) override {
    OISP_BUG_IF(!exchange.request.has_head || exchange.number <= requested_);
    requested_ = exchange.number;
  }
  void on_response_head(const Exchange& exchange) override {
    OISP_BUG_IF(exchange.number <= answered_ || (exchange.request.has_head && exchange.number > requested_));
    answered_ = exchange.number;
  }
  void on_response_body(const Exchange& exchange, std::string_view) override {
    OISP_BUG_IF(exchange.number != answered_);
  }
  void on_response_gap(const Exchange& exchange) override { OISP_BUG_IF(exchange.number != answered_); }
  void on_finished(const Exchange& exchange) override {
    OISP_BUG_IF(exchange.number != ++finished_);
    OISP_BUG_IF(!exchange.response.whole && exchange.response.missing.empty());
    OISP_BUG_IF(exchange.request.body.bytes.size() > 4096 || exchange.response.body.bytes.size() > 4096);
  }
  void on_protocol(Protocol) override {}
  [[nodiscard]] std::uint32_t finished() const { return finished_; }

 private:
  std::uint32_t requested_ = 0;
  std::uint32_t answered_ = 0;
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
