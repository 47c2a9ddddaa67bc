# SPDX-License-Identifier: BSD-3-Clause
"""The stack as an operator installs it, in a systemd that tests/systemd/boot has booted: this whole program is a
unit of it, and everything it changes is gone when it ends."""
import json
import os
import signal
import socket
import subprocess
import time

import pytest

BUILD_DIR = os.environ["MPA_BUILD_DIR"]
SOURCE_DIR = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONFIG = "/usr/local/etc/mpa/mpa.yaml"
ADDRESS, LOCAL, TAP = "10.77.0.2", "10.77.0.1/24", "mpa0"
UNITS = ["mpa-controld.service", "mpa-frontend.service", "mpa-worker@0.service", "mpa-worker@1.service",
         "mpa-attach.socket", "mpa.target"]


def run(*command, check=True, timeout=30):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done


def wait_until(condition, what, timeout=15):
    """Polls: what it waits for are states of other processes."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}\n{run('journalctl', '-n', '40', '--no-pager').stdout}"
        time.sleep(0.02)


def show(unit, name):
    return run("systemctl", "show", "--value", "-p", name, unit).stdout.strip()


def pid(unit):
    return int(show(unit, "MainPID"))


def is_active(unit):
    return show(unit, "ActiveState") == "active"


def is_listening(address=(ADDRESS, 7)):
    try:
        socket.create_connection(address, 1).close()
    except OSError:
        return False
    return True


def journal(*matches):
    """Entries as objects, every field of them."""
    run("journalctl", "--sync")
    lines = run("journalctl", "-o", "json", "--no-pager", *matches).stdout.splitlines()
    return [json.loads(line) for line in lines]


class System:
    """The installed stack."""

    def status(self):
        done = run("mpactl", "--json", "status", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {"state": "away", "processes": []}

    def start(self):
        run("systemctl", "start", "mpa.target", timeout=60)
        return self.up()

    def up(self):
        wait_until(lambda: self.status()["state"] == "running" and
                   len([p for p in self.status()["processes"] if p["state"] == "running"]) == 4, "state running")
        if LOCAL not in run("ip", "addr", "show", "dev", TAP).stdout:
            run("ip", "addr", "add", LOCAL, "dev", TAP)
        wait_until(is_listening, "an answer")
        return self

    def stop(self):
        run("systemctl", "stop", "mpa.target", timeout=60)

    def pids(self):
        return {unit: pid(unit) for unit in UNITS[:4]}


class Echo:
    """One connection to the echo service, that must never break."""

    def __init__(self):
        self.socket = socket.create_connection((ADDRESS, 7), 5)
        self.socket.settimeout(20)
        self.n = 0

    def check(self):
        self.n += 1
        line = f"{self.n:08d}".encode() * 100
        self.socket.sendall(line)
        got = b""
        while len(got) < len(line):
            part = self.socket.recv(len(line) - len(got))
            assert part, "the connection has ended"
            got += part
        assert got == line

    def close(self):
        self.socket.close()


def kill(unit, number=signal.SIGKILL):
    os.kill(pid(unit), number)


def is_sanitized():
    with open(os.path.join(BUILD_DIR, "CMakeCache.txt")) as cache:
        return any(line.startswith("MPA_SANITIZE:") and line.strip()[-1] != "=" for line in cache)


def allow_sanitizer():
    """The leak checker traces its own process at the end, and what the units allow is less than that."""
    for name in ("mpa-controld.service", "mpa-frontend.service", "mpa-worker@.service"):
        os.makedirs(f"/run/systemd/system/{name}.d")
        with open(f"/run/systemd/system/{name}.d/sanitizer.conf", "w") as drop_in:
            drop_in.write("[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n")


@pytest.fixture(scope="session")
def installed():
    run("cmake", "--install", BUILD_DIR, timeout=60)
    with open(CONFIG, "a") as config:
        config.write("host:\n  slaac: false\nworker:\n  count: 2\n  fifo_memory_mib: 32\n  stack_memory_mib: 32\n")
    if is_sanitized():
        allow_sanitizer()
    run("systemd-sysusers")
    run("systemd-tmpfiles", "--create", "/usr/local/lib/tmpfiles.d/mpa.conf")
    run("systemctl", "daemon-reload")
    return System()


@pytest.fixture
def system(installed):
    """The stack, up, whatever the test before has left."""
    run("systemctl", "reset-failed")
    yield installed.start()


@pytest.fixture
def echo(system):
    it = Echo()
    it.check()
    yield it
    it.close()
