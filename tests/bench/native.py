# SPDX-License-Identifier: BSD-3-Clause
"""Benchmarks that are programs of their own, linked with the data plane on a memory NIC: mpa-bench-lane,
mpa-bench-dispatch, mpa-bench-scale. Such a program measures one case once, both sides in turn, and prints one
JSON object: {"value": ..., "baseline": ..., and what else it has seen}."""
import json
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
