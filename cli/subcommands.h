// The subcommands: what each is asked for, and the function that does it and gives the exit status. Each is a
// file of its own; their options are declared in main.cc, the only one that reads words.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace oisp {

// What follows `--` on the command line.
using Words = std::vector<std::string>;

// `demo` asks for the same.
struct RecordOptions {
  std::string output;
  std::string format = "view";
  pid_t pid = 0;  // 0: CMD
  bool live = false;
  bool no_colour = false;
  bool bodies = false;
  bool quiet = false;
  bool no_hold = false;
  std::string uprobes;
  std::uint64_t max_body = 8 << 20;
  std::uint64_t buffer_size = 0;  // 0: kRingBytes
};
int record(const RecordOptions& options, const Words& command);

struct ShowOptions {
  std::string file;
  bool follow = false;
  bool no_colour = false;
};
int show(const ShowOptions& options);

int demo(const RecordOptions& options);

// Without both, the TLS libraries in the loader's usual folders.
struct SslInfoOptions {
  std::vector<std::string> paths;  // or names of programs
  pid_t pid = 0;                   // 0: none
  std::string format = "text";
  bool detailed = false;
};
int ssl_info(const SslInfoOptions& options);

struct CheckOptions {
  std::string format = "text";
};
int check(const CheckOptions& options);

struct DiagnoseOptions {
  pid_t pid = 0;  // 0: CMD
};
int diagnose(const DiagnoseOptions& options, const Words& command);

}  // namespace oisp
