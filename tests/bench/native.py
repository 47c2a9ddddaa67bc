# SPDX-License-Identifier: BSD-3-Clause
"""Benchmarks that are programs of their own, linked with the data plane on a memory NIC: mpa-bench-lane,
mpa-bench-commit, mpa-bench-dispatch, mpa-bench-scale. Such a program measures one case once, both sides in turn, and prints one
JSON object: {"value": ..., "baseline": ..., and what else it has seen}."""
import json
import os
import re
import statistics

import netlab
import stacks


class _Case:
    def __init__(self, name, unit, bar):
        self.name, self.unit, self.bar, self.ratio_of = name, unit, bar, None
        self.notes = {}  # what the program says besides: {key: [values]}

    def extra(self, _samples):
        return {key: statistics.median(values) for key, values in self.notes.items()}


class Native:
    """A bench whose measuring is done by the program mpa-bench-NAME."""
    congestion = None
    max_runs = 1000
    stacks = ("ours",)
    table = {
        "lane": ("time of an echo request behind a lane, against in-process; two_cores: with an end on each",
                 "ns", (("64", 1.15), ("1460", 1.15))),
        "commit": ("time of an echo request behind a lane with the commit of flow records, against without; the same in "
                   "instructions", "ns", (("minimal-64", 1.03), ("minimal-1460", 1.03), ("full-64", None))),
        "dispatch": ("frontend time of an echo request, against a worker's", "ns", (("64", 0.25),)),
        "scale": ("time of a received segment with N connections, against 100", "ns",
                  (("100", None), ("1k", None), ("10k", None), ("50k", 1.6))),
    }

    def __init__(self, name):
        self.name = name
        self.what, unit, rows = self.table[name]
        self.cases = [_Case(case, unit, bar) for case, bar in rows]
        self.baselines = {}

    def check_built(self):
        try:
            stacks.program(f"mpa-bench-{self.name}", f"tests/bench/{self.name}", "tests/bench")
        except stacks.NotBuilt:
            raise stacks.NotBuilt(f"mpa-bench-{self.name} is not built yet") from None

    def measure(self, lab, _name, case, _options):
        binary = stacks.program(f"mpa-bench-{self.name}", f"tests/bench/{self.name}", "tests/bench")
        result = json.loads(netlab.run(binary, case.name, timeout=120))
        self.baselines.setdefault(case.name, []).append(result.pop("baseline"))
        value = result.pop("value")
        for key, figure in result.items():
            case.notes.setdefault(key, []).append(figure)
        return value

    def other_samples(self, case):
        """The second side of what measure() has measured."""
        return {"baseline": self.baselines.get(case.name, [])}


class Commit(Native):
    """Also counts instructions of both ends' work, which no neighbour on the machine can move."""
    measured = ("bench_lane_stage", "lane_pair_worker_turn", "bench_lane_take")

    def __init__(self):
        super().__init__("commit")

    def check_built(self):
        super().check_built()
        netlab.run("sh", "-c", "command -v valgrind")

    def instructions(self, lab, case, side):
        """Of one request."""
        profile = os.path.join(lab.dir, f"callgrind.{side}")
        binary = stacks.program("mpa-bench-commit", "tests/bench/commit", "tests/bench")
        result = json.loads(netlab.run("valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={profile}",
                                       *(f"--toggle-collect={name}" for name in self.measured),
                                       binary, case.name, side, timeout=120))
        with open(profile) as text:
            return int(re.search(r"^totals: (\d+)", text.read(), re.M)[1]) / result["requests"]

    def measure(self, lab, name, case, options):
        value = super().measure(lab, name, case, options)
        if "instructions_ratio" not in case.notes:  # the same each time
            off, on = (self.instructions(lab, case, side) for side in ("off", "on"))
            case.notes["instructions"] = [round(on)]
            case.notes["instructions_ratio"] = [round(on / off, 4)]
        return value
