// oisp-elf-scanner: finds where one file is to be probed.
//
// Descriptor 0 is a connection with the probe-helper. One order arrives on it, with the file; one
// answer leaves; then the process ends. It starts without any privilege, and before it looks at the
// file's first byte it gives up all system calls but sending the answer and ending.
//
// A file that shrinks while it is read, or one that costs too much, kills the scanner: the helper sees
// the end of the connection and takes the file as refused.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "base/log.h"
#include "base/owned-fd.h"
#include "base/sandbox.h"
#include "elf-scanner/limits.h"
#include "elf-scanner/scan.h"
#include "ipc-schema/order.h"

namespace oisp {
namespace {

constexpr int kHelperFd = 0;

Result<OwnedFd> receive_file() {
  auto received = receive_order(kHelperFd);
  if (!received) return received.error();
  if (!received.value()) return fault("the helper is gone");
  ReceivedOrder& order = *received.value();
  if (order.order.kind != OrderKind::file || !order.fd) return fault("the helper's order has no file");
  return std::move(order.fd);
}

Result<std::span<const std::uint8_t>> map_file(OwnedFd file) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return errno_fault("fstat");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (!S_ISREG(status.st_mode) || size > kMostFileBytes) return fault("not a regular file, or too large");
  if (size == 0) return std::span<const std::uint8_t>{};
  // Shared, though nothing is written: into private mappings of a probed file the kernel puts the
  // breakpoints, and another recording's would be taken for the file's bytes.
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (mapped == MAP_FAILED) return errno_fault("map the file");
  return std::span(static_cast<const std::uint8_t*>(mapped), size);
}

Status confine(std::uint64_t file_bytes) {
  (void)::alarm(kMostSeconds);
  const rlimit cpu{.rlim_cur = kMostCpuSeconds, .rlim_max = kMostCpuSeconds};
  if (::setrlimit(RLIMIT_CPU, &cpu) != 0) return errno_fault("limit CPU time");
  static constexpr const char* kAllowed[] = {"sendto", "exit_group", "write"};
  return apply_sandbox({.allowed = kAllowed,
                        .refused = {},
                        .capabilities = {},
                        .most_files = 3,
                        .most_memory = file_bytes + kMostOwnBytes,
                        .only_allowed = true});
}

Status serve() {
  auto decoder = Decoder::make();
  if (!decoder) return fault("the disassembler cannot be started");
  auto file = receive_file();
  if (!file) return file.error();
  const auto bytes = map_file(std::move(*file));
  if (!bytes) return bytes.error();
  OISP_TRY(confine(bytes.value().size()));
  const oisp_scan_answer answer = scan_elf(bytes.value(), *decoder);
  if (::send(kHelperFd, &answer, sizeof answer, MSG_NOSIGNAL) < 0) return errno_fault("send the answer");
  return Done{};
}

}  // namespace
}  // namespace oisp

int main() {
  (void)::prctl(PR_SET_NAME, "oisp-elf-scan", 0, 0, 0);
  oisp::set_log_name("oisp-elf-scanner");
  const auto status = oisp::serve();
  if (!status) oisp::log_error("%s", status.error().text().c_str());
  // Not exit(): nothing is left to do, and the sandbox allows nothing else.
  ::_exit(status ? 0 : 1);
}
