#include "collector/events/loss-ledger.h"

#include <algorithm>

namespace oisp {

void LossLedger::add(std::string_view family, std::string_view place, std::string_view cause, std::uint64_t count,
                     std::uint64_t bytes) {
  if (count == 0 && bytes == 0) return;
  Cause& entry = causes_[Key(family, place, cause)];
  entry.count.add(count);
  entry.bytes.add(bytes);
  has_news_ = true;
}

void LossLedger::raise_to(std::string_view family, std::string_view place, std::string_view cause,
                          std::uint64_t count) {
  if (count == 0) return;
  Cause& entry = causes_[Key(family, place, cause)];
  if (count <= entry.count.all) return;
  entry.count.all = count;
  has_news_ = true;
}

void LossLedger::report(schema::SensorLoss::Builder builder, bool final) {
  const auto shown = static_cast<unsigned>(std::ranges::count_if(causes_, [final](const auto& entry) {
    return entry.second.count.shows(final) || entry.second.bytes.shows(final);
  }));
  auto list = builder.initCauses(shown);
  std::uint64_t lost = 0;
  unsigned i = 0;
  for (auto& [key, cause] : causes_) {
    if (!cause.count.shows(final) && !cause.bytes.shows(final)) continue;
    auto row = list[i++];
    row.setFamily(std::get<0>(key));
    row.setPlace(std::get<1>(key));
    row.setCause(std::get<2>(key));
    const std::uint64_t count = cause.count.take(final);
    row.setCount(count);
    row.setBytes(cause.bytes.take(final));
    lost += count;
  }
  builder.setUnexplained(unexplained_.take(final));
  builder.setLost(lost + builder.getUnexplained());
  builder.setLostBytes(lost_bytes_.take(final));
  builder.setCut(cut_.take(final));
  builder.setCutBytes(cut_bytes_.take(final));
  builder.setFinal(final ? schema::Tri::YES : schema::Tri::NO);
  has_news_ = false;
}

}  // namespace oisp
