# SPDX-License-Identifier: BSD-3-Clause
"""A real mpa-controld and mpactl over the fake data plane of tests/integration/fake, for the tests of the control
plane: Unix sockets in a folder of their own, no network."""
import json
import os
import signal
import subprocess
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD_DIR = os.environ.get("MPA_BUILD_DIR", os.path.join(ROOT, "build", "release"))
CONTROLD = os.path.join(BUILD_DIR, "controlplane", "controld", "mpa-controld")
MPACTL = os.path.join(BUILD_DIR, "controlplane", "mpactl", "mpactl")
FAKE_DIR = os.path.join(BUILD_DIR, "tests", "integration", "fake")
OK, FAILED, USAGE, NO_DAEMON = 0, 1, 2, 3


def wait_until(condition, what, timeout=15):
    """Polls: what it waits for are states of other processes."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.02)


def is_alive(pid):
    """True for a process that runs; what nobody has waited for yet is dead all the same."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Control:
    """One mpa-controld over fakes."""

    def __init__(self, folder):
        self.dir = folder
        self.log_path = os.path.join(folder, "log")
        self.process = None
        self.pids = set()

    def play(self, fault):
        """Leaves a file that the fakes look for."""
        open(os.path.join(self.dir, fault), "w").close()

    def unplay(self, fault):
        os.unlink(os.path.join(self.dir, fault))

    def start(self, *words):
        with open(self.log_path, "a") as log:
            self.process = subprocess.Popen(
                [CONTROLD, "--runtime-dir", self.dir, "--bin-dir", FAKE_DIR, *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def log(self):
        with open(self.log_path) as log:
            return log.read()

    def mpactl(self, *words, timeout=30):
        return subprocess.run([MPACTL, "--runtime-dir", self.dir, *words], capture_output=True, text=True,
                              timeout=timeout)

    def json(self, *words):
        done = self.mpactl("--json", *words)
        assert done.returncode == OK, done.stderr
        return json.loads(done.stdout)

    def status(self):
        """The status, or an empty one while nobody answers. Remembers every pid it sees."""
        done = self.mpactl("--json", "status")
        if done.returncode != OK:
            return {"state": "away", "processes": []}
        status = json.loads(done.stdout)
        self.pids |= {p["pid"] for p in status["processes"] if p["pid"]}
        return status

    def worker(self, slot):
        return next(p for p in self.status()["processes"] if p["role"] == "worker" and p["slot"] == slot)

    def frontend(self):
        return next(p for p in self.status()["processes"] if p["role"] == "frontend")

    def up(self):
        wait_until(lambda: self.status()["state"] == "running", f"state running; log:\n{self.log()}")
        return self

    def end(self):
        """The exit code, with nothing left behind."""
        code = self.process.wait(timeout=20)
        wait_until(lambda: not any(map(is_alive, self.pids)), "the end of every process")
        return code

    def clean(self):
        """After a test, however it went: ends what it started, by number."""
        if self.process is None:
            return
        self.status()
        self.process.kill()
        self.process.wait()
        # Whoever has died too early to be asked: the frontend knows the workers.
        self.mpactl("stop")
        for pid in self.pids:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def control(tmp_path):
    os.chmod(tmp_path, 0o755)
    it = Control(str(tmp_path))
    yield it
    it.clean()


@pytest.fixture
def events(control):
    """events(): a reader of events as JSON objects, one a line, that is listening already."""
    readers = []

    def listen():
        reader = subprocess.Popen([MPACTL, "--runtime-dir", control.dir, "--json", "events", "--seconds", "60"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        readers.append(reader)
        assert reader.stderr.readline().startswith("listening")
        control.status()  # a round trip later controld has seen it too
        return reader
    yield listen
    for reader in readers:
        reader.kill()
        reader.communicate()


def next_event(reader, kind, slot=None, timeout=15):
    """Reads events until one of the kind comes; the reader itself ends after a minute."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        event = json.loads(reader.stdout.readline())
        if event["kind"] == kind and slot in (None, event["slot"]):
            return event
    raise AssertionError(f"no event {kind}")
