# SPDX-License-Identifier: BSD-3-Clause
"""Our stack as chaos sees it: who serves which slot under which pid, what has happened, what each process holds."""
import json
import os
import re
import signal
import subprocess
import time

import crowd
import netlab
import stacks


def is_running(pid):
    """Not a zombie either: killed is not yet reaped."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def command_of(pid):
    """Its command line, "" when it has just ended."""
    try:
        with open(f"/proc/{pid}/cmdline") as line:
            return line.read().replace("\0", " ")
    except OSError:
        return ""


def holdings(pid):
    """What a leak would make grow: private memory in KiB, descriptors, mappings."""
    with open(f"/proc/{pid}/status") as status:
        anonymous_kib = int(re.search(r"^RssAnon:\s+(\d+)", status.read(), re.M)[1])
    with open(f"/proc/{pid}/maps") as maps:
        return {"private_kib": anonymous_kib, "fds": len(os.listdir(f"/proc/{pid}/fd")), "maps": len(maps.readlines())}


def duration_ms(event):
    """How long a hand-over or an adoption took."""
    return int(event["fields"]["duration_ns"]) / 1e6


def spread(values):
    """For a report: median, p99 and largest."""
    return {"p50": round(crowd.quantile(values, 0.5), 3), "p99": round(crowd.quantile(values, 0.99), 3),
            "max": round(max(values, default=0), 3)}


def flow_name(flow):
    """A connection of `mpactl flows` as `mpactl migrate flow` takes it: from the other end to ours."""
    def end(address, port):
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    key = flow["key"]
    return f"tcp {end(key['remote_address'], key['remote_port'])} -> {end(key['local_address'], key['local_port'])}"


class Survivor(stacks.Ours):
    """A stack whose processes are killed: it starts the next at once, serves the page that churn expects, and
    writes down all events."""

    def __init__(self, lab, space):
        super().__init__(lab, space)
        self.events_process = None

    def write_config(self, page_bytes, sections):
        path = super().write_config(page_bytes, sections)
        with open(os.path.join(self.lab.dir, "www", "index.html"), "wb") as page:
            page.write(crowd.pattern(crowd.PAGE_SEED, crowd.PAGE_BYTES))
        return path

    def start(self, **options):
        # Without a back-off: a worker killed ten times a second is not one that crashes.
        options.setdefault("control", {}).setdefault("restart_delay_ms", 0)
        return super().start(**options)

    def ready(self, timeout=20):
        super().ready(timeout)
        # Over IPv6 it answers only when duplicate address detection is through.
        stacks.peer(self.space, "ready", "--to", self.address6, "--timeout", timeout, timeout=timeout + 5)
        self.listen()
        return self

    def listen(self):
        """Events from now on; a new controld needs a new listener."""
        if self.events_process is not None:
            self.lab.stop(self.events_process)
        path = os.path.join(self.lab.dir, "events.json")
        with open(path, "a") as output:
            self.events_process = self.space.start(
                stacks.program("mpactl", self.programs["mpactl"]), "--runtime-dir", self.runtime_dir, "--json", "events",
                stdout=output, log="events.log")
        self.events_path = path
        netlab.wait_until(lambda: "listening" in self._said(self.events_process), what="mpactl events")

    @staticmethod
    def _said(process):
        with open(process.log_path) as log:
            return log.read()

    def events(self, kind=None):
        """All that have happened, as mpactl prints them; `kind` as in the JSON, "died"."""
        found = []
        with open(self.events_path) as lines:
            for line in lines:
                if line.endswith("\n"):
                    found.append(json.loads(line))
        return [event for event in found if kind in (None, event["kind"])]

    def command_line(self, *words):
        """mpactl as it is run in the stack's namespace."""
        return self.space.command(stacks.program("mpactl", self.programs["mpactl"]), "--runtime-dir",
                                  self.runtime_dir, *words)

    def ask(self, *words):
        """mpactl, begun: a process whose words are read with communicate()."""
        return subprocess.Popen(self.command_line(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def slots(self):
        """{slot: pid} of the workers that serve."""
        return {it["slot"]: it["pid"] for it in self.mpactl("status")["processes"]
                if it["role"] == "worker" and it["lane_state"] == "serving" and it["pid"] and is_running(it["pid"])}

    def frontend(self):
        """The pid of the frontend, 0 when there is none."""
        return next((it["pid"] for it in self.mpactl("status")["processes"] if it["role"] == "frontend"), 0)

    def all_serve(self, timeout=20):
        """Waits until every worker serves and has buckets."""
        workers = []

        def is_so():
            try:
                workers[:] = self.mpactl("workers")["workers"]
            except netlab.LabError:
                return False  # no frontend at the moment
            return sum(it["state"] == "serving" and it["buckets"] > 0 and is_running(it["pid"])
                       for it in workers) >= self.n_workers
        try:
            netlab.wait_until(is_so, timeout)
        except netlab.LabError:
            raise netlab.LabError(f"not all workers serve within {timeout} s: " + "; ".join(
                f"{it['slot']} {it['state']} pid={it['pid']} buckets={it['buckets']}" for it in workers)) from None

    def connections(self):
        """{slot: TCP connections}."""
        return {it["slot"]: it["connections"] for it in self.mpactl("workers")["workers"]}

    def order(self, *words, timeout=30):
        """mpactl, allowed to take its time. Returns what it says; LabError with its words when it fails."""
        text = netlab.run(*self.command_line(*words, "--json"), timeout=timeout)
        try:
            return json.loads(text or "{}")
        except ValueError:
            return json.loads(text.splitlines()[-1])  # behind lines of progress

    def scale(self, n_workers):
        """Another number of workers; done when all of them serve."""
        self.order("scale", str(n_workers), timeout=60)
        self.n_workers = n_workers
        self.all_serve(timeout=40)

    def refused(self, *words, timeout=30):
        """mpactl that must fail. Returns its words."""
        done = subprocess.run(self.command_line(*words), capture_output=True, text=True, timeout=timeout)
        if done.returncode == 0:
            raise netlab.LabError(f"mpactl {' '.join(words)}: was carried out")
        return done.stderr.strip()

    def kill(self, slot=None, number=signal.SIGKILL):
        """Kills the worker in a slot, by pid, and waits until it is gone. Returns (pid, time of the signal)."""
        slots = {}
        netlab.wait_until(lambda: slots.update(self.slots()) or (slots if slot is None else slot in slots),
                          what=f"somebody to kill in slot {slot}")
        pid = slots[slot if slot is not None else min(slots)]
        time_ns = time.monotonic_ns()
        os.kill(pid, number)
        netlab.wait_until(lambda: not is_running(pid), timeout=5, what=f"the end of {pid}")
        return pid, time_ns

    def setting(self, section, key):
        """A number of the configuration in force."""
        text = netlab.run(*self.command_line("config", "show", os.path.join(self.lab.dir, "mpa.yaml")))
        return int(re.search(rf"^{section}:\n(?:[ #].*\n|\n)*?  {key}: (\d+)", text, re.M)[1])

    def kill_controld(self):
        """By SIGKILL; what it has started lives on."""
        self.process.kill()
        self.process.wait()
        self.lab.processes.remove(self.process)

    def all_found(self, timeout=20):
        """Waits until a new controld answers and speaks for the frontend and every worker that the frontend has."""
        def is_so():
            try:
                workers = self.mpactl("workers")["workers"]
                processes = self.mpactl("status")["processes"]
            except netlab.LabError:
                return False  # not yet
            known = {it["pid"] for it in processes if it["pid"]}
            return any(it["role"] == "frontend" and it["pid"] for it in processes) and \
                {it["pid"] for it in workers if it["state"] == "serving"} <= known
        netlab.wait_until(is_so, timeout, what="a controld that has found everything")

    def unrepaired(self):
        """What is half done, in words: "" when every worker serves, none is draining or a spare, and all buckets
        belong to workers that serve. A drained worker with nothing left to give is what a drain ends with."""
        status = self.mpactl("status")
        workers = [it for it in status["processes"] if it["role"] == "worker"]
        serving = {it["slot"] for it in workers if it["state"] == "running" and it["lane_state"] == "serving"}
        lost = set(self.mpactl("buckets")["workers"]) - serving
        found = [f"state {status['state']}"] if status["state"] != "running" else []
        found += [f"worker {it['slot']} is a spare" for it in workers if it["is_spare"]]
        found += [f"worker {it['slot']} is draining" for it in workers if it["is_draining"]]
        found += [f"{len(serving)} workers serve"] if len(serving) != self.n_workers else []
        found += [f"buckets with {sorted(lost)}"] if lost else []
        return ", ".join(found)

    def repaired(self, timeout=60, is_any_number=False):
        """Waits until nothing is half done; an operator's own drain is undrained once it is through. With another
        number of workers if that may be."""
        last = ["?"]

        def is_so():
            try:
                workers = [it for it in self.mpactl("status")["processes"] if it["role"] == "worker"]
                spares = [it for it in workers if it["is_spare"]]
                for it in workers:
                    if it["is_draining"] and not it["buckets"] and not spares:
                        self.order("undrain", str(it["slot"]))
                if is_any_number:
                    self.n_workers = len(workers)
                last[0] = self.unrepaired()
            except netlab.LabError as error:
                last[0] = str(error)
            return not last[0]
        try:
            netlab.wait_until(is_so, timeout)
        except netlab.LabError:
            raise netlab.LabError(f"not put right within {timeout} s: {last[0]}") from None

    def end(self):
        """mpactl stop. Returns what it has left running, in words: nothing, if all is well."""
        said = subprocess.run(self.command_line("stop"), capture_output=True, text=True, timeout=60)
        if self.events_process is not None:
            self.lab.stop(self.events_process)
        orphans = [f"orphan {name} {pid}" for pid, name in stacks.descendants(os.getpid()).items()
                   if name in self.programs and self.runtime_dir in command_of(pid)]
        return orphans + ([f"mpactl stop: {said.stderr.strip()}"] if said.returncode else [])

    def flows(self, *words):
        """Connections as `mpactl flows` lists them, those that are established."""
        return [it for it in self.order("flows", *words).get("flows", []) if it["state"] == "established"]

    def holdings(self):
        """By role; of workers the largest of each figure, since they come and go."""
        found = {}
        for it in self.mpactl("status")["processes"]:
            if not it["pid"] or not is_running(it["pid"]):
                continue
            role = found.setdefault(it["role"], {})
            for name, value in holdings(it["pid"]).items():
                role[name] = max(role.get(name, 0), value)
        return found

    def make_lossy(self, percent):
        """For a stack in a router that is reached over a cable (cabled()): drops at both receivers' ingress."""
        self.space.drop_ingress("wire1", percent)
        self.lab.ns("far").drop_ingress("wire0", percent)


def cabled(lab):
    """The namespaces (router, far) with a cable between them that carries packets as a wire does: no offload."""
    router, far = lab.ns("router"), lab.ns("far")
    lab.veth(far, "wire0", router, "wire1")
    far.address("wire0", "10.88.0.2/24", "fd88::2/64", *[f"10.88.0.{101 + i}/24" for i in range(stacks.N_SOURCES)])
    router.address("wire1", "10.88.0.1/24", "fd88::1/64")
    far.route("10.77.0.0/24", "10.88.0.1")
    far.route("fd77::/64", "fd88::1")
    router.sysctl("net.ipv4.ip_forward", 1)
    router.sysctl("net.ipv6.conf.all.forwarding", 1)
    far.offload_off("wire0")
    router.offload_off("wire1")
    return router, far
