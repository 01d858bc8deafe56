// Whether what is read at a file's probes can be believed: its first streams have to behave. A file of which
// several do not, and none did, is given up: nothing of it becomes an event from then on.
//
// What looks like another protocol is no failure. What is wrong memory, or a wrong function, shows: ciphertext where
// plaintext should be, lengths that cannot be.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "collector/intake/probe-message.h"
#include "collector/streams/first-bytes.h"

namespace oisp {

enum class Trust { unproven, trusted, distrusted };
std::string_view trust_word(Trust trust);

// What one stream has shown, in the order of what weighs most.
struct StreamEvidence {
  bool overrun = false;         // a call moved more than it was asked for
  bool unreadable = false;      // the first bytes of a direction were not in the program's memory
  bool handshake_done = false;  // before its first byte
  bool joined_late = false;     // what came first was not seen
  Look read = Look::open;
  Look written = Look::open;
};

// Nothing: it says nothing about the file. `broken` is why, or empty where the stream behaved.
struct Behaviour {
  bool is_clear = false;
  std::string_view broken;
};
Behaviour behaviour_of(const StreamEvidence& evidence);
// Of whole connections: plaintext is less than what carries it.
inline constexpr std::string_view kMoreThanTheWire = "at least as much plaintext as its connections moved bytes";

class FileTrust {
 public:
  // A record's site is a file's by its number.
  static std::uint32_t file_of(std::uint32_t site);

  void on_file(const FileReport& report);
  // A helper that took over nothing numbers the files anew.
  void forget_numbers();
  // What a stream, each once, says of its file. True: with this the file is given up.
  bool add(std::uint32_t file, const Behaviour& behaviour);

  [[nodiscard]] Trust of(std::uint32_t file) const;
  [[nodiscard]] Trust of(const oisp_file_key& key) const;
  [[nodiscard]] oisp_file_key key_of(std::uint32_t file) const;
  // Why it is distrusted.
  [[nodiscard]] std::string_view reason(const oisp_file_key& key) const;

 private:
  using FileKey = std::pair<std::uint64_t, std::uint64_t>;  // device, inode; of one not told of yet: 0, its number
  struct Trial {
    Trust trust = Trust::unproven;
    unsigned failures = 0;
    std::string_view reason;
  };

  std::map<std::uint32_t, FileKey> numbers_;
  std::map<FileKey, Trial> trials_;
};

}  // namespace oisp
