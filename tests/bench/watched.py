# SPDX-License-Identifier: BSD-3-Clause
"""What it costs to be looked at: CPU of mpa-controld while /metrics is asked for every second, against CPU without."""
import statistics
import time
import urllib.request

import netlab
import stacks
from bench_case import Bench, Case

PORT = 9464


def cpu_s(pid):
    """CPU time of a process so far, in s, to the nanosecond: clock ticks are too coarse for what is sought."""
    total_ns = 0
    for thread in netlab.run("ls", f"/proc/{pid}/task").split():
        with open(f"/proc/{pid}/task/{thread}/schedstat") as text:
            total_ns += int(text.read().split()[0])
    return total_ns / 1e9


class Metrics(Bench):
    name = "metrics"
    what = "CPU of mpa-controld for /metrics once a second, in % of a core, against blocks in which nobody asks"
    stacks = ("ours",)
    max_runs = 1  # each run is many blocks in turn, of which the figure is the median
    cases = [Case(str(n), "% of a core", 0.5, ratio_of=lambda value, _: value, workers=n) for n in (2, 16)]
    n_blocks, block_s = 3, 4

    def check_built(self):
        super().check_built()
        stacks.program("mpactl", stacks.Ours.programs["mpactl"])

    def ask(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=5) as answer:
            return answer.read()

    def block(self, controld, frontend, is_asking):
        """% of a core that the two used in a block: (controld, frontend)."""
        began, before = time.monotonic(), (cpu_s(controld), cpu_s(frontend))
        for second in range(self.block_s):
            if is_asking:
                self.ask()
            time.sleep(max(0, began + second + 1 - time.monotonic()))  # the measurement is a length of time
        took_s = time.monotonic() - began
        return [100 * (cpu_s(pid) - old) / took_s for pid, old in zip((controld, frontend), before)]

    def measure(self, lab, name, case, options):
        n_workers = case.arguments["workers"]
        stack = self.start(lab, name, workers=n_workers, control={"http": f'"127.0.0.1:{PORT}"'},
                           worker={"fifo_memory_mib": 16, "stack_memory_mib": 16})
        frontend = next(p["pid"] for p in stack.mpactl("status")["processes"] if p["role"] == "frontend")
        controld, quiet, asked = stack.process.pid, [], []
        with stack.space.entered():
            case.keep("page_bytes", len(self.ask()))
            for _ in range(self.n_blocks):
                quiet.append(self.block(controld, frontend, False))
                asked.append(self.block(controld, frontend, True))
        of = [[statistics.median(block[i] for block in blocks) for blocks in (quiet, asked)] for i in (0, 1)]
        case.keep("controld_quiet_percent", of[0][0])
        case.keep("frontend_more_percent", of[1][1] - of[1][0])
        return of[0][1] - of[0][0]
