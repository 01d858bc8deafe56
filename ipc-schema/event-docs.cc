// event-docs FOLDER: writes the event reference and the JSON Schema.
// event-docs --check FOLDER: says whether those that are there are current.
#include "ipc-schema/event-docs.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string_view>

namespace {

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  const bool check = argc == 3 && std::string_view(argv[1]) == "--check";
  if (!check && argc != 2) {
    std::fprintf(stderr, "usage: %s [--check] FOLDER\n", argv[0]);
    return 2;
  }
  const std::string folder = argv[argc - 1];
  int status = 0;
  const auto handle = [&](const char* name, const std::string& text) {
    const std::string path = folder + '/' + name;
    if (!check) {
      std::ofstream(path, std::ios::binary) << text;
    }
    if (content_of(path) != text) {
      std::fprintf(stderr, "%s is not current: run build/ipc-schema/event-docs docs\n", path.c_str());
      status = 1;
    }
  };
  handle("events.md", oisp::make_event_reference());
  handle("oisp-sensor-event.schema.json", oisp::make_event_schema());
  return status;
}
