#include "probe-helper/ring.h"

#include <bpf/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe-helper/span.h"

namespace oisp {

Result<Ring> Ring::map(int map) {
  bpf_map_info info{};
  __u32 length = sizeof info;
  if (::bpf_obj_get_info_by_fd(map, &info, &length) != 0) return errno_fault("read what a ring is");
  Ring ring;
  ring.page_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  ring.size_ = info.max_entries;
  void* consumer = ::mmap(nullptr, ring.page_, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
  if (consumer == MAP_FAILED) return errno_fault("map a ring's consumer page");
  ring.consumer_page_ = consumer;
  void* producer =
      ::mmap(nullptr, ring.page_ + 2 * ring.size_, PROT_READ, MAP_SHARED, map, static_cast<off_t>(ring.page_));
  if (producer == MAP_FAILED) return errno_fault("map a ring's records");
  ring.producer_pages_ = producer;
  return ring;
}

Ring& Ring::operator=(Ring&& other) noexcept {
  std::swap(consumer_page_, other.consumer_page_);
  std::swap(producer_pages_, other.producer_pages_);
  std::swap(page_, other.page_);
  std::swap(size_, other.size_);
  return *this;
}

Ring::~Ring() {
  if (consumer_page_ != nullptr) (void)::munmap(consumer_page_, page_);
  if (producer_pages_ != nullptr) (void)::munmap(producer_pages_, page_ + 2 * size_);
}

std::uint64_t Ring::consumer() const {
  return __atomic_load_n(static_cast<const std::uint64_t*>(consumer_page_), __ATOMIC_RELAXED);
}

std::uint64_t Ring::producer() const {
  return __atomic_load_n(static_cast<const std::uint64_t*>(producer_pages_), __ATOMIC_ACQUIRE);
}

std::span<const std::byte> Ring::records(std::size_t most) const {
  const std::uint64_t from = consumer();
  const auto* data = static_cast<const std::byte*>(producer_pages_) + page_;
  const std::span<const std::byte> produced(data + (from & (size_ - 1)), producer() - from);
  return produced.first(whole_records(produced, most));
}

void Ring::consume(std::size_t bytes) {
  __atomic_store_n(static_cast<std::uint64_t*>(consumer_page_), consumer() + bytes, __ATOMIC_RELEASE);
}

}  // namespace oisp
