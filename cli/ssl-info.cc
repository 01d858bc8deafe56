// oisp-sensor ssl-info [PATH…] [--pid PID]: which program files hold a TLS library that can be read, and why not.
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "base/log.h"
#include "cli/exit-status.h"
#include "cli/find-program.h"
#include "cli/identity.h"
#include "cli/installation.h"
#include "cli/process-files.h"
#include "cli/scan-file.h"
#include "cli/scan-report.h"
#include "cli/subcommands.h"
#include "ipc-schema/json-text.h"

namespace oisp {
namespace {

// The file itself, where a name is a link: that says more.
std::string real_path(const std::string& path) {
  std::error_code error;
  const std::string real = std::filesystem::canonical(path, error).string();
  return error ? path : real;
}

// A path, or a program's name as shells take it; with the interpreters of a script.
Result<std::vector<FoundFile>, Refusal> files_of(const std::string& name) {
  std::string path = name;
  if (name.find('/') == std::string::npos && ::access(name.c_str(), F_OK) != 0) {
    auto program = find_program(name);
    if (!program) return program.error();
    path = *program;
  }
  path = real_path(path);
  if (!open_regular_file(path)) {
    const int error = errno;
    return Refusal{kFailure, printable(path) + ": " + (error == EINVAL ? "not a regular file" : std::strerror(error))};
  }
  return open_program_files(path);
}

void write_out(const std::string& text) { (void)std::fwrite(text.data(), 1, text.size(), stdout); }

class Report {
 public:
  Report(const SslInfoOptions& options, std::string scanner) : options_(options), scanner_(std::move(scanner)) {}

  void add(const std::vector<FoundFile>& files) {
    for (const FoundFile& file : files) add(file);
  }

  void add(const FoundFile& file) {
    const auto answer = scan_file(scanner_, file.fd.get());
    if (!answer) return fail(printable(file.path) + ": " + answer.error().text());
    // Of a process, the many libraries that have nothing to do with TLS are left out.
    const bool silent = answer.value().outcome != OISP_SCAN_FOUND && answer.value().outcome != OISP_SCAN_REFUSED;
    if (!silent) ++speaking_;
    if (silent && options_.pid != 0 && !options_.detailed) return;
    write_out(options_.format == "json" ? scan_report_json(file.path, answer.value())
                                        : scan_report(file.path, answer.value(), options_.detailed));
  }

  void fail(const std::string& sentence) {
    (void)std::fflush(stdout);
    tell_user(sentence);
    failed_ = true;
  }

  [[nodiscard]] bool failed() const { return failed_; }
  // Files that hold a TLS library.
  [[nodiscard]] unsigned speaking() const { return speaking_; }

 private:
  const SslInfoOptions& options_;
  std::string scanner_;
  unsigned speaking_ = 0;
  bool failed_ = false;
};

// With what to do next.
void say_nothing_found(const SslInfoOptions& options, std::size_t mapped) {
  if (options.pid != 0) {
    write_out("None of the " + std::to_string(mapped) + " files that it executes holds a TLS library that is known.\n");
  } else if (!options.paths.empty()) {
    write_out("Libraries that a program loads are files of their own: oisp-sensor ssl-info --pid PID while it runs.\n");
  }
}

}  // namespace

int ssl_info(const SslInfoOptions& options) {
  auto scanner = find_part("oisp-elf-scanner");
  // Still as root, where sudo was asked: the process may be another user's. The rest is done as the user.
  auto process = options.pid != 0 ? open_process_files(options.pid) : Result<ProcessFiles, Refusal>(ProcessFiles{});
  if (const Status status = become(find_identity()); !status) {
    tell_user(status.error().text());
    return kFailure;
  }
  if (!scanner || !process) {
    const Refusal& refusal = scanner ? process.error() : scanner.error();
    tell_user(refusal.sentence);
    return refusal.exit_status;
  }
  Report report(options, *scanner);
  report.add(process->files);
  for (const UnreadFile& file : process->unread) report.fail(printable(file.path) + ": " + file.reason);
  for (const std::string& name : options.paths) {
    auto files = files_of(name);
    if (files) {
      report.add(*files);
    } else {
      report.fail(files.error().sentence);
    }
  }
  if (options.pid == 0 && options.paths.empty()) {
    for (FoundFile& library : open_tls_libraries()) {
      library.path = real_path(library.path);
      report.add(library);
    }
  }
  if (report.speaking() == 0 && !report.failed() && options.format != "json")
    say_nothing_found(options, process->files.size());
  return report.failed() ? kFailure : kOk;
}

}  // namespace oisp
