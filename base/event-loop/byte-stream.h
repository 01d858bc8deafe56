// A connected stream socket on the loop: reads into its listener's own buffer, and writes what it is
// given, in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>

#include "base/event-loop/loop.h"
#include "base/event-loop/poll-fd.h"
#include "base/owned-fd.h"

namespace oisp {

// Bytes to be written, at an address that suits every integer.
struct Chunk {
  std::unique_ptr<std::uint64_t[]> words;
  std::size_t bytes = 0;

  static Chunk make(std::size_t bytes);
  [[nodiscard]] std::span<std::byte> span() const { return {reinterpret_cast<std::byte*>(words.get()), bytes}; }
};

class ByteStream {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // Where to read to; must not be empty.
    virtual std::span<std::byte> read_space() = 0;
    // `bytes` have been read. False: the stream is no longer wanted, and may have been destroyed.
    virtual bool on_bytes(std::size_t bytes) = 0;
    // The peer is gone. The last call; the stream may be destroyed in it.
    virtual void on_end() = 0;
    // All that was given to write() has been written.
    virtual void on_written() {}
  };

  static Result<std::unique_ptr<ByteStream>> make(Loop& loop, OwnedFd fd, Listener& listener);
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  // A stream that does not read leaves the bytes, and the news that the peer is gone, with the kernel.
  void set_reading(bool reading);
  // Takes the chunk and writes it as soon as the socket lets it. After the peer has gone it is dropped.
  void write(Chunk chunk);
  [[nodiscard]] std::size_t unwritten_bytes() const { return unwritten_bytes_; }

 private:
  explicit ByteStream(Listener& listener) : listener_(listener) {}
  void on_ready(bool readable, bool writable);
  void read_some();
  void write_some();
  void wait();

  Listener& listener_;
  bool reading_ = true;
  bool broken_ = false;  // a write failed: the peer is gone, and reading will say so
  std::deque<Chunk> outgoing_;
  std::size_t first_offset_ = 0;  // of the first chunk, written already
  std::size_t unwritten_bytes_ = 0;
  std::unique_ptr<PollFd> poll_;
};

}  // namespace oisp
