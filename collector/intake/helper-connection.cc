#include "collector/intake/helper-connection.h"

#include <capnp/message.h>

#include <utility>

#include "base/log.h"
#include "collector/frame.h"
#include "collector/limits.h"
#include "probe.capnp.h"

namespace oisp {

Result<std::unique_ptr<HelperConnection>> HelperConnection::make(Loop& loop, OwnedFd fd, Receiver& receiver) {
  auto connection = std::unique_ptr<HelperConnection>(new HelperConnection(receiver));  // the constructor is private
  auto stream = ByteStream::make(loop, std::move(fd), *connection);
  if (!stream) return stream.error();
  connection->stream_ = std::move(*stream);
  connection->stream_->set_reading(false);
  return connection;
}

HelperConnection::HelperConnection(Receiver& receiver)
    : receiver_(receiver), frames_(limits::kMostProbeFrame, limits::kProbeBuffer) {}

void HelperConnection::start() {
  grant(limits::kInitialCredit);
  stream_->set_reading(true);
}

void HelperConnection::ask_counters() {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::ToHelper>().setAskCounters();
  stream_->write(frame_of(message));
}

void HelperConnection::release_file(const oisp_file_key& file) {
  capnp::MallocMessageBuilder message;
  auto release = message.initRoot<schema::ToHelper>().initReleaseFile();
  release.setDevice(file.device);
  release.setInode(file.inode);
  stream_->write(frame_of(message));
}

void HelperConnection::ignore_stream(std::uint32_t tgid, std::uint64_t session) {
  capnp::MallocMessageBuilder message;
  auto ignore = message.initRoot<schema::ToHelper>().initIgnoreStream();
  ignore.setTgid(tgid);
  ignore.setSession(session);
  stream_->write(frame_of(message));
}

void HelperConnection::grant(std::uint64_t bytes) {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::ToHelper>().setCredit(bytes);
  stream_->write(frame_of(message));
}

void HelperConnection::consumed(std::uint64_t bytes) {
  to_grant_ += bytes;
  if (to_grant_ >= limits::kCreditPortion) grant(std::exchange(to_grant_, 0));
}

bool HelperConnection::on_bytes(std::size_t bytes) {
  frames_.received(bytes);
  while (true) {
    const auto frame = frames_.next();
    if (frame.ok() && !frame.value()) break;
    if (!frame.ok() || !take_frame(*frame.value())) {
      log_warning("the probe helper sent a malformed message; its connection is closed");
      receiver_.on_helper_gone();
      return false;
    }
  }
  receiver_.on_idle();
  return true;
}

void HelperConnection::on_end() { receiver_.on_helper_gone(); }

bool HelperConnection::take_frame(std::span<const std::byte> frame) {
  const auto message = decode_probe_message(frame);
  if (!message) return false;
  if (const auto* hello = std::get_if<HelperHello>(&message.value())) {
    if (std::exchange(said_hello_, true)) return false;
    receiver_.on_hello(*hello);
    return true;
  }
  if (!said_hello_) return false;
  if (const auto* span = std::get_if<RecordSpan>(&message.value())) {
    receiver_.on_span(*span);
    consumed(span->bytes.size());
  } else if (const auto* report = std::get_if<FileReport>(&message.value())) {
    receiver_.on_file(*report);
  } else if (const auto* counters = std::get_if<HelperCounters>(&message.value())) {
    receiver_.on_counters(counters->sums);
  } else {
    receiver_.on_drained();
  }
  return true;
}

}  // namespace oisp
