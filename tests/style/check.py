#!/usr/bin/env python3
"""The rules that no compiler checks: check.py [ROOT]. Dependencies point one way, the privileged side stays
small and parses nothing, and the threat model names every entry point of a stranger's bytes."""

import os
import re
import subprocess
import sys

ROOT = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CODE = (".cc", ".h", ".c")
OURS = {"base", "bpf", "ipc-schema", "launcher", "supervisor", "probe-helper", "elf-scanner", "collector", "exporters", "cli", "tests"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)

# folder -> folders of ours that it may include besides itself and base.
MAY_INCLUDE = {
    "base": set(),
    "bpf": set(),
    "ipc-schema": {"bpf"},
    "launcher": {"ipc-schema", "bpf/shared-maps.h"},
    "supervisor": {"ipc-schema/order", "ipc-schema/sink.h", "ipc-schema/stream-pair.h"},
    "probe-helper": {"ipc-schema", "bpf", "elf-scanner/scan-answer.h"},
    "elf-scanner": {"bpf", "ipc-schema/order.h"},
    "collector": {"ipc-schema", "bpf"},
    "exporters": {"ipc-schema"},
    "cli": {"ipc-schema", "exporters/terminal", "exporters/common", "elf-scanner/scan-answer.h",
            "bpf/records.h", "bpf/btf.h", "bpf/libbpf.h"},  # the last two are libbpf's
}
# What parses, and what the privileged side therefore never includes.
PARSERS = re.compile(r"uv\.h|simdjson|llhttp|zlib|re2/|capstone|elf\.h|sodium|CLI/|base/event-loop")
# Programs with capabilities, and all that is linked into them; generated code aside.
SHARED = r"base/(?!printable|utf8)[^/]+$|ipc-schema/order\.[^/]*$"
PRIVILEGED = {
    "oisp-launcher": re.compile(rf"launcher/|{SHARED}"),
    "oisp-probe-helper": re.compile(rf"probe-helper/(?!opener)|ipc-schema/helper-codec|{SHARED}"),
    "oisp-file-opener": re.compile(rf"probe-helper/(opener|open-)|{SHARED}"),
}
# Of all of them, each file once; and of their two folders with comments and empty lines.
MOST_PRIVILEGED_LINES = 2500
MOST_LINES_PER_FILE = 500

failures = []


def files(folder):
    for place, _, names in os.walk(os.path.join(ROOT, folder)):
        for name in sorted(names):
            if name.endswith(CODE):
                yield os.path.relpath(os.path.join(place, name), ROOT)


def text_of(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def is_test(name):
    return name.endswith(("-test.cc", "-fuzz.cc")) or "/test-" in name


def check_includes():
    for folder, allowed in MAY_INCLUDE.items():
        for name in files(folder):
            if is_test(name):
                continue
            for _, included in INCLUDE.findall(text_of(name)):
                top = included.split("/")[0]
                if top not in OURS or top in (folder, "base"):
                    continue
                if folder == "base" or not any(included.startswith(one) for one in allowed):
                    failures.append(f"{name} includes {included}: {folder} may not depend on it")


def check_exporters():
    """No exporter includes another one."""
    for name in files("exporters"):
        own = name.split("/")[1]
        for _, included in INCLUDE.findall(text_of(name)):
            parts = included.split("/")
            if parts[0] == "exporters" and len(parts) > 2 and parts[1] not in (own, "common"):
                failures.append(f"{name} includes {included} of another exporter")


def check_privileged():
    """What has privilege parses nothing, and is small enough to be read in an afternoon."""
    lines_of = {}
    for program, linked in PRIVILEGED.items():
        names = [name for folder in MAY_INCLUDE for name in files(folder) if not is_test(name) and linked.match(name)]
        for name in names:
            text = text_of(name)
            lines_of[name] = code_lines(text)
            for _, included in INCLUDE.findall(text):
                if PARSERS.search(included):
                    failures.append(f"{name} includes {included}: what has privilege parses nothing")
            if re.search(r"\b(printable|utf8_\w+)\(", text) and name != "base/log.h":
                failures.append(f"{name} shows a stranger's bytes: count base/printable.cc with the privileged side")
        print(f"{program}: {sum(lines_of[name] for name in names)} lines of code with all that is linked into it")
    check_lines("lines of code of all of them", sum(lines_of.values()))
    own = [name for folder in ("launcher", "probe-helper") for name in files(folder) if not is_test(name)]
    check_lines("lines of launcher/ and probe-helper/", sum(text_of(name).count("\n") for name in own))


def check_lines(what, lines):
    print(f"{what}: {lines}, of less than {MOST_PRIVILEGED_LINES}")
    if lines >= MOST_PRIVILEGED_LINES:
        failures.append(f"{what}: {lines}")


def code_lines(text):
    """Lines that are neither empty nor only a comment."""
    return sum(1 for line in text.splitlines() if line.strip() and not line.strip().startswith("//"))


def check_shape():
    for folder in MAY_INCLUDE:
        for name in files(folder):
            lines = text_of(name).count("\n")
            if lines > MOST_LINES_PER_FILE * 1.2:
                failures.append(f"{name} has {lines} lines: look whether it is two rooms")
            if re.search(r"\b(TODO|FIXME|XXX)\b", text_of(name)):
                failures.append(f"{name} has an unfinished thought")
    for name in files("."):
        if "uv.h>" in text_of(name) and not name.startswith("base/event-loop/") and not name.startswith("build"):
            failures.append(f"{name} includes <uv.h>, which only base/event-loop does")


def check_threat_model():
    """docs/threat-model.md lists each function that decodes a stranger's bytes, and no other; each is fuzzed."""
    declared = set()
    fuzzed = " ".join(text_of(name) for folder in MAY_INCLUDE for name in files(folder) if name.endswith("-fuzz.cc"))
    for folder in MAY_INCLUDE:
        for name in files(folder):
            if name.endswith(".h") and not is_test(name):
                code = re.sub(r"//.*", "", text_of(name))
                declared |= set(re.findall(r"\b(decode_\w+)\s*\(", code))
    listed = set(re.findall(r"\b(decode_\w+)\b", text_of("docs/threat-model.md")))
    for name in sorted(declared - listed):
        failures.append(f"docs/threat-model.md does not list {name}")
    for name in sorted(declared):
        if name not in fuzzed:
            failures.append(f"{name} has no fuzzer")
    for name in sorted(listed - declared):
        failures.append(f"docs/threat-model.md lists {name}, which no header declares")


def check_links():
    """Files that the documentation names exist."""
    named = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "*.md"], capture_output=True, text=True).stdout.split()
    for name in listed:
        for target in named.findall(text_of(name)):
            if not os.path.exists(os.path.join(ROOT, os.path.dirname(name), target)):
                failures.append(f"{name} links to {target}, which is not there")


for rule in (check_includes, check_exporters, check_privileged, check_shape, check_threat_model, check_links):
    rule()
for failure in failures:
    print("FAIL", failure)
sys.exit(1 if failures else 0)
