# SPDX-License-Identifier: BSD-3-Clause
"""What each benchmark measures. A Bench measures one case on one stack and returns one figure; bench.py does
the turns, medians and printing."""
import os
import re
import time

import decide
import native
import netlab
import stacks
import survival
import watched
from bench_case import PAGE_BYTES, Bench, Case
from netlab import LabError

N_IDLE = 2000


class Throughput(Bench):
    name, what = "throughput", "one TCP stream each way, kernel client"
    congestion = stacks.CONGESTION
    stacks = ("baseline", "ours", "kernel")
    cases = [Case("rx", "Gbit/s", 8), Case("tx", "Gbit/s", 8)]

    def measure(self, lab, name, case, options):
        stack = self.start(lab, name)
        result = self.peer(stack.space, "throughput", case.name, "--to", stack.address4, "-C", self.congestion,
                           "-s", options.seconds)
        case.keep(f"{name}_peer_cpu_s_per_gb", result["cpu_s"] * 1e9 / result["bytes"])
        return result["gbit_s"]


class Loss(Bench):
    name = "loss"
    what = "one stream routed through a veth without offload, 1 % of the packets dropped at the receiver's ingress"
    congestion = stacks.CONGESTION
    stacks = ("baseline", "ours", "kernel")
    routed = True
    cases = [Case("rx", "Gbit/s", 0.9), Case("tx", "Gbit/s", 20)]
    percent, verify_bytes, min_seconds = 1, 4_000_000, 4  # stock recovery stands still for seconds

    def make_path(self, lab):
        """peer --veth-- router --stack's link--; the veth carries packets as they are on a wire."""
        router, peer = lab.ns("router"), lab.ns("peer")
        lab.veth(peer, "wire0", router, "wire1")
        peer.address("wire0", "10.88.0.2/24")
        router.address("wire1", "10.88.0.1/24")
        peer.route("10.77.0.0/24", "10.88.0.1")
        router.sysctl("net.ipv4.ip_forward", 1)
        peer.offload_off("wire0")
        router.offload_off("wire1")
        return router, peer

    def measure(self, lab, name, case, options):
        router, peer = self.make_path(lab)
        stack = self.start(lab, name, router)
        # What goes to the stack is dropped where the router receives it: a drop on the way out of the router
        # would be seen by the peer's own kernel.
        receiver, interface = (router, "wire1") if case.name == "rx" else (peer, "wire0")
        receiver.drop_ingress(interface, self.percent)
        result = self.peer(peer, "throughput", case.name, "--to", stack.address4, "-C", self.congestion,
                           "-s", max(options.seconds, self.min_seconds), "-t", 20)
        case.keep(f"{name}_dropped", receiver.dropped(interface))
        self.peer(peer, "verify", "--to", stack.address4, "-C", self.congestion, "-b", self.verify_bytes
                  if name != "baseline" else self.verify_bytes // 4, "-t", 20, timeout=120)
        case.keep("bad_bytes", 0)  # verify fails the run otherwise
        return result["gbit_s"]


class Requests(Bench):
    name, what = "requests", "1-byte echo over N connections"
    cases = [Case("1", "requests/s", 0.5), Case("64", "requests/s", 0.9), Case("512", "requests/s", 1.2)]

    def measure(self, lab, name, case, options):
        stack = self.start(lab, name)
        return self.peer(stack.space, "requests", "--to", stack.address4, "-n", case.name,
                         "-s", options.seconds)["requests_s"]


class Http(Bench):
    name, what = "http", f"wrk, keep-alive, 64 connections, a page of {PAGE_BYTES} bytes"
    cases = [Case("wrk", "requests/s", 1)]
    min_requests = 100_000

    def measure(self, lab, name, case, options):
        stack = self.start(lab, name)
        text = stack.space.run("wrk", "-t2", "-c64", f"-d{max(2, round(options.seconds))}s",
                               f"http://{stack.address4}/")
        errors = re.search(r"Socket errors:.*|Non-2xx.*", text)
        if errors:
            raise LabError(f"wrk: {errors[0].strip()}")
        n_requests = int(re.search(r"(\d+) requests in", text)[1])
        case.keep("requests", n_requests)
        case.keep("errors", 0)
        return float(re.search(r"Requests/sec:\s*([\d.]+)", text)[1])

    def check_built(self):
        super().check_built()
        netlab.run("sh", "-c", "command -v wrk")


class Connections(Bench):
    name, what = "connections", "connect, request, close; 16 at a time, the server closes first"
    cases = [Case("crr", "connections/s", 0.9)]

    def measure(self, lab, name, case, options):
        stack = self.start(lab, name)
        result = self.peer(stack.space, "crr", "http", "--to", stack.address4, "-n", 16, "-t", 5,
                           "--from", stacks.SOURCE4, "--sources", stacks.N_SOURCES, "-s", options.seconds)
        case.keep("errors", result["errors"])
        return result["connections_s"]


class Spread(Bench):
    name, what = "spread", f"{N_IDLE} connections: the busiest worker against its fair share"
    stacks = ("ours",)
    cases = [Case(str(n), "x fair share", 1.15, ratio_of=lambda value, _: value, workers=n) for n in (2, 4)]

    def check_built(self):
        super().check_built()
        stacks.program("mpactl", stacks.Ours.programs["mpactl"])

    def measure(self, lab, name, case, options):
        n_workers = case.arguments["workers"]
        stack = self.start(lab, name, workers=n_workers)
        with stacks.Held(stack, N_IDLE):
            # The gauges are some 100 ms old.
            for _ in range(30):
                counts = [worker["connections"] for worker in stack.mpactl("workers")["workers"]]
                if sum(counts) == N_IDLE:
                    break
                time.sleep(0.1)
        if len(counts) != n_workers or sum(counts) != N_IDLE:
            raise LabError(f"{counts} connections on {n_workers} workers, {N_IDLE} were opened")
        case.keep("least", min(counts) * n_workers / N_IDLE)
        return max(counts) * n_workers / N_IDLE


def proportional_kib(pids):
    """Memory of processes, shared pages counted once (Pss)."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            total += int(re.search(r"^Pss:\s+(\d+)", rollup.read(), re.M)[1])
    return total


class Memory(Bench):
    name, what = "memory", f"proportional set size of the stack's processes; {N_IDLE} idle connections"
    cases = [Case("rest", "KiB/worker", None), Case("idle", "B/connection", None)]

    def stack_pids(self, stack):
        """The data plane: our workers and frontend, or the one process of the baseline."""
        return [pid for pid, name in stack.processes().items() if name != "mpa-controld"]

    def measure(self, lab, name, case, options):
        stack = self.start(lab, name)
        if case.name == "rest":
            pids = stack.workers() if name == "ours" else self.stack_pids(stack)
            return proportional_kib(pids) / len(pids)
        rest_kib = proportional_kib(self.stack_pids(stack))
        rest_bytes = self.gauge_bytes(stack)
        with stacks.Held(stack, N_IDLE):
            if name == "ours":
                time.sleep(0.2)  # the gauges are some 100 ms old, and tell of no change
                case.keep("heap_and_fifo_bytes", (self.gauge_bytes(stack) - rest_bytes) / N_IDLE)
            return (proportional_kib(self.stack_pids(stack)) - rest_kib) * 1024 / N_IDLE

    def gauge_bytes(self, stack):
        """What our workers have taken from their budgets; the rest of a connection stands in tables."""
        if stack.name != "ours":
            return 0
        return sum(int(worker["fifo_memory_used_bytes"]) + int(worker["stack_memory_used_bytes"])
                   for worker in stack.mpactl("workers")["workers"])


class Profile(Bench):
    """The baseline runs as it is; our worker's seccomp list ends it under valgrind, so its engine runs in a harness of
    one process (profile_bench.c), whose peer is not counted. `offload` is the TAP of the other benches, `plain` a NIC
    like the baseline's: without checksum offload or super-frames."""
    name = "profile"
    max_runs = 1
    what = ("% of the instructions (callgrind) of a bulk transfer; a pass that copies and sums counts as checksum; "
            "`paper`: the figures of 2015")
    patterns = {"checksum": r"chksum|checksum|:portable_(sum|copy)",
                "copy": r"mem(cpy|move)|pbuf_copy|string_fortified"}
    papers = {"checksum": 11, "copy": 36}
    cases = [Case(f"{direction}-{nic}-{kind}", "%", None, direction=direction, nic=nic, kind=kind)
             for direction in ("rx", "tx") for nic in ("offload", "plain") for kind in ("checksum", "copy")]

    def __init__(self):
        self.profiles = {}  # {(stack, direction, nic): [(file and function, percent)]}
        for case in self.cases:
            case.keep("paper", self.papers[case.arguments["kind"]])

    def check_built(self):
        super().check_built()
        netlab.run("sh", "-c", "command -v callgrind_annotate")
        stacks.program("mpa-bench-profile", "tests/bench")

    def measure(self, lab, name, case, options):
        key = (name, case.arguments["direction"], case.arguments["nic"] if name == "ours" else None)
        if key not in self.profiles:
            run = self.run_ours if name == "ours" else self.run_stack
            self.profiles[key] = self.read(run(lab, name, case))
        pattern = self.patterns[case.arguments["kind"]]
        return sum(percent for function, percent in self.profiles[key] if re.search(pattern, function))

    def valgrind(self, lab, *options):
        # callgrind counts each turn of a `rep movsb` as an instruction, so a copy would weigh a byte's worth each:
        # the C library is told to copy with vectors, on both sides.
        return ("env", "GLIBC_TUNABLES=glibc.cpu.hwcaps=-ERMS,-FSRM", "valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={lab.dir}/callgrind.%p", *options)

    def run_ours(self, lab, _name, case):
        netlab.run(*self.valgrind(lab, "--toggle-collect=lane_pair_worker_turn"),
                   stacks.program("mpa-bench-profile", "tests/bench"),
                   case.arguments["direction"], case.arguments["nic"], timeout=120)
        return lab.dir

    def run_stack(self, lab, name, case):
        stack = self.start(lab, name, wrapper=self.valgrind(lab))
        self.peer(stack.space, "throughput", case.arguments["direction"], "--to", stack.address4, "-s", 1)
        stack.stop()
        return lab.dir

    def read(self, folder):
        """The largest profile in the folder, as rows of function and percentage, callees not counted."""
        best = max((os.path.join(folder, file) for file in os.listdir(folder) if file.startswith("callgrind.")),
                   key=os.path.getsize, default=None)
        if best is None:
            raise LabError("callgrind wrote no profile")
        text = netlab.run("callgrind_annotate", "--threshold=100", best, timeout=120)
        rows = re.findall(r"^\s*[\d,]+ \(\s*([\d.]+)%\)\s+(?:\S*/)?(\S+:\S+)", text, re.M)
        if not rows:
            raise LabError("callgrind counted nothing")
        return [(function, float(percent)) for percent, function in rows]


BENCHES = {bench.name: bench for bench in (
    Throughput(), Loss(), Requests(), Http(), Connections(), native.Native("lane"), native.Commit(),
    native.Native("dispatch"), native.Native("scale"), Spread(), Memory(), Profile(), survival.Adopt(), survival.HandOver(),
    decide.Balance(), decide.Flows(), watched.Metrics())}
