// What the first bytes of a stream look like, in one direction: a protocol, or memory that was taken for
// plaintext and is none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace oisp {

enum class Look {
  open,        // too little of it to say
  request,     // an HTTP method, or HTTP/2's preface
  response,    // HTTP/1, or a SETTINGS frame
  tls_record,  // RFC 8446, 5.1: what should have been decrypted
  random,      // as good as encrypted
  other        // another protocol
};

class FirstBytes {
 public:
  void add(std::string_view bytes);
  // `over`: no more will come.
  [[nodiscard]] Look look(bool over) const;

 private:
  std::string bytes_;
  Look look_ = Look::open;
};

}  // namespace oisp
