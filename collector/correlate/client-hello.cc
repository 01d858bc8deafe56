#include "collector/correlate/client-hello.h"

#include <algorithm>
#include <string_view>

namespace oisp {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint8_t kHandshakeRecord = 22;
constexpr std::uint8_t kClientHello = 1;
constexpr std::uint16_t kServerName = 0;
constexpr std::uint16_t kAlpn = 16;
constexpr std::size_t kMostName = 255;

// Takes fields from the front. Beyond the end it gives zeros and empty spans, and says so.
class Cursor {
 public:
  explicit Cursor(Bytes bytes) : rest_(bytes) {}

  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

  std::uint32_t number(std::size_t bytes) {
    std::uint32_t value = 0;
    for (const std::uint8_t byte : take(bytes)) value = value << 8 | byte;
    return value;
  }
  // What is there of the next `bytes`.
  Bytes take(std::size_t bytes) {
    if (bytes > rest_.size()) ended_ = true;
    const Bytes part = rest_.first(std::min(bytes, rest_.size()));
    rest_ = rest_.subspan(part.size());
    return part;
  }

 private:
  Bytes rest_;
  bool ended_ = false;
};

bool is_name(Bytes name) {
  return !name.empty() && name.size() <= kMostName &&
         std::ranges::all_of(name, [](std::uint8_t byte) { return byte > 0x20 && byte < 0x7f; });
}

void read_server_name(Bytes extension, ClientHello& hello) {
  Cursor list(extension);
  (void)list.number(2);
  while (!list.empty()) {
    const std::uint32_t type = list.number(1);
    const Bytes name = list.take(list.number(2));
    if (list.ended()) return;
    if (type == 0 && is_name(name)) {
      hello.server_name.assign(name.begin(), name.end());
      return;
    }
  }
}

void read_alpn(Bytes extension, ClientHello& hello) {
  Cursor list(extension);
  (void)list.number(2);
  while (!list.empty()) {
    const Bytes protocol = list.take(list.number(1));
    if (list.ended()) return;
    const std::string_view word(reinterpret_cast<const char*>(protocol.data()), protocol.size());
    if (word == "h2") hello.offers_http2 = true;
  }
}

}  // namespace

Result<ClientHello, ClientHelloError> decode_client_hello(Bytes bytes) {
  Cursor record(bytes);
  if (record.number(1) != kHandshakeRecord || record.number(2) >> 8 != 3) return ClientHelloError::not_tls;
  // A hello longer than one record is rare and begins with what is wanted here.
  Cursor message(record.take(record.number(2)));
  if (message.number(1) != kClientHello) return ClientHelloError::not_tls;
  Cursor body(message.take(message.number(3)));
  (void)body.take(2 + 32);          // legacy_version, random
  (void)body.take(body.number(1));  // legacy_session_id
  (void)body.take(body.number(2));  // cipher_suites
  (void)body.take(body.number(1));  // legacy_compression_methods
  ClientHello hello;
  if (body.ended() || body.empty()) return hello;  // cut, or without extensions
  Cursor extensions(body.take(body.number(2)));
  while (!extensions.empty()) {
    const auto type = static_cast<std::uint16_t>(extensions.number(2));
    const Bytes content = extensions.take(extensions.number(2));
    if (extensions.ended()) break;
    if (type == kServerName) read_server_name(content, hello);
    if (type == kAlpn) read_alpn(content, hello);
  }
  return hello;
}

}  // namespace oisp
