# SPDX-License-Identifier: BSD-3-Clause
"""What a benchmark is: a Bench measures one Case on one stack and returns one figure."""
import os
import statistics

import stacks

PAGE_BYTES = 512
PEER_CPU, STACK_CPU = (os.cpu_count() or 1) - 1, 0


class Case:
    def __init__(self, name, unit, bar, ratio_of=None, **arguments):
        self.name, self.unit, self.bar = name, unit, bar
        self.ratio_of = ratio_of        # (value, baseline) where it is not value / baseline
        self.arguments = arguments
        self.notes = {}                 # facts of the runs that are not the figure: {key: [values]}

    def keep(self, key, value):
        self.notes.setdefault(key, []).append(value)

    def extra(self, _samples):
        return {key: values[-1] if isinstance(values[-1], str) else round(statistics.median(values), 4)
                for key, values in self.notes.items()}


class Bench:
    """name, what, cases, stacks; congestion where the peer's choice moves the figure; max_runs where a figure is
    a count that hardly varies; routed where the stack is reached through its gateway."""
    congestion = None
    max_runs = 1000
    is_pinned = False  # set for all by --pin
    stacks = ("baseline", "ours")
    routed = False

    def check_built(self):
        stacks.peer_program()

    def start(self, lab, name, space=None, **options):
        """Starts a stack and waits until it answers. With --pin the single-threaded ones stand on a core of their
        own; ours has more processes than one core and is placed by its own configuration."""
        stack = stacks.STACKS[name](lab, space or lab.ns("peer"))
        if self.is_pinned and name != "ours":
            options["wrapper"] = ("taskset", "-c", str(STACK_CPU), *options.get("wrapper", ()))
        return stack.start(page_bytes=PAGE_BYTES, routed=self.routed, **options).ready()

    def peer(self, space, *words, timeout=60):
        return stacks.peer(space, *words, pin=PEER_CPU if self.is_pinned else None, timeout=timeout)
