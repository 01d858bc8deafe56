// Whether a recording would work here, from what was found: each point with its verdict, and where it is not
// as it should be, what that costs and what to do.
#pragma once

#include <string>
#include <vector>

#include "cli/surroundings.h"

namespace oisp {

enum class Verdict : std::uint8_t {
  good,
  less,     // works, with less
  refused,  // does not work; Point::exit_status as record's would be
};

struct Point {
  std::string name;
  Verdict verdict = Verdict::good;
  std::string found;
  std::string advice;   // what it costs, or what to do; empty where good
  int exit_status = 0;  // where refused
};

std::vector<Point> judge(const Surroundings& found);

// The first thing that record would end with: kernel and platform before rights before the rest; 0: ready.
int exit_status_of(const std::vector<Point>& points);

std::string preflight_report(const std::vector<Point>& points);
std::string preflight_report_json(const std::vector<Point>& points);

}  // namespace oisp
