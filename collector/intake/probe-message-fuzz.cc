// Frames on the probe channel, from a helper that may have been taken over.
#include <algorithm>
#include <cstdint>

#include "collector/intake/frame-buffer.h"
#include "collector/intake/probe-message.h"
#include "collector/limits.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static oisp::FrameBuffer buffer(oisp::limits::kMostProbeFrame, oisp::limits::kProbeBuffer);
  oisp::FrameBuffer frames = std::move(buffer);  // not allocated again for every input
  std::size_t at = 0;
  bool open = true;
  while (open && at < size) {
    const auto space = frames.space();
    const std::size_t part = std::min(space.size(), size - at);
    std::copy_n(reinterpret_cast<const std::byte*>(data + at), part, space.begin());
    frames.received(part);
    at += part;
    while (true) {
      const auto frame = frames.next();
      if (!frame.ok()) open = false;
      if (!frame.ok() || !frame.value()) break;
      (void)oisp::decode_probe_message(*frame.value());
    }
  }
  frames.clear();
  buffer = std::move(frames);
  return 0;
}
