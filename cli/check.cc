// oisp-sensor check: whether a recording would work here, and if not, why, before one is begun.
#include <cstdio>

#include "cli/preflight.h"
#include "cli/subcommands.h"

namespace oisp {

int check(const CheckOptions& options) {
  const std::vector<Point> points = judge(look_around());
  const std::string text = options.format == "json" ? preflight_report_json(points) : preflight_report(points);
  (void)std::fwrite(text.data(), 1, text.size(), stdout);
  return exit_status_of(points);
}

}  // namespace oisp
