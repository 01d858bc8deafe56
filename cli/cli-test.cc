// What the command line decides before it starts anything.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "cli/find-program.h"
#include "cli/held-child.h"
#include "cli/output-file.h"
#include "cli/process-files.h"
#include "cli/scan-report.h"
#include "tests/catch.h"

using namespace oisp;

namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/oisp-cli-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] std::string write(const std::string& name, const std::string& text, mode_t mode) const {
    std::ofstream(file(name)) << text;
    REQUIRE(::chmod(file(name).c_str(), mode) == 0);
    return file(name);
  }

 private:
  std::string path_;
};

std::vector<std::string> names_of(const std::vector<FoundFile>& files) {
  std::vector<std::string> names;
  for (const FoundFile& file : files) names.push_back(file.name);
  return names;
}

}  // namespace

TEST_CASE("a program is found as execvp finds it") {
  const Folder first;
  const Folder second;
  const std::string old_path = std::getenv("PATH");
  const std::string program = second.write("a-program", "", 0755);
  (void)first.write("a-program", "", 0644);  // not executable: the search goes on
  (void)first.write("text", "", 0644);
  std::filesystem::create_directory(first.file("folder"));
  REQUIRE(::setenv("PATH", (first.file("") + ":" + second.file("")).c_str(), 1) == 0);

  CHECK(std::filesystem::equivalent(find_program("a-program").value(), program));
  CHECK(find_program(program).value() == program);
  CHECK(find_program("no-such-program").error().exit_status == kNotFound);
  CHECK(find_program("").error().exit_status == kNotFound);
  CHECK(find_program(first.file("nothing")).error().exit_status == kNotFound);
  CHECK(find_program("text").error().exit_status == kNotExecutable);
  CHECK(find_program(first.file("folder")).error().exit_status == kNotExecutable);
  CHECK(find_program("bad\x1bname").error().sentence.find('\x1b') == std::string::npos);
  REQUIRE(::setenv("PATH", old_path.c_str(), 1) == 0);
}

TEST_CASE("a script's interpreters are probed too, and each file once") {
  const Folder folder;
  const std::string inner = folder.write("inner", "#!/bin/sh -e\n", 0755);
  const std::string outer = folder.write("outer", "#! " + inner + "\ttext\n", 0755);
  const auto names = names_of(open_program_files(outer));
  REQUIRE(names.size() == 3);
  CHECK(names[0] == "outer");
  CHECK(names[1] == "inner");
  CHECK(names[2] == "sh");

  const std::string env = folder.write("env-script", "#!/usr/bin/env -S A=b cat\n", 0755);
  CHECK(names_of(open_program_files(env)) == std::vector<std::string>{"env-script", "env", "cat"});
  const std::string loop = folder.write("loop", "#!" + folder.file("loop") + "\n", 0755);
  CHECK(names_of(open_program_files(loop)) == std::vector<std::string>{"loop"});
  CHECK(open_program_files(folder.file("nothing")).empty());
  CHECK(open_program_files("/dev/zero").empty());
}

TEST_CASE("an output file is the user's own, regular, and written by one recording") {
  const Folder folder;
  const std::string path = folder.file("events");
  auto file = open_output_file(path);
  REQUIRE(file.ok());
  struct stat status {};
  REQUIRE(::fstat(file->get(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK((::fcntl(file->get(), F_GETFL) & O_APPEND) != 0);
  CHECK(open_output_file(path).error().sentence.find("another recording") != std::string::npos);
  file->reset();
  CHECK(open_output_file(path).ok());

  REQUIRE(::symlink(path.c_str(), folder.file("link").c_str()) == 0);
  REQUIRE(::mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  for (const std::string& refused :
       {folder.file("link"), folder.file("pipe"), folder.file(""), folder.file("no/such"), std::string("/dev/null")}) {
    const auto opened = open_output_file(refused);
    REQUIRE_FALSE(opened.ok());
    CHECK(opened.error().exit_status == kFailure);
    CHECK(opened.error().sentence.find("-o") != std::string::npos);
  }
}

TEST_CASE("a held child executes on a word only, and says why it cannot") {
  int status = 0;
  auto goes = HeldChild::make({.path = "/bin/sh", .words = {"sh", "-c", "exit 7"}, .prepare = nullptr});
  REQUIRE(goes.ok());
  CHECK(goes->let_go() == 0);
  REQUIRE(::waitpid(goes->pid(), &status, 0) == goes->pid());
  CHECK(WEXITSTATUS(status) == 7);

  auto abandoned = HeldChild::make({.path = "/bin/sh", .words = {"sh", "-c", "exit 7"}, .prepare = nullptr});
  REQUIRE(abandoned.ok());
  abandoned->abandon();
  REQUIRE(::waitpid(abandoned->pid(), &status, 0) == abandoned->pid());
  CHECK(status == 0);

  auto missing = HeldChild::make({.path = "/nonexistent", .words = {"x"}, .prepare = nullptr});
  REQUIRE(missing.ok());
  CHECK(missing->let_go() == ENOENT);
  REQUIRE(::waitpid(missing->pid(), &status, 0) == missing->pid());

  const Folder folder;
  const std::string script = folder.write("script", "exit 9\n", 0755);  // without `#!`
  auto shell = HeldChild::make({.path = script, .words = {"script"}, .prepare = nullptr});
  REQUIRE(shell.ok());
  CHECK(shell->let_go() == 0);
  REQUIRE(::waitpid(shell->pid(), &status, 0) == shell->pid());
  CHECK(WEXITSTATUS(status) == 9);
}

TEST_CASE("of a process's mappings those count that are code of a file") {
  const auto code = parse_mapping("7f3c00028000-7f3c0017d000 r-xp 00028000 fe:01 1441793    /usr/lib/a b\\012c.so");
  REQUIRE(code.has_value());
  CHECK(code->begin == 0x7f3c00028000);
  CHECK(code->end == 0x7f3c0017d000);
  CHECK(code->inode == 1441793);
  CHECK(code->path == "/usr/lib/a b\nc.so");
  CHECK_FALSE(code->deleted);
  const auto deleted = parse_mapping("00400000-00452000 r-xp 00000000 08:02 17 /tmp/gone (deleted)");
  REQUIRE(deleted.has_value());
  CHECK(deleted->path == "/tmp/gone");
  CHECK(deleted->deleted);
  for (const char* other :
       {"7f3c00000000-7f3c00028000 r--p 00000000 fe:01 1441793 /usr/lib/libc.so", "",
        "7ffd1b5f2000-7ffd1b5f4000 r-xp 00000000 00:00 0 [vdso]", "7ffd1b5f2000-7ffd1b5f4000 r-xp 00000000 00:00 0",
        "7f3c00028000", "xyz-1 r-xp 0 0:0 1 /a", "7f3c00028000-7f3c0017d000 r-xp 00028000 fe:01"}) {
    CHECK_FALSE(parse_mapping(other).has_value());
  }
}

TEST_CASE("a process's own files are found, its program first") {
  auto own = open_process_files(::getpid());
  REQUIRE(own.ok());
  REQUIRE_FALSE(own->files.empty());
  CHECK(own->unread.empty());
  std::error_code error;
  CHECK(own->files[0].path == std::filesystem::read_symlink("/proc/self/exe", error).string());
  CHECK(std::ranges::any_of(own->files, [](const FoundFile& file) { return file.name.starts_with("libc.so"); }));
  CHECK(open_process_files(999'999'999).error().exit_status == kFailure);
}

TEST_CASE("what the scanner said of a file is shown with its reason, and escaped") {
  oisp_scan_answer found{};
  found.outcome = OISP_SCAN_FOUND;
  found.site_count = 3;
  std::strcpy(found.family, "OpenSSL 3");
  std::strcpy(found.reason, "the names of its functions");
  found.sites[0] = {.offset = 0x1000, .role = OISP_ROLE_READ, .flags = OISP_SITE_HAS_RETURN};
  found.sites[1] = {.offset = 0x2000, .role = OISP_ROLE_READ};
  found.sites[2] = {.offset = 0x3000, .role = 99};
  CHECK(scan_report("/a", found, false) ==
        "/a\n  OpenSSL 3, found by the names of its functions; probed at: 1 ?, 2 read\n");
  CHECK(scan_report("/a", found, true).find("0x1000  read, and its return\n") != std::string::npos);
  CHECK(scan_report_json("/a", found) ==
        R"({"path":"/a","outcome":"found","family":"OpenSSL 3","found_by":"the names of its functions",)"
        R"("sites":[{"role":"read","offset":4096},{"role":"read","offset":8192},{"role":"?","offset":12288}]})"
        "\n");
  oisp_scan_answer refused{};
  refused.outcome = OISP_SCAN_REFUSED;
  std::strcpy(refused.reason, "rustls: not \x1b supported yet");
  CHECK(scan_report("/\x1b", refused, true) == "/\\x1b\n  not read: rustls: not \\x1b supported yet\n");
}
