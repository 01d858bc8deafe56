#include "exporters/common/exporter.h"

#include <malloc.h>
#include <poll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <ctime>

#include "base/clock.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "exporters/common/collector-link.h"
#include "exporters/common/limits.h"
#include "ipc-schema/order.h"
#include "ipc-schema/sink.h"

namespace oisp {
namespace {

constexpr const char* kSkeletonCalls[] = {"poll", "ppoll", "recvfrom", "recvmsg", "sendto"};

// The process after `begin`.
class Role {
 public:
  Role(std::unique_ptr<Sink> sink, OwnedFd collector) : sink_(std::move(sink)), next_(std::move(collector)) {
    use_next_link();
    auto kept = sink_->find_kept();
    if (kept) {
      kept_ = kept.value();
    } else {
      fail({.fault = kept.error(), .whole = std::nullopt});
    }
  }

  int serve() {
    while (!exit_status_) {
      pollfd fds[2] = {{.fd = kOrdersFd, .events = POLLIN, .revents = 0}, {.fd = -1, .events = 0, .revents = 0}};
      if (link_) fds[1] = link_->wanted();
      if (::poll(fds, 2, acknowledge_in_ms()) < 0) {
        if (errno == EINTR) continue;
        log_error("%s", errno_fault("poll").text().c_str());
        return 1;
      }
      if (fds[0].revents != 0) take_order();
      if (exit_status_) break;
      if (link_ && fds[1].revents != 0) serve_link();
      if (link_ && acknowledge_in_ms() == 0 && !acknowledge()) use_next_link();
    }
    return *exit_status_;
  }

 private:
  void take_order() {
    auto received = receive_order(kOrdersFd);
    if (!received) {
      log_error("%s", received.error().text().c_str());
      exit_status_ = 1;
      return;
    }
    if (!received.value()) {
      exit_status_ = 0;  // the session is over
      return;
    }
    ReceivedOrder& order = *received.value();
    if (order.order.kind == OrderKind::collector && order.fd) {
      next_ = std::move(order.fd);
      if (!link_) use_next_link();
    }
  }

  // A new collector is heard once the old one's connection has been read to its end.
  void use_next_link() {
    link_.reset();
    unwritten_bytes_ = 0;
    acknowledge_at_ns_ = 0;
    if (next_) link_ = std::make_unique<CollectorLink>(std::move(next_));
  }

  void serve_link() {
    if (!link_->send_waiting()) return use_next_link();
    bool connected = true;
    while (connected && !exit_status_ && link_->wanted().events == POLLIN) {
      auto received = link_->receive();
      if (!received) {
        log_error("the collector sent %s", describe(received.error()));
        exit_status_ = 1;
        return;
      }
      if (std::holds_alternative<CollectorLink::Nothing>(received.value())) break;
      connected = !std::holds_alternative<CollectorLink::Ended>(received.value()) &&
                  answer(std::get<ExportMessage>(received.value()));
    }
    if (exit_status_) return;
    connected = write() && connected;
    if (!connected) use_next_link();
  }

  // False when the collector is gone.
  bool answer(const ExportMessage& message) {
    if (std::holds_alternative<ExportHello>(message)) {
      return link_->send_hello(kept_) && (!failure_ || send_failure());
    }
    if (const auto* batch = std::get_if<ExportBatch>(&message)) return answer_batch(*batch);
    return answer_finish();
  }

  bool answer_batch(const ExportBatch& batch) {
    if (failure_ || batch.events.empty()) return true;
    const std::uint64_t last = batch.first_sequence + batch.events.size() - 1;
    for (std::size_t i = 0; i < batch.events.size(); ++i) {
      const std::uint64_t sequence = batch.first_sequence + i;
      if (kept_ && sequence <= *kept_) continue;  // sent again after a disconnect
      const auto read =
          read_event(batch.events[i], [&](schema::Event::Reader event) { sink_->render(sequence, event); });
      if (!read) {
        log_error("the collector sent %s as event %llu", describe(read.error()),
                  static_cast<unsigned long long>(sequence));
        exit_status_ = 1;
        return true;
      }
    }
    received_ = last;
    waited_for_ = waited_for_ || batch.acknowledge_now || !sink_->leaves_what_it_kept();
    for (const Words event : batch.events) unwritten_bytes_ += event.size_bytes();
    return unwritten_bytes_ < kWrittenTogetherBytes || write();
  }

  // Writes what was rendered. False when the collector is gone.
  bool write() {
    if (failure_ || unwritten_bytes_ == 0) return true;
    unwritten_bytes_ = 0;
    const auto wrote = sink_->write();
    if (!wrote) return fail(wrote.error()), send_failure();
    kept_ = std::max(kept_.value_or(0), received_);
    if (waited_for_) return acknowledge();
    if (acknowledge_at_ns_ == 0) acknowledge_at_ns_ = read_clock_ns(CLOCK_MONOTONIC) + kAcknowledgeDelayNs;
    return true;
  }

  bool acknowledge() {
    acknowledge_at_ns_ = 0;
    waited_for_ = false;
    return link_->send_acknowledge(received_);
  }

  // For poll(2).
  [[nodiscard]] int acknowledge_in_ms() const {
    if (acknowledge_at_ns_ == 0) return -1;
    constexpr std::int64_t kMillisecond = 1'000'000;
    const std::int64_t left = acknowledge_at_ns_ - read_clock_ns(CLOCK_MONOTONIC);
    return static_cast<int>(std::max<std::int64_t>(left + kMillisecond - 1, 0) / kMillisecond);
  }

  bool answer_finish() {
    (void)write();
    if (!failure_) {
      const auto finished = sink_->finish();
      if (!finished) {
        fail(finished.error());
        (void)send_failure();
      } else if (kept_) {
        (void)link_->send_acknowledge(*kept_);
      }
    }
    exit_status_ = 0;
    return true;
  }

  void fail(const SinkFailure& failure) {
    failure_ = failure.fault;
    if (failure.whole) kept_ = failure.whole;
  }

  bool send_failure() { return link_->send_failed(kept_.value_or(0), *failure_); }

  std::unique_ptr<Sink> sink_;
  std::unique_ptr<CollectorLink> link_;
  OwnedFd next_;                        // a newer connection, while link_ is not at its end
  std::uint64_t received_ = 0;          // the latest event of this link
  std::size_t unwritten_bytes_ = 0;     // of events that were rendered
  bool waited_for_ = false;             // the acknowledgement of what was received
  std::int64_t acknowledge_at_ns_ = 0;  // at the latest; CLOCK_MONOTONIC, 0: nothing to acknowledge
  std::optional<std::uint64_t> kept_;   // the highest sequence that is where it belongs
  std::optional<Fault> failure_;        // the output takes no more; the collector knows or will
  std::optional<int> exit_status_;
};

struct Beginning {
  ExporterOptions options;
  OwnedFd output;
  OwnedFd collector;
};

// Nothing when the session ended before it began.
Result<std::optional<Beginning>> receive_beginning() {
  Beginning beginning;
  std::size_t entries = 0;
  while (true) {
    auto received = receive_order(kOrdersFd);
    if (!received) return received.error();
    if (!received.value()) return std::optional<Beginning>{};
    Order& order = received.value()->order;
    switch (order.kind) {
      case OrderKind::config: {
        if (++entries > kMostConfigEntries) break;
        const std::string text(order.text_view());
        if (order.name_view() == "command") {
          beginning.options.command.push_back(text);
        } else {
          beginning.options.config[std::string(order.name_view())] = text;
        }
        break;
      }
      case OrderKind::output:
        beginning.output = std::move(received.value()->fd);
        beginning.options.flags = order.value;
        break;
      case OrderKind::collector:
        beginning.collector = std::move(received.value()->fd);
        break;
      case OrderKind::begin:
        if (!beginning.output) return fault("no output was given");
        return std::optional<Beginning>{std::move(beginning)};
      default:  // of no meaning here; the supervisor is more trusted than this process
        break;
    }
  }
}

Status enter_sandbox(const Exporter& exporter) {
  ::tzset();  // reads the time zone while files can still be opened
  if (::signal(SIGPIPE, SIG_IGN) == SIG_ERR) return errno_fault("ignore SIGPIPE");
  if (::prctl(PR_SET_NAME, exporter.process_name, 0, 0, 0) != 0) return errno_fault("PR_SET_NAME");
  std::vector<const char*> allowed(std::begin(kSkeletonCalls), std::end(kSkeletonCalls));
  allowed.insert(allowed.end(), exporter.allowed_calls.begin(), exporter.allowed_calls.end());
  return apply_sandbox({.allowed = allowed, .most_memory = kMostExporterMemoryBytes});
}

}  // namespace

std::string_view ExporterOptions::text(std::string_view key) const {
  const auto found = config.find(key);
  return found == config.end() ? std::string_view{} : std::string_view(found->second);
}

std::optional<std::uint64_t> ExporterOptions::number(std::string_view key) const {
  const std::string_view digits = text(key);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

int run_exporter(const Exporter& exporter) {
  set_log_name(exporter.name);
  // Lines and frames of large events come and go: their pages are not to be faulted in again each time.
  (void)::mallopt(M_TRIM_THRESHOLD, kKeptFreedBytes);
  (void)::mallopt(M_MMAP_THRESHOLD, kKeptFreedBytes);
  if (const Status confined = enter_sandbox(exporter); !confined) {
    log_error("%s", confined.error().text().c_str());
    return 1;
  }
  auto beginning = receive_beginning();
  if (!beginning) {
    log_error("%s", beginning.error().text().c_str());
    return 1;
  }
  if (!beginning.value()) return 0;
  Beginning& given = *beginning.value();
  Output output(std::move(given.output), (given.options.flags & kSinkIsFile) != 0, kOrdersFd);
  Role role(exporter.make_sink(given.options, std::move(output)), std::move(given.collector));
  return role.serve();
}

}  // namespace oisp
