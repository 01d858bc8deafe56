// A Cap'n Proto message as one run of bytes: segment table and segments, as it goes over a stream.
#pragma once

#include <capnp/message.h>

#include "base/event-loop/byte-stream.h"

namespace oisp {

Chunk frame_of(capnp::MessageBuilder& message);

}  // namespace oisp
