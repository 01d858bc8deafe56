#include "cli/diagnosis.h"

#include <algorithm>

#include "base/log.h"
#include "base/text-array.h"
#include "cli/exit-status.h"

namespace oisp {
namespace {

class Steps {
 public:
  void add(const char* word, const std::string& text) {
    text_ += std::to_string(++number_) + ". " + word + "  " + text + "\n";
  }
  void say(const std::string& text) { text_ += "   " + text + "\n"; }
  void conclude(const std::string& text) { text_ += "\n" + text + "\n"; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  unsigned number_ = 0;
};

bool is(const ScannedFile& file, std::uint32_t outcome) { return file.fault.empty() && file.answer.outcome == outcome; }

bool any(const std::vector<ScannedFile>& files, std::uint32_t outcome) {
  return std::ranges::any_of(files, [outcome](const ScannedFile& file) { return is(file, outcome); });
}

// Each file that has something to say.
void say_files(const std::vector<ScannedFile>& files, Steps& steps) {
  for (const ScannedFile& file : files) {
    const std::string path = printable(file.path, 4096);
    if (!file.fault.empty()) {
      steps.say(path + ": not looked at, " + file.fault);
    } else if (is(file, OISP_SCAN_FOUND)) {
      steps.say(path + ": " + printable(view_text(file.answer.family)) + ", read");
    } else if (is(file, OISP_SCAN_REFUSED)) {
      steps.say(path + ": not read, " + printable(view_text(file.answer.reason)));
    }
  }
}

void step_host(const std::vector<Point>& points, Steps& steps) {
  if (exit_status_of(points) == kOk) return steps.add("ok", "recording works on this machine");
  steps.add("NO", "recording does not work on this machine:");
  for (const Point& point : points) {
    if (point.verdict == Verdict::refused) steps.say(point.name + ": " + point.found + ". " + point.advice);
  }
}

void step_program(const Subject& subject, Steps& steps) {
  const std::string& name = subject.files.empty() ? subject.name : subject.files.front().path;
  if (!subject.files.empty() && is(subject.files.front(), OISP_SCAN_UNSUPPORTED) && subject.running) {
    return steps.add("NO", printable(name, 4096) + ": " + printable(view_text(subject.files.front().answer.reason)));
  }
  steps.add("ok", (subject.running ? subject.name + " runs " : "it is ") + printable(name, 4096));
}

void step_library(const Subject& subject, Steps& steps) {
  if (any(subject.files, OISP_SCAN_FOUND)) {
    steps.add("ok", "it has a TLS library that is read:");
  } else if (any(subject.files, OISP_SCAN_REFUSED)) {
    steps.add("NO", "it has a TLS library that is not read:");
  } else if (any(subject.of_system, OISP_SCAN_FOUND)) {
    steps.add("ok",
              "its own files hold no TLS library; these of the system are read if it loads them, and others are "
              "looked at when it does:");
  } else {
    steps.add("NO", "none of its files holds a TLS library that is known");
  }
  say_files(subject.files, steps);
  if (!any(subject.files, OISP_SCAN_FOUND) && !any(subject.files, OISP_SCAN_REFUSED))
    say_files(subject.of_system, steps);
}

}  // namespace

Diagnosis diagnose_subject(const Subject& subject, const std::vector<Point>& points) {
  Steps steps;
  step_host(points, steps);
  step_program(subject, steps);
  step_library(subject, steps);
  const int host = exit_status_of(points);
  const bool own = any(subject.files, OISP_SCAN_FOUND);
  const bool refused = any(subject.files, OISP_SCAN_REFUSED);
  const bool maybe = !own && !refused && any(subject.of_system, OISP_SCAN_FOUND);
  if (host != kOk) {
    steps.conclude("NOT SEEN: nothing is, on this machine, until step 1 is mended.");
    return {.text = steps.take(), .exit_status = host};
  }
  if (own && subject.running) {
    steps.conclude(
        "SEEN, by `oisp-sensor record --pid`, with its descendants. Connections that are open already are "
        "joined late: start it by `oisp-sensor record -- CMD` to have all of them whole.");
  } else if (own || maybe) {
    steps.conclude(std::string(own ? "SEEN" : "SEEN, if that is its library") +
                   ", by `oisp-sensor record -- CMD`. What of it stays unread, the summary names under NOT SEEN.");
  } else if (refused) {
    steps.conclude(
        "NOT SEEN: its traffic is named under NOT SEEN. A build of it with the distribution's OpenSSL is read.");
  } else {
    steps.conclude(
        "NOT SEEN as it is, but for what passes without TLS (HTTP of local model servers, Linux 6.3 and later): it may "
        "carry a library that is not known, load one later, or leave the talking to another process. Its descendants "
        "are recorded with it; of another one, ask "
        "`oisp-sensor diagnose --pid`.");
  }
  return {.text = steps.take(), .exit_status = own || maybe ? kOk : kFailure};
}

}  // namespace oisp
