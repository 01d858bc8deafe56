#include "elf-scanner/elf-image.h"

#include <algorithm>

namespace oisp {
namespace {

constexpr std::uint64_t kNone = ~std::uint64_t{0};

bool is_text_section(std::string_view name) {
  return name.find("rodata") != std::string_view::npos || name.find("gopclntab") != std::string_view::npos;
}

}  // namespace

std::span<const std::uint8_t> ElfImage::bytes(std::uint64_t offset, std::uint64_t size) const {
  if (offset >= file_.size()) return {};
  return file_.subspan(offset, std::min<std::uint64_t>(size, file_.size() - offset));
}

std::optional<ElfImage> ElfImage::open(std::span<const std::uint8_t> file) {
  ElfImage image(file);
  const auto header = image.read<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return std::nullopt;
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) return std::nullopt;
  if (header->e_type != ET_EXEC && header->e_type != ET_DYN) return std::nullopt;
  if (header->e_machine == EM_X86_64) {
    image.machine_ = Machine::x86_64;
  } else if (header->e_machine == EM_AARCH64) {
    image.machine_ = Machine::aarch64;
  } else {
    return std::nullopt;
  }
  image.is_fixed_ = header->e_type == ET_EXEC;
  image.read_segments(*header);
  if (image.segment_count_ == 0) return std::nullopt;
  image.read_sections(*header);
  if (image.text_count_ == 0) {  // no section headers: all that is mapped without being writable
    for (const Segment& segment : std::span(image.segments_).first(image.segment_count_)) {
      if (!segment.writable) image.add_text(image.bytes(segment.offset, segment.size));
    }
  }
  return image;
}

void ElfImage::read_segments(const Elf64_Ehdr& header) {
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return;
  std::uint64_t dynamic_offset = kNone;
  std::uint64_t dynamic_size = 0;
  const std::size_t count = std::min<std::size_t>(header.e_phnum, kMostSegments);
  for (std::size_t i = 0; i < count; ++i) {
    const auto program = read<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr));
    if (!program) return;
    if (program->p_type == PT_DYNAMIC) {
      dynamic_offset = program->p_offset;
      dynamic_size = program->p_filesz;
    }
    if (program->p_type == PT_GNU_EH_FRAME) unwind_table_ = program->p_vaddr;
    if (program->p_type != PT_LOAD || program->p_filesz == 0) continue;
    if (program->p_offset >= file_.size() || program->p_vaddr + program->p_filesz < program->p_vaddr) continue;
    segments_[segment_count_++] = {
        .address = program->p_vaddr,
        .offset = program->p_offset,
        .size = std::min<std::uint64_t>(program->p_filesz, file_.size() - program->p_offset),
        .executable = (program->p_flags & PF_X) != 0,
        .writable = (program->p_flags & PF_W) != 0,
    };
  }
  if (dynamic_offset != kNone) read_dynamic(dynamic_offset, dynamic_size);
}

std::optional<std::uint64_t> ElfImage::data_offset(std::uint64_t address) const {
  for (const Segment& segment : std::span(segments_).first(segment_count_)) {
    if (address >= segment.address && address - segment.address < segment.size) {
      return segment.offset + (address - segment.address);
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> ElfImage::address_of(const std::uint8_t* byte) const {
  const auto offset = static_cast<std::uint64_t>(byte - file_.data());
  for (const Segment& segment : std::span(segments_).first(segment_count_)) {
    if (offset >= segment.offset && offset - segment.offset < segment.size) {
      return segment.address + (offset - segment.offset);
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> ElfImage::code_offset(std::uint64_t address) const {
  for (const Segment& segment : std::span(segments_).first(segment_count_)) {
    if (segment.executable && address >= segment.address && address - segment.address < segment.size) {
      return segment.offset + (address - segment.address);
    }
  }
  return std::nullopt;
}

std::span<const std::uint8_t> ElfImage::code_at(std::uint64_t address, std::uint64_t most) const {
  for (const Segment& segment : std::span(segments_).first(segment_count_)) {
    if (!segment.executable || address < segment.address || address - segment.address >= segment.size) continue;
    const std::uint64_t within = address - segment.address;
    return bytes(segment.offset + within, std::min(most, segment.size - within));
  }
  return {};
}

// LSB Core, "The .eh_frame_hdr section": a sorted table, in the one encoding that linkers use (pairs of
// 32-bit distances from the header).
std::optional<Function> ElfImage::function_at(std::uint64_t address) const {
  struct Entry {
    std::int32_t function, frame;
  };
  constexpr std::uint32_t kEncodings = 0x3b031b01;  // version 1, and how the table is encoded
  constexpr std::uint64_t kTable = 12;
  const auto header = data_offset(unwind_table_);
  if (unwind_table_ == 0 || !header || read<std::uint32_t>(*header) != kEncodings) return std::nullopt;
  const auto from_header = [this](std::int32_t distance) {
    return unwind_table_ + static_cast<std::uint64_t>(std::int64_t{distance});
  };
  std::uint64_t low = 0;
  std::uint64_t high = read<std::uint32_t>(*header + 8).value_or(0);
  while (low < high) {  // the first entry behind the address
    const std::uint64_t middle = low + (high - low) / 2;
    const auto entry = read<Entry>(*header + kTable + middle * sizeof(Entry));
    if (!entry) return std::nullopt;
    if (from_header(entry->function) <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) return std::nullopt;
  const auto entry = read<Entry>(*header + kTable + (low - 1) * sizeof(Entry));
  const auto frame = entry ? data_offset(from_header(entry->frame)) : std::nullopt;
  if (!frame) return std::nullopt;
  // An FDE: length, its CIE, where the function begins (from here), and its size.
  const Function function{.address = from_header(entry->function),
                          .size = read<std::uint32_t>(*frame + 12).value_or(0)};
  const std::uint64_t begins = from_header(entry->frame) + 8 +
                               static_cast<std::uint64_t>(std::int64_t{read<std::int32_t>(*frame + 8).value_or(0)});
  if (begins != function.address || address - function.address >= function.size) return std::nullopt;
  return function;
}

// The number of symbols is nowhere in the dynamic section: it follows from the hash table, whose
// highest chain ends with the last symbol.
std::uint64_t ElfImage::count_gnu_hash(std::uint64_t offset) const {
  struct Header {
    std::uint32_t buckets, first_symbol, bloom_words, bloom_shift;
  };
  const auto header = read<Header>(offset);
  if (!header) return 0;
  const std::uint64_t buckets = offset + sizeof(Header) + std::uint64_t{header->bloom_words} * 8;
  const std::uint64_t chains = buckets + std::uint64_t{header->buckets} * 4;
  std::uint32_t highest = 0;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(header->buckets, kMostSymbols); ++i) {
    const auto bucket = read<std::uint32_t>(buckets + i * 4);
    if (!bucket) return 0;
    highest = std::max(highest, *bucket);
  }
  if (highest < header->first_symbol) return header->first_symbol;
  for (std::uint64_t symbol = highest; symbol < kMostSymbols; ++symbol) {
    const auto hash = read<std::uint32_t>(chains + (symbol - header->first_symbol) * 4);
    if (!hash) return symbol;
    if ((*hash & 1) != 0) return symbol + 1;
  }
  return 0;
}

void ElfImage::read_dynamic(std::uint64_t offset, std::uint64_t size) {
  std::uint64_t symbols = 0, strings = 0, strings_size = 0, gnu_hash = 0, hash = 0, soname = kNone;
  std::uint64_t plt = 0, plt_size = 0, rela = 0, rela_size = 0;
  constexpr std::uint64_t kMostEntries = 512;
  for (std::uint64_t i = 0; i < std::min(size / sizeof(Elf64_Dyn), kMostEntries); ++i) {
    const auto entry = read<Elf64_Dyn>(offset + i * sizeof(Elf64_Dyn));
    if (!entry || entry->d_tag == DT_NULL) break;
    const std::uint64_t value = entry->d_un.d_val;
    switch (entry->d_tag) {
      case DT_SYMTAB:
        symbols = value;
        break;
      case DT_STRTAB:
        strings = value;
        break;
      case DT_STRSZ:
        strings_size = value;
        break;
      case DT_GNU_HASH:
        gnu_hash = value;
        break;
      case DT_HASH:
        hash = value;
        break;
      case DT_SONAME:
        soname = value;
        break;
      case DT_JMPREL:
        plt = value;
        break;
      case DT_PLTRELSZ:
        plt_size = value;
        break;
      case DT_RELA:
        rela = value;
        break;
      case DT_RELASZ:
        rela_size = value;
        break;
      default:
        break;
    }
  }
  const auto symbols_at = data_offset(symbols);
  const auto strings_at = data_offset(strings);
  if (symbols == 0 || strings == 0 || !symbols_at || !strings_at) return;
  dynamic_symbols_ = {.offset = *symbols_at, .count = 0, .names = *strings_at, .names_size = strings_size};
  if (const auto at = data_offset(gnu_hash); gnu_hash != 0 && at) {
    dynamic_symbols_.count = count_gnu_hash(*at);
  } else if (const auto old = data_offset(hash); hash != 0 && old) {
    dynamic_symbols_.count = read<std::uint32_t>(*old + 4).value_or(0);
  }
  dynamic_symbols_.count = std::min(dynamic_symbols_.count, kMostSymbols);
  if (soname != kNone) soname_ = name_at(dynamic_symbols_, soname);
  const auto table = [this](std::uint64_t address, std::uint64_t table_size) -> Relocations {
    const auto at = data_offset(address);
    if (address == 0 || !at) return {};
    return {.offset = *at, .count = std::min<std::uint64_t>(table_size / sizeof(Elf64_Rela), kMostRelocations)};
  };
  relocations_ = {table(plt, plt_size), table(rela, rela_size)};
}

void ElfImage::add_text(std::span<const std::uint8_t> text) {
  if (text_count_ == texts_.size() || text_bytes_ >= kMostTextBytes) return;
  text = text.first(std::min<std::uint64_t>(text.size(), kMostTextBytes - text_bytes_));
  if (text.empty()) return;
  texts_[text_count_++] = text;
  text_bytes_ += text.size();
}

void ElfImage::read_sections(const Elf64_Ehdr& header) {
  if (header.e_shoff == 0 || header.e_shentsize != sizeof(Elf64_Shdr)) return;
  const auto section = [&](std::uint64_t index) {
    return read<Elf64_Shdr>(header.e_shoff + index * sizeof(Elf64_Shdr));
  };
  SymbolTable section_names;
  if (const auto names = section(header.e_shstrndx)) {
    section_names.names = names->sh_offset;
    section_names.names_size = names->sh_size;
  }
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(header.e_shnum, kMostSections); ++i) {
    const auto found = section(i);
    if (!found) return;
    if (found->sh_type == SHT_PROGBITS && is_text_section(name_at(section_names, found->sh_name))) {
      add_text(bytes(found->sh_offset, found->sh_size));
    }
    const bool is_dynamic = found->sh_type == SHT_DYNSYM && dynamic_symbols_.count == 0;
    if (!is_dynamic && found->sh_type != SHT_SYMTAB) continue;
    const auto names = section(found->sh_link);
    if (!names || names->sh_type != SHT_STRTAB) continue;
    SymbolTable& table = is_dynamic ? dynamic_symbols_ : static_symbols_;
    table = {.offset = found->sh_offset,
             .count = std::min<std::uint64_t>(found->sh_size / sizeof(Elf64_Sym), kMostSymbols),
             .names = names->sh_offset,
             .names_size = names->sh_size};
  }
}

std::string_view ElfImage::name_at(const SymbolTable& table, std::uint64_t index) const {
  if (index >= table.names_size) return {};
  const auto found = bytes(table.names + index, std::min<std::uint64_t>(table.names_size - index, kMostName));
  if (table.names + index < table.names || found.empty()) return {};
  const auto* text = reinterpret_cast<const char*>(found.data());
  return {text, ::strnlen(text, found.size())};
}

// x86-64: [endbr64] [bnd] jmp *slot(%rip). aarch64: [bti c] adrp x16, page; ldr x17, [x16, #low].
std::optional<std::uint64_t> ElfImage::stub_slot(std::uint64_t address) const {
  auto code = code_at(address, 16);
  if (machine_ == Machine::x86_64) {
    constexpr std::array<std::uint8_t, 4> kEndbr = {0xf3, 0x0f, 0x1e, 0xfa};
    const auto skip = [&](std::size_t count) {
      code = code.subspan(count);
      address += count;
    };
    if (code.size() >= kEndbr.size() && std::equal(kEndbr.begin(), kEndbr.end(), code.begin())) skip(kEndbr.size());
    if (!code.empty() && code[0] == 0xf2) skip(1);
    if (code.size() < 6 || code[0] != 0xff || code[1] != 0x25) return std::nullopt;
    std::int32_t distance = 0;
    std::memcpy(&distance, &code[2], sizeof distance);
    return address + 6 + static_cast<std::uint64_t>(std::int64_t{distance});
  }
  std::array<std::uint32_t, 3> words{};
  if (code.size() < sizeof words) return std::nullopt;
  std::memcpy(words.data(), code.data(), sizeof words);
  const std::size_t first = words[0] == 0xd503245f ? 1 : 0;
  const std::uint32_t adrp = words[first];
  const std::uint32_t load = words[first + 1];
  if ((adrp & 0x9f00001f) != 0x90000010 || (load & 0xffc003ff) != 0xf9400211) return std::nullopt;
  const std::uint32_t pages = ((adrp >> 5 & 0x7ffff) << 2) | (adrp >> 29 & 3);
  const std::int64_t distance = static_cast<std::int64_t>(static_cast<std::uint64_t>(pages) << 43) >> 31;
  const std::uint64_t page = (address + first * 4) & ~std::uint64_t{0xfff};
  return page + static_cast<std::uint64_t>(distance) + std::uint64_t{load >> 10 & 0xfff} * 8;
}

std::optional<std::uint64_t> ElfImage::stub_target(std::uint64_t address) const {
  const auto slot = stub_slot(address);
  if (!slot) return std::nullopt;
  for (const Relocations& table : relocations_) {
    for (std::uint64_t i = 0; i < table.count; ++i) {
      const auto relocation = read<Elf64_Rela>(table.offset + i * sizeof(Elf64_Rela));
      if (!relocation) break;
      if (relocation->r_offset != *slot) continue;
      const std::uint64_t index = ELF64_R_SYM(relocation->r_info);
      const auto symbol = index < dynamic_symbols_.count
                              ? read<Elf64_Sym>(dynamic_symbols_.offset + index * sizeof(Elf64_Sym))
                              : std::nullopt;
      if (!symbol || symbol->st_shndx == SHN_UNDEF) return std::nullopt;
      return symbol->st_value;
    }
  }
  return std::nullopt;
}

}  // namespace oisp
