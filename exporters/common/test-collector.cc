#include "exporters/common/test-collector.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <export.capnp.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/bug.h"
#include "ipc-schema/order.h"
#include "ipc-schema/stream-pair.h"

namespace oisp {
namespace {

std::string frame_of(capnp::MessageBuilder& message) {
  const auto words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  return {reinterpret_cast<const char*>(bytes.begin()), bytes.size()};
}

void send_one(int socket, OrderKind kind, int fd = -1, std::uint64_t value = 0, const std::string& name = "",
              const std::string& text = "") {
  Order order{.kind = kind, .value = value};
  order.set_name(name);
  order.set_text(text);
  const Status sent = send_order(socket, order, fd);
  OISP_BUG_IF(!sent.ok());
}

}  // namespace

TestCollector::TestCollector(const Exporter& exporter, int output, std::uint64_t flags, const Config& config) {
  auto orders = make_order_pair();
  auto link = make_stream_pair(0);
  OISP_BUG_IF(!orders.ok() || !link.ok());
  pid_ = ::fork();
  OISP_BUG_IF(pid_ < 0);
  if (pid_ == 0) {
    OISP_BUG_IF(::dup2(orders->b.get(), kOrdersFd) < 0);
    OISP_BUG_IF(::close_range(kOrdersFd + 1, ~0U, 0) != 0);
    ::_exit(run_exporter(exporter));
  }
  orders_ = std::move(orders->a);
  link_ = std::move(link->a);
  for (const auto& [key, value] : config) send_one(orders_.get(), OrderKind::config, -1, 0, key, value);
  send_one(orders_.get(), OrderKind::output, output, flags);
  send_one(orders_.get(), OrderKind::collector, link->b.get());
  send_one(orders_.get(), OrderKind::begin);
}

TestCollector::~TestCollector() {
  if (pid_ > 0) {
    (void)::kill(pid_, SIGKILL);
    (void)wait();
  }
}

void TestCollector::reconnect() {
  auto link = make_stream_pair(0);
  OISP_BUG_IF(!link.ok());
  link_ = std::move(link->a);
  send_one(orders_.get(), OrderKind::collector, link->b.get());
}

void TestCollector::send_bytes(const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t more = ::send(link_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (more <= 0) return;  // the exporter is gone: receive() says so
    sent += static_cast<std::size_t>(more);
  }
}

void TestCollector::send_hello() {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::ToExporter>().initHello().setSink("test");
  send_bytes(frame_of(message));
}

void TestCollector::send_batch(std::uint64_t first, std::size_t count,
                               const std::function<void(std::uint64_t, schema::Event::Builder)>& build,
                               bool acknowledge_now) {
  capnp::MallocMessageBuilder message;
  auto batch = message.initRoot<schema::ToExporter>().initBatch();
  batch.setFirstSequence(first);
  batch.setAcknowledgeNow(acknowledge_now);
  auto events = batch.initEvents(static_cast<unsigned>(count));
  for (unsigned i = 0; i < count; ++i) {
    capnp::MallocMessageBuilder one;
    auto event = one.initRoot<schema::Event>();
    build(first + i, event);
    if (!event.hasExt()) event.initExt().initOispSensor();
    event.getExt().getOispSensor().setSequence(first + i);
    const auto words = capnp::messageToFlatArray(one);
    events.set(i, words.asBytes());
  }
  send_bytes(frame_of(message));
}

void TestCollector::send_finish() {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::ToExporter>().setFinish();
  send_bytes(frame_of(message));
}

ExporterAnswer TestCollector::receive() {
  capnp::word words[512];
  auto* const bytes = reinterpret_cast<char*>(words);
  std::size_t filled = 0;
  std::size_t expected = 1;
  while (filled < expected * sizeof(capnp::word)) {
    const ssize_t got = ::recv(link_.get(), bytes + filled, expected * sizeof(capnp::word) - filled, 0);
    if (got <= 0) return {};
    filled += static_cast<std::size_t>(got);
    expected =
        capnp::expectedSizeInWordsFromPrefix(kj::ArrayPtr<const capnp::word>(words, filled / sizeof(capnp::word)));
    OISP_BUG_IF(expected > std::size(words));
  }
  capnp::FlatArrayMessageReader message(kj::ArrayPtr<const capnp::word>(words, expected));
  const auto root = message.getRoot<schema::FromExporter>();
  switch (root.which()) {
    case schema::FromExporter::UNSET:
      break;
    case schema::FromExporter::HELLO:
      return {.kind = ExporterAnswer::Kind::hello,
              .has_kept = root.getHello().getHasKept(),
              .sequence = root.getHello().getKept()};
    case schema::FromExporter::ACKNOWLEDGE:
      return {.kind = ExporterAnswer::Kind::acknowledge, .sequence = root.getAcknowledge()};
    case schema::FromExporter::FAILED:
      return {.kind = ExporterAnswer::Kind::failed,
              .sequence = root.getFailed().getAcknowledged(),
              .error = root.getFailed().getError(),
              .reason = root.getFailed().getReason().cStr()};
  }
  OISP_BUG_IF(true);
  return {};
}

int TestCollector::wait() {
  int status = 0;
  (void)::waitpid(pid_, &status, 0);
  pid_ = -1;
  return status;
}

}  // namespace oisp
