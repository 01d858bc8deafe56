"""Programs and libraries from npm, kept for later runs."""

import os
import subprocess

from harness import Skip, check, need


def cached_packages(packages):
    """A folder with node_modules of these packages, from npm or an earlier run."""
    name = "-".join(package.replace("/", "_") for package in packages)
    cache = os.environ.get("OISP_TEST_CACHE") or os.path.expanduser("~/.cache/oisp-sensor-tests")
    folder = os.path.join(cache, name)
    if os.path.exists(os.path.join(folder, "installed")):
        return folder
    need("npm")
    os.makedirs(folder, exist_ok=True)
    command = ["npm", "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", *packages]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    except subprocess.TimeoutExpired:
        raise Skip(f"npm does not answer (wanted {' '.join(packages)})") from None
    if done.returncode != 0:
        raise Skip(f"npm cannot install {' '.join(packages)}: {(done.stderr.strip().splitlines() or ['?'])[-1][:200]}")
    open(os.path.join(folder, "installed"), "w").close()
    return folder


def program_of(package, name):
    folder = os.path.join(cached_packages([package]), "node_modules", package.rsplit("@", 1)[0])
    program = os.path.join(folder, name)
    check(os.path.exists(program), f"{program} is missing")
    return program


def bun_program(version):
    return program_of(f"@oven/bun-linux-x64@{version}", "bin/bun")
