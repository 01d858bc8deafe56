"""Churn of processes, connections and libraries for a while: what the sensor and the kernel hold for it stays flat."""

import os
import re
import statistics
import time

import plans
from compare import compare
from harness import CLIENTS, case, check, roles
from load import PYTHON, Load

MINUTES = float(os.environ.get("MINUTES") or 0.5)
# After this part of the time everything has been seen once, and tables have their size.
WARM_UP = 0.4
LIBRARY_EACH_S = 3
# A shorter soak sees probes grow, which go half a minute after their last user, and a few big bodies more or less.
IS_LONG = MINUTES >= 4

# What may be more in the second half than in the first: a part, and so much besides, for noise.
GROWTH = {"kib": (0.1, 2048 if IS_LONG else 8192), "descriptors": (0, 4), "kernel_kib": (0.02, 64),
          "links": (0.2, 16 if IS_LONG else 1000)}


def read(name):
    with open(name) as file:
        return file.read()


def held_by_kernel(launcher):
    """KiB of BPF maps and programs, and the number of links, by the launcher's descriptors: it has all of them."""
    kib, links = {}, set()
    folder = f"/proc/{launcher}/fdinfo"
    for number in os.listdir(folder):
        try:
            fields = dict(line.split(":\t", 1) for line in read(f"{folder}/{number}").splitlines() if ":\t" in line)
        except OSError:
            continue  # closed meanwhile
        if "link_id" in fields:
            links.add(fields["link_id"])
        elif "memlock" in fields:
            kib["map", fields.get("map_id"), fields.get("prog_id")] = int(fields["memlock"]) / 1024
    return sum(kib.values()), len(links)


def measure(recording, lives):
    """One sample: (what, of whom) -> value. `lives` are the roles that have to live on."""
    sample = {}
    for name, pid in lives.items():
        check(os.path.exists(f"/proc/{pid}/smaps_rollup"), f"{name} has died: {recording.text()[-1000:]}")
        sample["kib", name] = int(re.search(r"^Pss:\s+(\d+)", read(f"/proc/{pid}/smaps_rollup"), re.M).group(1))
        sample["descriptors", name] = len(os.listdir(f"/proc/{pid}/fd"))
    sample["kernel_kib", "BPF"], sample["links", "BPF"] = held_by_kernel(lives["oisp-launcher"])
    # One for each link, and some on their way.
    sample["descriptors", "oisp-launcher"] -= sample["links", "BPF"]
    return sample


def steady_roles(recording):
    return {name: pid for name, pid in roles(recording.pid).items() if name not in ("oisp-sensor", "oisp-elf-scanner")}


def judge(samples):
    """The lowest tenths of the two halves, since what big bodies take comes and goes and a leak stays; what grew too
    much."""
    samples = samples[int(len(samples) * WARM_UP):]
    halves = samples[:len(samples) // 2], samples[len(samples) // 2:]
    grown, told = [], []
    for key in samples[0]:
        what, whom = key
        before, after = (statistics.quantiles([sample[key] for sample in half], n=10)[0] for half in halves)
        part, besides = GROWTH[what]
        told.append(f"{whom} {what} {before:.0f} → {after:.0f}")
        if after > before * (1 + part) + besides:
            grown.append(told[-1])
    return grown, told


@case
def soak(bench):
    load = Load(bench, pause=0.2)
    plan = [plans.openai("Break off demo:big demo:slow", stream=True),
            plans.anthropic("Break off demo:big demo:slow", stream=True)]
    load.clients += [f"PAUSE=0.5 {PYTHON} {CLIENTS}/client.py abort {bench.write_plan(plan)}",
                     f"PAUSE=0.5 {PYTHON} {CLIENTS}/client.py urllib {load.plan()}"]
    recording = load.start()
    lives = steady_roles(recording)
    samples = []
    end = time.monotonic() + 60 * MINUTES
    libraries = 0
    last = 0.0
    while time.monotonic() < end and recording.process.poll() is None:
        if time.monotonic() - last > LIBRARY_EACH_S and len(load.waiting) < 3:
            load.add_library()
            libraries += 1
            last = time.monotonic()
        load.let_go()
        load.remove_used()
        samples.append(measure(recording, lives))
        time.sleep(0.5)
    entries = load.stop()
    compare(recording, entries)
    grown, told = judge(samples)
    print(f"     {len(entries)} exchanges, {libraries} libraries, {len(recording.events('process.exec'))} programs; "
          f"{'; '.join(told)}", flush=True)
    check(not grown, f"grown: {'; '.join(grown)}")
