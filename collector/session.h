// One run of the collector: takes the supervisor's orders, connects the helper and the sinks with the
// pipeline between them, and brings the run to its end.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/event-loop/loop.h"
#include "base/event-loop/poll-fd.h"
#include "base/event-loop/timer.h"
#include "collector/events/event-factory.h"
#include "collector/events/open-requests.h"
#include "collector/fanout/fanout.h"
#include "collector/intake/helper-connection.h"
#include "collector/pipeline.h"
#include "collector/settings.h"
#include "ipc-schema/order.h"

namespace oisp {

class Session : private HelperConnection::Receiver, private Fanout::Listener, private EventOutlet {
 public:
  Session(Loop& loop, const HostFacts& host, Redactor& redactor);
  ~Session() override;

  // Takes orders from this descriptor from now on.
  Status listen(OwnedFd orders);
  // True: all was delivered. False: the supervisor has gone.
  [[nodiscard]] bool done() const { return done_; }

 private:
  void on_orders();
  void take(ReceivedOrder received);
  void begin();
  void add_helper(OwnedFd fd);
  void start_next_helper();
  void end_of_run();
  void say(OrderKind kind, std::string_view text = {});
  void take_sink_losses();

  void on_hello(const HelperHello& hello) override;
  void on_span(const RecordSpan& span) override {
    if (!ended_) pipeline_->on_span(span);  // a process that goes on is no part of the run
  }
  void on_file(const FileReport& report) override { pipeline_->on_file(report); }
  void on_counters(const oisp_counters& sums) override { pipeline_->on_counters(sums); }
  void on_drained() override;
  void on_idle() override;
  void on_helper_gone() override;

  void on_sinks_ready() override;
  void on_sink_lost(const std::string& name, const std::string& reason) override;
  void on_all_delivered() override;

  [[nodiscard]] std::uint64_t next_sequence() const override { return fanout_.next_sequence(); }
  [[nodiscard]] std::uint64_t delivered() const override { return fanout_.delivered(); }
  void push(Chunk event) override { fanout_.push(std::move(event)); }

  Loop& loop_;
  Settings settings_;
  EventFactory factory_;
  Fanout fanout_;
  OpenRequests open_requests_;
  std::optional<Pipeline> pipeline_;  // from `begin` on
  std::unique_ptr<PollFd> orders_;
  std::unique_ptr<HelperConnection> helper_;
  std::deque<std::unique_ptr<HelperConnection>> next_helpers_;
  Timer interval_;
  Timer patience_;
  bool sinks_ready_ = false;
  bool drained_ = false;
  bool ended_ = false;
  bool done_ = false;
  std::optional<RunEnd> finish_;
};

}  // namespace oisp
