#!/usr/bin/env python3
"""What the elf-scanner says of the program files of this machine: run.py BUILD_DIR [FOLDER or FILE…].

Prints each that holds a TLS library, how long the slowest scan took, and at last a count of its own three cases: every
file is scanned, none is a false hit, none needs too much memory. A hit is judged without the scanner: by the names that the file
defines, or, where it is stripped, by texts that only the library's own code has.
"""

import collections
import json
import os
import subprocess
import sys

FOLDERS = ["/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec", "/usr/local", "/opt",
           os.environ.get("OISP_TEST_CACHE") or os.path.expanduser("~/.cache/oisp-sensor-tests")]
# Beside the mapped file.
MOST_KIB = 16 << 10


def is_program_file(path):
    try:
        with open(path, "rb") as file:
            head = file.read(20)
    except OSError:
        return False
    return head[:4] == b"\x7fELF" and head[16:17] in (b"\x02", b"\x03")  # programs and shared libraries


def program_files(places):
    for place in places:
        if os.path.isfile(place):
            yield place
        for folder, _, names in os.walk(place):
            for name in sorted(names):
                path = os.path.join(folder, name)
                if not os.path.islink(path) and os.path.isfile(path) and is_program_file(path):
                    yield path


def defines(path, names):
    """Whether the file has these functions by name, dynamic or static."""
    found = set()
    for options in (["-D"], []):
        listed = subprocess.run(["nm", *options, "--defined-only", path], capture_output=True, text=True, errors="replace")
        found |= {line.split()[-1].split("@")[0] for line in listed.stdout.splitlines() if line.split()}
    return found >= names


def holds(path, texts):
    with open(path, "rb") as file:
        data = file.read()
    return all(text in data for text in texts)


def is_true_hit(path, family):
    if defines(path, {"SSL_read", "SSL_write"}):
        return True
    if family == "rustls":
        return holds(path, [b"rustls", b"CLIENT_HANDSHAKE_TRAFFIC_SECRET", b"tls13 "])
    return family == "BoringSSL" and holds(path, [b"OPENSSL_internal", b"APPLICATION_DATA_ON_SHUTDOWN"])


def main():
    build, places = sys.argv[1], sys.argv[2:] or FOLDERS
    paths = list(dict.fromkeys(path for path in program_files(places) if "\n" not in path))
    tool = os.path.join(build, "tests/scan/test-scan-files")
    done = subprocess.run([tool], input="\n".join(paths), capture_output=True, text=True)
    counts, false_hits, large, slowest = collections.Counter(), [], [], (0.0, "")
    for line in done.stdout.splitlines():
        said, path = line.split("\t", 1)
        said = json.loads(said)
        verdict = said["outcome"]
        if verdict == "hit" and not is_true_hit(path, said["family"]):
            verdict = "FALSE HIT"
            false_hits.append(path)
        slowest = max(slowest, (said["seconds"], path))
        large += [path] * (said["private_kib"] > MOST_KIB)
        counts[verdict] += 1
        if verdict in ("hit", "refused", "FALSE HIT"):
            print(f"{verdict}: {path} ({said['bytes'] >> 20} MiB, {said['seconds']:.2f} s): "
                  f"{said['family'] or said['reason']} {' '.join(said['roles'])}")
    print(f"{sum(counts.values())} files of {len(paths)}: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common()))
    print(f"the slowest: {slowest[0]:.2f} s, {slowest[1]}")
    whole = done.returncode == 0 and sum(counts.values()) == len(paths)
    cases = {"every file is scanned": whole, "no false hit": not false_hits, f"at most {MOST_KIB} KiB": not large}
    for name, good in cases.items():
        print("PASS" if good else "FAIL", name, *false_hits[:5] if name == "no false hit" else [])
    print(f"{sum(cases.values())} passed, {len(cases) - sum(cases.values())} failed")
    return 0 if all(cases.values()) else 1


if len(sys.argv) < 2:
    sys.exit(__doc__)
sys.exit(main())
