#include "collector/events/open-requests.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "collector/limits.h"

namespace oisp {
namespace {

constexpr std::size_t kSlots = limits::kMostOpenRequests;

}  // namespace

OpenRequests::~OpenRequests() {
  if (slots_ != nullptr) (void)::munmap(slots_, kSlots * sizeof(Slot));
}

Status OpenRequests::open(OwnedFd memory) {
  if (::ftruncate(memory.get(), static_cast<off_t>(kSlots * sizeof(Slot))) != 0) return errno_fault("ftruncate");
  void* const mapped = ::mmap(nullptr, kSlots * sizeof(Slot), PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  if (mapped == MAP_FAILED) return errno_fault("mmap");
  slots_ = static_cast<Slot*>(mapped);
  return Done{};
}

std::vector<OpenRequests::Left> OpenRequests::take_left() {
  std::vector<Left> left;
  for (Slot* slot = slots_; slot != nullptr && slot != slots_ + kSlots; ++slot) {
    if (slot->in_use != 0) left.push_back(slot->left);
    slot->in_use = 0;
  }
  return left;
}

std::optional<std::size_t> OpenRequests::add(const OpenRequest& about, std::uint64_t request) {
  if (slots_ == nullptr) return {};
  while (first_free_ < kSlots && slots_[first_free_].in_use != 0) ++first_free_;
  if (first_free_ == kSlots) return {};
  Slot& slot = slots_[first_free_];
  slot.left = {.about = about, .request = request, .response = 0, .last = 0};
  std::atomic_signal_fence(std::memory_order_seq_cst);  // whenever this process is killed, what is in use is whole
  slot.in_use = 1;
  return first_free_;
}

void OpenRequests::answered(std::size_t slot, std::uint64_t response, std::uint64_t last) {
  slots_[slot].left.last = last;
  slots_[slot].left.response = response;
  answered_.emplace_back(last, slot);
}

void OpenRequests::acknowledged(std::uint64_t sequence) {
  while (!answered_.empty() && answered_.front().first <= sequence) {
    const std::size_t slot = answered_.front().second;
    slots_[slot].in_use = 0;
    first_free_ = std::min(first_free_, slot);
    answered_.pop_front();
  }
}

}  // namespace oisp
