// For tests: an exporter in a child process, with launcher and collector played by the test.
#pragma once

#include <event.capnp.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/owned-fd.h"
#include "exporters/common/exporter.h"

namespace oisp {

struct ExporterAnswer {
  enum class Kind { ended, hello, acknowledge, failed } kind = Kind::ended;
  bool has_kept = false;
  std::uint64_t sequence = 0;  // kept, acknowledged
  int error = 0;
  std::string reason;
};

class TestCollector {
 public:
  using Config = std::vector<std::pair<std::string, std::string>>;

  // Forks; the child runs `exporter` with `output` (duplicated) and one connection.
  TestCollector(const Exporter& exporter, int output, std::uint64_t flags, const Config& config);
  ~TestCollector();
  TestCollector(const TestCollector&) = delete;
  TestCollector& operator=(const TestCollector&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Ends the connection and begins another.
  void reconnect();
  void send_hello();
  void send_batch(std::uint64_t first, std::size_t count,
                  const std::function<void(std::uint64_t sequence, schema::Event::Builder)>& build,
                  bool acknowledge_now = true);
  void send_finish();
  void send_bytes(const std::string& bytes);
  ExporterAnswer receive();
  void end_session() { orders_.reset(); }
  // Wait status of the child.
  int wait();

 private:
  OwnedFd orders_;
  OwnedFd link_;
  pid_t pid_ = -1;
};

}  // namespace oisp
