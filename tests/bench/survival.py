# SPDX-License-Identifier: BSD-3-Clause
"""What it costs connections that their worker dies or that they move: time until all are adopted, time a flow is
held, segments the peer had to send again."""
import random
import time

import crowd as crowds
import netlab
import stacks
import survivor
from bench_case import Bench, Case


def n_flows(event):
    return int(event["fields"]["flows"])


class Survival(Bench):
    """On our stack alone: no other has more than one process to lose."""
    stacks = ("ours",)
    max_runs = 1  # each run is many faults, of which the figure is the median

    def check_built(self):
        super().check_built()
        stacks.program("mpactl", stacks.Ours.programs["mpactl"])

    def start(self, lab, name, space=None, **options):
        return survivor.Survivor(lab, lab.ns("peer")).start(**options).ready()

    def report(self, case, values):
        """Keeps the spread; returns the median."""
        if not values:
            raise netlab.LabError("nothing was measured: no event of this kind has come")
        case.keep("p99_ms", round(crowds.quantile(values, 0.99), 3))
        case.keep("max_ms", round(max(values), 3))
        case.keep("faults", len(values))
        return crowds.quantile(values, 0.5)


class Adopt(Survival):
    name = "adopt"
    what = "idle connections, one of two workers killed: from its death to the last one adopted"
    cases = [Case("10k", "ms", 50, ratio_of=lambda value, _: value)]
    n_connections, n_kills = 10_000, 10

    def balanced(self, stack):
        """Both have about their share again."""
        stack.all_serve()
        netlab.wait_until(lambda: min(stack.connections().values()) > self.n_connections // 3, timeout=30,
                          what="connections on both workers")

    def measure(self, lab, name, case, options):
        stack = self.start(lab, name)
        with crowds.Crowd(stack.space, timeout=60) as crowd:
            crowd.idle = crowd.carry("idle", self.n_connections, 100)
            for number in range(self.n_kills):
                self.balanced(stack)
                crowd.fault()
                stack.kill(number % 2)
                netlab.wait_until(lambda: len(stack.events("adopted")) > number, timeout=30, what="all adopted")
                case.keep("answered_ms", crowd.probe(timeout=60))
            crowd.clean()
            case.keep("flows", min(map(n_flows, stack.events("adopted"))))
        return self.report(case, [survivor.duration_ms(event) for event in stack.events("adopted")])


class HandOver(Survival):
    name = "handover"
    what = "1,000 connections under light load, moved bucket by bucket: time the flows of a bucket are held"
    cases = [Case("bucket", "ms", 1, ratio_of=lambda value, _: value)]
    n_connections, n_moves = 1000, 1000

    def measure(self, lab, name, case, options):
        stack = self.start(lab, name)
        # Nothing else may move meanwhile: the new workers have their shares.
        netlab.wait_until(lambda: stack.mpactl("buckets")["workers"].count(0) == 2048, what="even shares")
        owners = stack.mpactl("buckets")["workers"]
        moves = random.Random(1).sample(range(len(owners)), self.n_moves)
        with crowds.Crowd(stack.space, timeout=60) as crowd:
            crowd.carry("trickle", self.n_connections, 500)
            crowd.goes_on()
            quiet = self.retransmits(crowd, lambda: time.sleep(2))  # as long as it takes to see the rest of the load
            before = len(stack.events("handover"))
            moved = self.retransmits(crowd, lambda: [
                stack.order("migrate", "bucket", str(bucket), "--to", str(1 - owners[bucket])) for bucket in moves])
            netlab.wait_until(lambda: len(stack.events("handover")) >= before + self.n_moves, what="all events")
            crowd.clean()
        case.keep("retransmits", moved)
        case.keep("retransmits_before", quiet)
        return self.report(case, [survivor.duration_ms(event) for event in stack.events("handover")[before:] if n_flows(event)])

    @staticmethod
    def retransmits(crowd, work):
        """Segments the peers have sent again while work() was done."""
        before = crowd.now()["retransmits"]
        work()
        return crowd.now()["retransmits"] - before
