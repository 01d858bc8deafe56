#include "collector/session.h"
#include "ipc-schema/sink.h"

#include <ctime>
#include <utility>

#include "base/log.h"
#include "collector/limits.h"

namespace oisp {
namespace {

// What was lost, and what has become a blind spot, is told this often at most.
constexpr std::uint64_t kIntervalMs = 1000;

std::uint64_t now_boot_ns() {
  timespec now{};
  (void)::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

Session::Session(Loop& loop, const HostFacts& host, Redactor& redactor)
    : loop_(loop),
      factory_(host, redactor, *this),
      fanout_(loop, *this, limits::kMostQueuedBytes),
      interval_(loop,
                [this] {
                  take_sink_losses();
                  pipeline_->on_interval(now_boot_ns());
                  if (helper_) {
                    if (pipeline_->wants_counters()) helper_->ask_counters();
                    for (const oisp_file_key& file : pipeline_->take_unused_files(now_boot_ns())) {
                      helper_->release_file(file);
                    }
                  }
                  fanout_.pump();
                }),
      patience_(loop, [this] { end_of_run(); }) {}

Session::~Session() = default;

Status Session::listen(OwnedFd orders) {
  auto poll = PollFd::make(loop_, std::move(orders), [this](bool, bool) { on_orders(); });
  if (!poll) return poll.error();
  orders_ = std::move(*poll);
  orders_->wait_for(true, false);
  return Done{};
}

void Session::on_orders() {
  while (true) {
    auto received = receive_order(orders_->fd());
    if (!received.ok() && received.error().error == EAGAIN) return;
    if (!received.ok()) log_error("%s", received.error().text().c_str());
    if (!received.ok() || !*received) return loop_.stop();  // the supervisor has gone: the run is over
    take(std::move(**received));
    if (done_) return;
  }
}

void Session::take(ReceivedOrder received) {
  const Order& order = received.order;
  switch (order.kind) {
    case OrderKind::config:
      if (!pipeline_) settings_.take(order.name_view(), order.text_view());
      return;
    case OrderKind::sink:
      return fanout_.add_connection(order.name_view(), static_cast<SinkKind>(order.detail),
                                    (order.value & kSinkAfterFile) != 0, std::move(received.fd));
    case OrderKind::adopt:
      if (const auto opened = open_requests_.open(std::move(received.fd)); !opened) {
        log_error("what is open will not be known to another collector: %s", opened.error().text().c_str());
      }
      return;
    case OrderKind::helper:
      return add_helper(std::move(received.fd));
    case OrderKind::begin:
      return begin();
    case OrderKind::finish:
      if (finish_) return;
      finish_ = RunEnd{.interrupted = order.detail != 0, .wait_status = {}};
      if (!settings_.command.empty()) finish_->wait_status = static_cast<int>(order.value);
      if (drained_) return end_of_run();
      return patience_.start(limits::kDrainPatienceMs);
    default:
      log_warning("an order of kind %u is not for the collector", static_cast<unsigned>(order.kind));
  }
}

void Session::begin() {
  if (pipeline_) return;
  pipeline_.emplace(settings_, factory_, open_requests_);
  fanout_.expect_no_more_sinks();
}

void Session::add_helper(OwnedFd fd) {
  auto connection = HelperConnection::make(loop_, std::move(fd), *this);
  if (!connection) return log_error("helper: %s", connection.error().text().c_str());
  next_helpers_.push_back(std::move(*connection));
  start_next_helper();
}

// Records wait in the ring until there is somewhere to bring the events.
void Session::start_next_helper() {
  if (!sinks_ready_ || helper_ || next_helpers_.empty()) return;
  helper_ = std::move(next_helpers_.front());
  next_helpers_.pop_front();
  helper_->start();
}

void Session::on_sinks_ready() {
  sinks_ready_ = true;
  interval_.start(kIntervalMs, kIntervalMs);
  start_next_helper();
  say(OrderKind::ready);
}

void Session::on_hello(const HelperHello& hello) { pipeline_->on_hello(hello, now_boot_ns()); }

void Session::on_drained() {
  drained_ = true;
  if (finish_) end_of_run();
}

// What is read in vain, the helper is asked to leave at once.
void Session::on_idle() {
  for (const oisp_file_key& file : pipeline_->take_distrusted_files()) helper_->release_file(file);
  for (const StreamKey& stream : pipeline_->take_ignored_streams()) {
    helper_->ignore_stream(stream.process.tgid, stream.session);
  }
  fanout_.pump();
}

void Session::on_helper_gone() {
  helper_.reset();
  start_next_helper();
}

void Session::take_sink_losses() {
  for (const auto& [sink, loss] : fanout_.take_losses()) {
    pipeline_->losses().add(
        "event", "fan_out",
        sink + " did not take events " + std::to_string(loss.from) + " to " + std::to_string(loss.to), loss.count,
        loss.bytes);
  }
}

// The first call ends the run; a later one, of a timer, gives up on what no sink takes.
void Session::end_of_run() {
  if (ended_) return fanout_.abandon();
  if (!pipeline_) return on_all_delivered();  // ended before it began
  ended_ = true;
  interval_.stop();
  take_sink_losses();
  pipeline_->finish(*finish_, drained_, now_boot_ns());
  patience_.start(limits::kDeliveryPatienceMs);
  fanout_.finish();
}

void Session::on_sink_lost(const std::string& name, const std::string& reason) {
  say(OrderKind::notice,
      "The " + name + " takes no more events (" + reason + "); what comes from here on is not in it.");
}

void Session::on_all_delivered() {
  fanout_.send_finish();
  say(OrderKind::done);
  done_ = true;
  patience_.stop();
  loop_.stop();
}

void Session::say(OrderKind kind, std::string_view text) {
  Order order{.kind = kind};
  order.set_text(text);
  if (const auto sent = send_order(orders_->fd(), order); !sent) log_error("%s", sent.error().text().c_str());
}

}  // namespace oisp
