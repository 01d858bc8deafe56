"""Ordinary users: with the right to raise privilege, without it, and under sudo. The users are made for the
case and removed after it."""

import contextlib
import glob
import os
import pwd
import shutil
import stat
import subprocess

import plans
from compare import compare
from harness import CLIENTS, ROOT, Skip, case, check, need

PROGRAMS = ["oisp-sensor", "oisp-launcher", "oisp-supervisor", "oisp-probe-helper", "oisp-file-opener",
            "oisp-elf-scanner", "oisp-collector", "oisp-exporter-jsonl", "oisp-exporter-terminal"]


@contextlib.contextmanager
def user(may_sudo):
    """A user with a home of mode 0700 that holds a copy of the built tree."""
    need("sudo", "useradd", "userdel")
    name = "oisptest1" if may_sudo else "oisptest2"
    rule = f"/etc/sudoers.d/{name}"
    subprocess.run(["userdel", "-r", name], capture_output=True)
    made = subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], capture_output=True, text=True)
    if made.returncode != 0:
        raise Skip(f"useradd: {made.stderr.strip()}")
    try:
        if may_sudo:
            with open(rule, "w") as file:
                file.write(f"{name} ALL=(ALL) NOPASSWD: ALL\n")
            os.chmod(rule, 0o440)
        entry = pwd.getpwnam(name)
        os.chmod(entry.pw_dir, 0o700)
        yield entry
    finally:
        if os.path.exists(rule):
            os.remove(rule)
        subprocess.run(["userdel", "-r", name], capture_output=True, check=True)


def copy_tree(bench, entry):
    folder = os.path.join(entry.pw_dir, "build")
    os.mkdir(folder)
    for program in PROGRAMS:
        shutil.copy(os.path.join(bench.build, program), folder)
    subprocess.run(["chown", "-R", f"{entry.pw_uid}:{entry.pw_gid}", entry.pw_dir], check=True)
    return os.path.join(folder, "oisp-sensor")


def clients(bench):
    """The client and its plan where every user may read them."""
    folder = os.path.join(bench.folder, f"clients-{bench.next_number()}")
    shutil.copytree(CLIENTS, folder)
    for module in glob.glob(os.path.join(ROOT, "demo", "*.py")):
        shutil.copy(module, folder)  # the client compares with them
    return os.path.join(folder, "client.py")


def environment(bench, entry):
    return bench.environment(HOME=entry.pw_dir, USER=entry.pw_name, LOGNAME=entry.pw_name,
                             PATH="/usr/bin:/bin:/usr/sbin:/sbin")


@case
def user_with_sudo_and_a_private_home(bench):
    with user(may_sudo=True) as entry:
        plan = plans.everything()
        recording = bench.start(["--", "/usr/bin/python3", clients(bench), "connection", bench.write_plan(plan)],
                                user=entry, program=copy_tree(bench, entry), env=environment(bench, entry),
                                cwd=entry.pw_dir)
        check(recording.wait() == 0, recording.text())
        information = os.stat(recording.file)
        check(information.st_uid == entry.pw_uid, f"the file belongs to {information.st_uid}")
        check(stat.S_IMODE(information.st_mode) == 0o600, f"mode {oct(information.st_mode)}")
        check(all(event["actor"]["uid"] == entry.pw_uid for event in recording.events("ai.request")), "actor.uid")
        compare(recording, bench.provider.entries(len(plan)))


@case
def user_without_sudo(bench):
    with user(may_sudo=False) as entry:
        recording = bench.start(["--", "sh", "-c", "echo ran"], user=entry, program=copy_tree(bench, entry),
                                env=environment(bench, entry), cwd=entry.pw_dir)
        status = recording.wait()
        check(status == 3, f"status {status}, not 3: {recording.text()}")
        check("sudo" in recording.text() or "root" in recording.text(), f"no sentence: {recording.text()}")
        check(recording.stdout == b"", "CMD ran although it is not recorded")


@case
def under_sudo_it_acts_for_the_user(bench):
    with user(may_sudo=True) as entry:
        recording = bench.start(["--", "id", "-u"], user=entry, prefix=["sudo", "-n"],
                                program=copy_tree(bench, entry), env=environment(bench, entry), cwd=entry.pw_dir)
        check(recording.wait() == 0, recording.text())
        check(recording.stdout.decode().strip() == str(entry.pw_uid), f"CMD ran as uid {recording.stdout}")
        information = os.stat(recording.file)
        check(information.st_uid == entry.pw_uid, f"the file belongs to {information.st_uid}")
