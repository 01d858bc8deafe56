// The frames of one direction of an HTTP/2 connection (RFC 9113); goes on over gaps where that is safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "collector/http/limits.h"
#include "collector/http/missing.h"

namespace oisp {

class Http2FrameSink {
 public:
  virtual ~Http2FrameSink() = default;
  // A whole header block, CONTINUATION included. `promised`: it came by PUSH_PROMISE.
  virtual void on_header_block(std::uint32_t stream, std::string_view block, bool ends_stream, bool promised) = 0;
  // A piece of DATA without its padding.
  virtual void on_data(std::uint32_t stream, std::string_view piece) = 0;
  virtual void on_data_gap(std::uint32_t stream, std::uint64_t bytes, Missing cause) = 0;
  virtual void on_data_end(std::uint32_t stream) = 0;
  virtual void on_reset(std::uint32_t stream) = 0;
  // Streams above `last_stream` that this side did not begin itself were not served.
  virtual void on_goaway(std::uint32_t last_stream) = 0;
  virtual void on_table_size(std::uint32_t bytes) = 0;
  // A header block is missing or cannot be kept, or frames are: what they were is not known.
  virtual void on_frames_lost(Missing cause) = 0;
};

class Http2FrameReader {
 public:
  // Both references outlive it. Where `hunting`, the first bytes may lie inside a frame.
  Http2FrameReader(Http2FrameSink& sink, const HttpLimits& limits, bool hunting);

  // `call_begins`: the bytes are the first of a TLS call.
  void feed(std::string_view bytes, bool call_begins);
  void skip(std::uint64_t bytes, Missing cause);

  // When the first byte of the frame came that is being read, or of the header block.
  [[nodiscard]] std::uint64_t frame_first_ns() const { return frame_first_ns_; }
  void set_now(std::uint64_t now_ns) { now_ns_ = now_ns; }
  [[nodiscard]] std::size_t held_bytes() const { return block_.size() + small_.size(); }

 private:
  struct Head {
    std::uint32_t length = 0;
    std::uint8_t type = 0;
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;
  };

  void take_head(std::string_view& bytes);
  void begin_frame();
  void take_payload(std::string_view& bytes);
  void end_frame();
  void end_block();
  void end_settings();
  [[nodiscard]] bool fits_a_block() const;
  [[nodiscard]] std::uint32_t prefix_bytes() const;
  void lose(Missing cause);

  Http2FrameSink& sink_;
  const HttpLimits& limits_;
  bool hunting_;
  std::string small_;  // a head, a prefix or a small frame that is not whole
  Head head_;
  bool in_payload_ = false;
  bool prefixed_ = false;   // the fields before the payload proper were read
  std::uint32_t left_ = 0;  // of the payload, padding excluded
  std::uint32_t padding_ = 0;
  std::string block_;
  std::uint32_t block_stream_ = 0;  // 0: no block is open
  bool block_ends_stream_ = false;
  bool block_promised_ = false;
  bool at_start_ = true;  // the connection preface may come
  std::uint64_t frame_first_ns_ = 0;
  std::uint64_t now_ns_ = 0;
};

}  // namespace oisp
