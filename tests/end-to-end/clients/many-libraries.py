"""Starts short-lived programs, each with its own copy of a library: many-libraries.py LIBRARY [COUNT]. One after
the other, COUNT of them or until the input ends; each copy is deleted when its program has ended. Says how many
ended well."""

import os
import select
import shutil
import subprocess
import sys
import tempfile

library = sys.argv[1]
count = int(sys.argv[2]) if len(sys.argv) > 2 else 0


def goes_on(number):
    return number < count if count else not select.select([sys.stdin], [], [], 0)[0]


number = whole = 0
with tempfile.TemporaryDirectory() as folder:
    print("started", flush=True)
    while goes_on(number):
        copy = os.path.join(folder, f"{number}-{os.path.basename(library)}")
        shutil.copy(library, copy)
        whole += subprocess.run(["/bin/true"], env={"LD_PRELOAD": copy}).returncode == 0
        os.unlink(copy)
        number += 1
print(f"{number} programs, {number - whole} harmed", flush=True)
