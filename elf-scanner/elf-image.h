// A reader for ELF64 little-endian files over a read-only mapping. Every offset and size in the file
// is a stranger's: each read is checked against the bytes that are there, nothing is allocated, and
// nothing that does not fit is ever more than absent.
#pragma once

#include <elf.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "elf-scanner/limits.h"

namespace oisp {

enum class Machine { x86_64, aarch64 };

// A function by its address in the program's own address space (as the file's tables use it).
struct Function {
  std::uint64_t address = 0;
  std::uint64_t size = 0;  // 0: unknown
};

class ElfImage {
 public:
  // Nothing: not an ELF file, or not one of a supported machine and class. `file` must outlive it.
  static std::optional<ElfImage> open(std::span<const std::uint8_t> file);

  [[nodiscard]] Machine machine() const { return machine_; }
  [[nodiscard]] std::string_view soname() const { return soname_; }
  // Whether the addresses in the file are those at run time: code may then hold them as numbers.
  [[nodiscard]] bool is_fixed() const { return is_fixed_; }

  // Bytes from `address` on to the end of its executable segment, at most `most`.
  [[nodiscard]] std::span<const std::uint8_t> code_at(std::uint64_t address, std::uint64_t most) const;
  // Offset in the file of an address in an executable segment.
  [[nodiscard]] std::optional<std::uint64_t> code_offset(std::uint64_t address) const;

  // The function that `address` is in, by the table that exceptions are unwound with.
  [[nodiscard]] std::optional<Function> function_at(std::uint64_t address) const;
  [[nodiscard]] bool has_unwind_table() const { return unwind_table_ != 0; }

  // Calls visit(name, function) for each function that the file defines: first for the dynamic
  // symbols (dynamic = true), then for the static ones. Names are cut at kMostName bytes.
  static constexpr std::size_t kMostName = 48;
  template <typename Visit>
  void for_each_function(bool dynamic, Visit&& visit) const {
    const SymbolTable& table = dynamic ? dynamic_symbols_ : static_symbols_;
    for (std::uint64_t i = 0; i < table.count; ++i) {
      const auto symbol = read<Elf64_Sym>(table.offset + i * sizeof(Elf64_Sym));
      if (!symbol) return;
      if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF) continue;
      visit(name_at(table, symbol->st_name), Function{symbol->st_value, symbol->st_size});
    }
  }

  // Where a linkage stub at `address` leads: the function of this file that the loader would bind it
  // to by name, or nothing (no stub, or a function of another file).
  [[nodiscard]] std::optional<std::uint64_t> stub_target(std::uint64_t address) const;

  // Calls visit(address, bytes) for each executable part of the file.
  template <typename Visit>
  void for_each_code(Visit&& visit) const {
    for (const Segment& segment : std::span(segments_).first(segment_count_)) {
      if (segment.executable) visit(segment.address, bytes(segment.offset, segment.size));
    }
  }
  // The address of a byte of the file (as the visitors get them), where it is mapped.
  [[nodiscard]] std::optional<std::uint64_t> address_of(const std::uint8_t* byte) const;

  // Calls visit(bytes) for each part of the file that holds constant texts, until it returns true.
  template <typename Visit>
  void for_each_text(Visit&& visit) const {
    for (std::size_t i = 0; i < text_count_; ++i) {
      if (visit(texts_[i])) return;
    }
  }

 private:
  struct Segment {
    std::uint64_t address, offset, size;
    bool executable, writable;
  };
  struct SymbolTable {
    std::uint64_t offset = 0, count = 0;
    std::uint64_t names = 0, names_size = 0;  // offset and size in the file
  };
  struct Relocations {
    std::uint64_t offset = 0, count = 0;
  };

  explicit ElfImage(std::span<const std::uint8_t> file) : file_(file) {}

  template <typename T>
  [[nodiscard]] std::optional<T> read(std::uint64_t offset) const {
    if (offset > file_.size() || file_.size() - offset < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, file_.data() + offset, sizeof value);
    return value;
  }
  [[nodiscard]] std::span<const std::uint8_t> bytes(std::uint64_t offset, std::uint64_t size) const;
  [[nodiscard]] std::optional<std::uint64_t> data_offset(std::uint64_t address) const;
  [[nodiscard]] std::string_view name_at(const SymbolTable& table, std::uint64_t index) const;
  [[nodiscard]] std::uint64_t count_gnu_hash(std::uint64_t offset) const;
  [[nodiscard]] std::optional<std::uint64_t> stub_slot(std::uint64_t address) const;
  void read_segments(const Elf64_Ehdr& header);
  void read_dynamic(std::uint64_t offset, std::uint64_t size);
  void read_sections(const Elf64_Ehdr& header);
  void add_text(std::span<const std::uint8_t> text);

  std::span<const std::uint8_t> file_;
  Machine machine_ = Machine::x86_64;
  bool is_fixed_ = false;
  std::array<Segment, kMostSegments> segments_{};
  std::size_t segment_count_ = 0;
  SymbolTable dynamic_symbols_;
  SymbolTable static_symbols_;
  std::array<Relocations, 2> relocations_{};
  std::string_view soname_;
  std::uint64_t unwind_table_ = 0;  // the address of .eh_frame_hdr; 0: none
  std::array<std::span<const std::uint8_t>, kMostSegments> texts_{};
  std::size_t text_count_ = 0;
  std::uint64_t text_bytes_ = 0;
};

}  // namespace oisp
