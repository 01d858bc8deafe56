"""Programs and libraries from npm, and programs that are built, kept for later runs."""

import filecmp
import os
import shutil
import subprocess

from harness import Skip, check, need

CACHE = os.environ.get("OISP_TEST_CACHE") or os.path.expanduser("~/.cache/oisp-sensor-tests")
DEBIAN_CRATES = "/usr/share/cargo/registry"


def cached_packages(packages):
    """A folder with node_modules of these packages, from npm or an earlier run."""
    name = "-".join(package.replace("/", "_") for package in packages)
    folder = os.path.join(CACHE, name)
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


def rust_client(source, build, profile):
    """The program of a package in Rust, on Debian's crates only: built here with these settings of its release profile, or
    by an earlier run."""
    cargo = "/usr/bin/cargo"
    name = os.path.basename(source)
    if not os.path.exists(cargo) or not os.path.exists(DEBIAN_CRATES):
        raise Skip("cargo, or Debian's crates, are not installed")
    folder = os.path.join(CACHE, "-".join(filter(None, [name, build])))
    main, program = os.path.join(folder, "src/main.rs"), os.path.join(folder, "target/release", name)
    if os.path.exists(program) and filecmp.cmp(main, os.path.join(source, "src/main.rs")):
        return program
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    with open(os.path.join(folder, "config.toml"), "w") as file:
        file.write(f'[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "{DEBIAN_CRATES}"\n')
    settings = {f"CARGO_PROFILE_RELEASE_{key}": value for key, value in {"STRIP": "true", **profile}.items()}
    environment = {"PATH": "/usr/bin:/bin", "HOME": folder, "CARGO_HOME": folder, **settings}
    done = subprocess.run([cargo, "build", "--offline", "--release"], cwd=folder, env=environment, capture_output=True,
                          text=True, timeout=1800)
    if "no matching package" in done.stderr:
        raise Skip(f"crates that {name} needs are not installed")
    check(done.returncode == 0, f"cargo cannot build {name}: {done.stderr[-2000:]}")
    return program
