// The body of one message, from the wire to HttpBody: decompresses, counts, keeps what limits allow.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "collector/http/content-decoder.h"
#include "collector/http/exchange.h"
#include "collector/http/limits.h"

namespace oisp {

class BodyReader {
 public:
  // Is told of decoded pieces as they come.
  using PieceSink = ContentDecoder::PieceSink;

  // `kept_bytes`: what all bodies of the connection hold together, which this one adds to.
  BodyReader(HttpMessage& message, const HttpLimits& limits, std::size_t& kept_bytes);
  ~BodyReader();
  BodyReader(const BodyReader&) = delete;
  BodyReader& operator=(const BodyReader&) = delete;

  // The head is known: which coding is it?
  void begin();
  void add(std::string_view bytes, const PieceSink& sink);
  // `bytes` bytes are missing here; 0: nobody knows how many.
  void skip(std::uint64_t bytes, Missing cause);
  // The last byte was seen.
  void end();

 private:
  enum class Coding : std::uint8_t { identity, known, unknown };

  void keep(std::string_view bytes);
  void take_decoded(std::string_view piece, const PieceSink& sink);
  void stop_decoding(Missing cause);

  HttpMessage& message_;
  const HttpLimits& limits_;
  std::size_t& kept_bytes_;
  Coding coding_ = Coding::identity;
  std::unique_ptr<ContentDecoder> decoder_;  // of a known coding, until it fails
  bool keeping_ = true;                      // nothing is missing or cut so far
};

}  // namespace oisp
