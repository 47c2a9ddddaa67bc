# SPDX-License-Identifier: BSD-3-Clause
"""The stacks under comparison, behind one interface: baseline (stock lwIP on a plain TAP), ours, kernel.

A stack is started in a namespace and serves echo 7, discard 9, chargen 19 and http 80 at 10.77.0.2 and
fd77::2; the namespace's side of the link is 10.77.0.1 and fd77::1.
"""
import json
import os
import time
import subprocess

from netlab import LabError

ADDRESS4, ADDRESS6 = "10.77.0.2", "fd77::2"
LOCAL4, LOCAL6 = "10.77.0.1", "fd77::1"
# More source addresses for runs that need more than one address has ports: .101 to .108
SOURCE4, N_SOURCES = "10.77.0.101", 8
TAP = "mpa0"
# The peer's congestion control, set on each socket: a namespace may not choose its own default.
CONGESTION = "cubic"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD_DIR = os.path.abspath(os.environ.get("MPA_BUILD_DIR", os.path.join(ROOT, "build", "release")))


class NotBuilt(LabError):
    """A program that the run needs is not there."""


def program(name, *folders):
    """The path of a built program: in the given folders of the build tree, or anywhere the build puts it."""
    for folder in folders:
        path = os.path.join(BUILD_DIR, folder, name)
        if os.access(path, os.X_OK):
            return path
    raise NotBuilt(f"{name}: not built in {BUILD_DIR}")


def peer_program():
    return program("mpa-peer", "tests/support/peer")


def peer(space, *words, pin=None, timeout=60):
    """Runs mpa-peer in a namespace, on the CPU `pin` if given. Returns its JSON object; raises LabError with its
    line when it fails."""
    wrapper = () if pin is None else ("taskset", "-c", pin)
    text = space.run(*wrapper, peer_program(), *words, timeout=timeout)
    return json.loads(text) if text else {}


def process_stats():
    """(pid, name, fields) of every process in sight; the fields are those of /proc/PID/stat from the state on: the
    name before them may hold anything."""
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as stat:
                text = stat.read()
        except OSError:
            continue  # it has just ended
        end = text.rindex(")")
        yield int(entry), text[text.index("(") + 1:end], text[end + 2:].split()


def descendants(pid):
    """A process and all it has started, as {pid: name}; without those that have ended and wait to be reaped."""
    parents, names = {}, {}
    for entry, name, (state, parent, *_) in process_stats():
        if state == "Z":
            continue
        names[entry] = name
        parents[entry] = int(parent)
    family = {pid} & names.keys()
    while True:
        more = {p for p, parent in parents.items() if parent in family} - family
        if not more:
            return {p: names[p] for p in sorted(family)}
        family |= more


class Stack:
    """start(), ready(), stop(); `processes()` are its pids with names."""
    name = "?"
    address4, address6 = ADDRESS4, ADDRESS6

    def __init__(self, lab, space):
        self.lab, self.space, self.process = lab, space, None

    def ready(self, timeout=10):
        try:
            peer(self.space, "ready", "--to", self.address4, "--timeout", timeout, timeout=timeout + 5)
        except LabError as error:
            raise LabError(f"{self.name}: {error}; its last words: {self.last_words()}") from None
        return self

    def last_words(self):
        with open(self.process.log_path) as log:
            lines = log.read().strip().splitlines()
        return lines[-1] if lines else "(none)"

    def processes(self):
        return descendants(self.process.pid)

    def stop(self):
        if self.process is not None:
            self.lab.stop(self.process)

    def make_tap(self, vnet_hdr):
        sources = [f"10.77.0.{101 + i}/24" for i in range(N_SOURCES)]
        self.space.tap(TAP, f"{LOCAL4}/24", f"{LOCAL6}/64", *sources, vnet_hdr=vnet_hdr)


class Baseline(Stack):
    name = "baseline"

    def start(self, page_bytes=512, routed=False, wrapper=()):
        binary = program("mpa-bench-baseline", "tests/bench/baseline")
        self.make_tap(vnet_hdr=False)
        self.process = self.space.start(
            *wrapper, binary, "--tap", TAP, "--ip4", f"{ADDRESS4}/24", "--ip6", f"{ADDRESS6}/64",
            "--gateway4", LOCAL4, "--page-bytes", page_bytes, log="baseline.log")
        return self

    def options_line(self):
        with open(self.process.log_path) as log:
            return log.readline().strip()


class Ours(Stack):
    """mpa-controld with its frontend and workers, on a TAP with offload."""
    name = "ours"
    programs = {"mpa-controld": "controlplane/controld", "mpa-frontend": "dataplane/frontend",
                "mpa-worker": "dataplane/worker", "mpactl": "controlplane/mpactl"}

    @property
    def runtime_dir(self):
        return os.path.join(self.lab.dir, "runtime")

    def bin_dir(self, wrapper):
        """One folder with all programs; with a wrapper the worker is run under it."""
        folder = os.path.join(self.lab.dir, "bin")
        os.makedirs(folder, exist_ok=True)
        for name, home in self.programs.items():
            path = os.path.join(folder, name)
            if os.path.lexists(path):
                os.unlink(path)
            if wrapper and name == "mpa-worker":
                with open(path, "w") as script:
                    script.write(f"#!/bin/sh\nexec {' '.join(wrapper)} {program(name, home)} \"$@\"\n")
                os.chmod(path, 0o755)
            else:
                os.symlink(program(name, home), path)
        return folder

    def write_config(self, page_bytes, sections):
        root = os.path.join(self.lab.dir, "www")
        os.makedirs(root, exist_ok=True)
        with open(os.path.join(root, "index.html"), "w") as page:
            page.write("x" * page_bytes)
        settings = {"nic": {"backend": "tap", "name": TAP},
                    "host": {"slaac": "false", "addresses": f"[{ADDRESS4}/24, {ADDRESS6}/64]"},
                    "services": {"http_root": root}}
        for name, keys in sections.items():
            settings.setdefault(name, {}).update(keys)
        path = os.path.join(self.lab.dir, "mpa.yaml")
        with open(path, "w") as config:
            for name, keys in settings.items():
                config.write(f"{name}:\n" + "".join(f"  {key}: {value}\n" for key, value in keys.items()))
        return path

    def start(self, page_bytes=512, routed=False, wrapper=(), workers=2, **sections):
        """`sections` are of the configuration, over what we choose: start(nic={"mtu": 1400})."""
        folder = self.bin_dir(wrapper)
        sections.setdefault("worker", {})["count"] = workers
        if routed:
            sections.setdefault("host", {}).update(gateway4=LOCAL4, gateway6=LOCAL6)
        if sections.get("nic", {}).get("backend", "tap") == "tap":
            self.make_tap(vnet_hdr=True)
        config = self.write_config(page_bytes, sections)
        self.n_workers = sections.get("worker", {}).get("count", workers)
        os.makedirs(self.runtime_dir, exist_ok=True)
        self.command = (os.path.join(folder, "mpa-controld"), "--config", config,
                        "--runtime-dir", self.runtime_dir, "--bin-dir", folder)
        return self.start_again()

    def ready(self, timeout=10):
        """All workers serve: a bucket that moves later would take its connections with it."""
        super().ready(timeout)
        deadline = time.monotonic() + timeout
        while sum(worker["state"] == "serving" for worker in self.mpactl("workers")["workers"]) < self.n_workers:
            if time.monotonic() > deadline:
                raise LabError(f"{self.name}: not all workers serve; its last words: {self.last_words()}")
            time.sleep(0.02)
        return self

    def start_again(self):
        """Another controld with the same configuration, after the first has gone."""
        self.process = self.space.start(*self.command, log="controld.log")
        return self

    def mpactl(self, *words):
        """Runs mpactl with --json. Returns what it says."""
        text = self.space.run(program("mpactl", self.programs["mpactl"]), "--runtime-dir", self.runtime_dir,
                              *words, "--json")
        return json.loads(text)

    def counters(self, scope):
        """The counters of "nic", or of all lanes ("lane") or workers ("worker") together, by name."""
        sums = {}
        for stat in self.mpactl("stats")["stats"]:
            if stat["scope"].rstrip("0123456789") == scope and not stat["is_gauge"]:
                sums[stat["name"]] = sums.get(stat["name"], 0) + int(stat["value"])
        return sums

    def log(self):
        """All that controld and its processes have said."""
        with open(self.process.log_path) as log:
            return log.read()

    def workers(self):
        return [pid for pid, name in self.processes().items() if name.startswith("mpa-worker")]


class Kernel(Stack):
    """The kernel's own TCP behind a veth in a second namespace: the yardstick."""
    name = "kernel"

    def start(self, page_bytes=512, routed=False, wrapper=(), serve_words=()):
        server = self.lab.ns("kernel")
        self.lab.veth(self.space, TAP, server, "eth0")
        sources = [f"10.77.0.{101 + i}/24" for i in range(N_SOURCES)]
        self.space.address(TAP, f"{LOCAL4}/24", f"{LOCAL6}/64", *sources)
        server.address("eth0", f"{ADDRESS4}/24", f"{ADDRESS6}/64")
        server.route("default", LOCAL4)
        self.process = server.start(*wrapper, peer_program(), "serve", *serve_words, "-b", page_bytes, "-C", CONGESTION,
                                    log="kernel.log")
        return self


STACKS = {stack.name: stack for stack in (Baseline, Ours, Kernel)}


class Held:
    """Idle connections, kept by mpa-peer as long as the context lasts."""

    def __init__(self, stack, count):
        self.stack, self.count = stack, count

    def __enter__(self):
        self.process = self.stack.space.start(
            peer_program(), "hold", "--to", ADDRESS4, "-n", self.count, "--from", SOURCE4,
            "--sources", N_SOURCES, "-s", "120", "-t", "10", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if not self.process.stdout.readline():
            with open(self.process.log_path) as log:
                raise LabError(f"hold: {log.read().strip()}")
        return self

    def __exit__(self, *_error):
        self.process.stdin.close()
        self.process.stdout.close()
        self.stack.lab.stop(self.process)
