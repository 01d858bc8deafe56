// oisp-sensor diagnose --pid PID, or -- CMD: why it is seen or is not, and what to do. Nothing is started or attached.
#include <cstdio>

#include "base/log.h"
#include "cli/diagnosis.h"
#include "cli/find-program.h"
#include "cli/identity.h"
#include "cli/installation.h"
#include "cli/process-files.h"
#include "cli/scan-file.h"
#include "cli/subcommands.h"

namespace oisp {
namespace {

int refuse(const Refusal& refusal) {
  tell_user(refusal.sentence);
  return refusal.exit_status;
}

std::vector<ScannedFile> scan_all(const std::string& scanner, const std::vector<FoundFile>& files) {
  std::vector<ScannedFile> scanned;
  for (const FoundFile& file : files) {
    const auto answer = scan_file(scanner, file.fd.get());
    scanned.push_back({.path = file.path,
                       .answer = answer ? answer.value() : oisp_scan_answer{},
                       .fault = answer ? std::string() : answer.error().text()});
  }
  return scanned;
}

}  // namespace

int diagnose(const DiagnoseOptions& options, const Words& command) {
  if ((options.pid != 0) != command.empty()) {
    tell_user("What is to be diagnosed? oisp-sensor diagnose --pid PID, or diagnose -- CMD");
    return kUsage;
  }
  const std::vector<Point> points = judge(look_around());
  auto scanner = find_part("oisp-elf-scanner");
  // Still as root, where sudo was asked: the process may be another user's. The rest is done as the user.
  auto process = options.pid != 0 ? open_process_files(options.pid) : Result<ProcessFiles, Refusal>(ProcessFiles{});
  if (const Status status = become(find_identity()); !status) return refuse({kFailure, status.error().text()});
  if (!scanner) return refuse(scanner.error());
  if (!process) return refuse(process.error());
  Subject subject{.name = "process " + std::to_string(options.pid), .running = options.pid != 0};
  if (subject.running) {
    subject.files = scan_all(*scanner, process->files);
    for (const UnreadFile& file : process->unread) {
      subject.files.push_back({.path = file.path, .fault = file.reason});
    }
  } else {
    const auto program = find_program(command[0]);
    if (!program) return refuse(program.error());
    subject.name = program.value();
    subject.files = scan_all(*scanner, open_program_files(program.value()));
    subject.of_system = scan_all(*scanner, open_tls_libraries());
  }
  const Diagnosis diagnosis = diagnose_subject(subject, points);
  (void)std::fwrite(diagnosis.text.data(), 1, diagnosis.text.size(), stdout);
  return diagnosis.exit_status;
}

}  // namespace oisp
