// What was lost or cut, by family, place and cause: since the last sensor.loss, and in all.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "event.capnp.h"

namespace oisp {

class LossLedger {
 public:
  void add(std::string_view family, std::string_view place, std::string_view cause, std::uint64_t count,
           std::uint64_t bytes = 0);
  // Raises a cause to `count` in all, where it is known by a running total. Never lowers it.
  void raise_to(std::string_view family, std::string_view place, std::string_view cause, std::uint64_t count);
  void add_lost_bytes(std::uint64_t bytes) { lost_bytes_.add(bytes); }
  void add_cut(std::uint64_t bytes) {
    cut_.add(1);
    cut_bytes_.add(bytes);
  }
  void add_unexplained(std::uint64_t count) { unexplained_.add(count); }

  // Something has been added since the last report.
  [[nodiscard]] bool has_news() const { return has_news_; }
  // Fills in what is new, or with `final` what there was in all; what was filled in is no news any more.
  void report(schema::SensorLoss::Builder builder, bool final);

 private:
  struct Count {
    std::uint64_t all = 0;
    std::uint64_t told = 0;
    void add(std::uint64_t count) { all += count; }
    std::uint64_t take(bool final) {
      const std::uint64_t count = final ? all : all - told;
      told = all;
      return count;
    }
    [[nodiscard]] bool shows(bool final) const { return final ? all != 0 : all != told; }
  };
  struct Cause {
    Count count;
    Count bytes;
  };
  using Key = std::tuple<std::string, std::string, std::string>;

  std::map<Key, Cause> causes_;
  Count lost_bytes_;
  Count cut_;
  Count cut_bytes_;
  Count unexplained_;
  bool has_news_ = false;
};

}  // namespace oisp
