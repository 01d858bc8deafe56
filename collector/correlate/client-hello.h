// The first bytes that a watched process sent on a socket, where they look like a TLS ClientHello
// (RFC 8446, section 4.1.2; RFC 6066, section 3; RFC 7301). The process wrote them: they say what it likes.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"

namespace oisp {

struct ClientHello {
  std::string server_name;  // empty: none was asked for, or it lies beyond the bytes at hand
  bool offers_http2 = false;
};

enum class ClientHelloError { not_tls };

// The bytes may end anywhere: what is cut is not an error.
Result<ClientHello, ClientHelloError> decode_client_hello(std::span<const std::uint8_t> bytes);

}  // namespace oisp
