# SPDX-License-Identifier: BSD-3-Clause
"""The faults of chaos.py. inject() does one and returns when it is done; what must come of it is the crowd's to say.

A fault tells the crowd its time just before it strikes. One that cannot strike now (no worker serves) returns
False and is tried again; an order that our own control plane refuses is a LabError.
"""
import os
import random
import signal
import sys
import time

import netlab
import survivor


GONE = ("not serving", "died meanwhile", "is draining", "no flow")


class Kill:
    """SIGKILL to a worker, by pid; one time in ten to all workers at once."""
    name, count_name, default_every_ms = "kill", "kills", 500

    def inject(self, stack, crowd, rng):
        pids = list(stack.slots().values())
        if not pids:
            return False
        victims = pids if rng.random() < 0.1 else [rng.choice(pids)]
        crowd.fault()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        netlab.wait_until(lambda: not any(map(survivor.is_running, victims)), timeout=5, what=f"the end of {victims}")
        return True


class Migrate:
    """Buckets in ranges, mostly; now and then a single flow, or all of a worker and back."""
    name, count_name, default_every_ms = "migrate", "migrations", 100
    max_buckets = 64

    def inject(self, stack, crowd, rng):
        slots = sorted(stack.slots())
        if len(slots) < 2:
            return False
        kind = rng.random()
        if kind < 0.05:
            self.drain(stack, crowd, rng.choice(slots))
        elif kind < 0.25:
            return self.flow(stack, crowd, slots, rng)
        else:
            self.buckets(stack, crowd, slots, rng)
        return True

    def buckets(self, stack, crowd, slots, rng):
        first = rng.randrange(4096 - self.max_buckets)
        crowd.fault()
        stack.order("migrate", "bucket", f"{first}-{first + rng.randrange(self.max_buckets)}", "--to",
                    str(rng.choice(slots)))

    def flow(self, stack, crowd, slots, rng):
        flows = stack.flows("--worker", str(rng.choice(slots)), "--limit", "20")
        if not flows:
            return False
        flow = rng.choice(flows)
        others = [slot for slot in slots if slot != flow["worker"]]
        crowd.fault()
        try:
            stack.order("migrate", "flow", survivor.flow_name(flow), "--to", str(rng.choice(others)))
        except netlab.LabError as error:
            # A short connection may end between the list and the order. One that was lost the crowd would miss.
            if "no flow" in str(error):
                return False
            raise
        return True

    def drain(self, stack, crowd, slot):
        crowd.fault()
        stack.order("drain", str(slot))
        stack.order("undrain", str(slot))


class Update:
    """All workers replaced one by one."""
    name, count_name, default_every_ms = "update", "updates", 1000

    def inject(self, stack, crowd, rng):
        crowd.fault()
        stack.order("update", timeout=120)
        return True


class Scale:
    """Up to four workers, or down to one, in turn."""
    name, count_name, default_every_ms = "scale", "scalings", 5000

    def __init__(self, numbers=(4, 1)):
        self.numbers, self.n_turns = numbers, 0

    def inject(self, stack, crowd, rng):
        crowd.fault()
        stack.scale(self.numbers[self.n_turns % len(self.numbers)])
        self.n_turns += 1
        return True


class Frontend:
    """SIGKILL to the frontend; done when the next one serves with all workers."""
    name, count_name, default_every_ms = "frontend", "frontend_kills", 2000

    def inject(self, stack, crowd, rng):
        pid = stack.frontend()
        if not pid or not survivor.is_running(pid):
            return False
        crowd.fault()
        os.kill(pid, signal.SIGKILL)
        netlab.wait_until(lambda: not survivor.is_running(pid), timeout=5, what=f"the end of {pid}")
        netlab.wait_until(lambda: stack.frontend() not in (0, pid), timeout=20, what="the next frontend")
        stack.all_serve()
        return True


FAULTS = {fault.name: fault for fault in (Kill(), Migrate(), Update(), Frontend(), Scale())}
ALL_EVERY_MS = 2000
AMONG_OTHERS = {"scale": Scale((4, 2))}  # what moves connections needs two workers


class Schedule:
    """One kind, or all in turn; a fault each every_ms, or when the one before is done."""

    def __init__(self, name, every_ms, seed):
        self.faults = list((FAULTS | AMONG_OTHERS).values()) if name == "all" else [FAULTS[name]]
        default_ms = ALL_EVERY_MS if name == "all" else self.faults[0].default_every_ms
        self.every_s = (every_ms or default_ms) / 1000
        self.rng = random.Random(seed)
        self.counts = {fault.count_name: 0 for fault in FAULTS.values()}
        self.refusals = []
        self.n_turns = 0

    def run(self, stack, crowd, n_max, deadline):
        """Injects until n_max faults have struck or time is up."""
        while sum(self.counts.values()) < n_max and time.monotonic() < deadline:
            begin = time.monotonic()
            fault = self.faults[self.n_turns % len(self.faults)]
            print(f"chaos: {begin:.3f} s: {fault.name}", file=sys.stderr, flush=True)
            self.n_turns += 1
            try:
                self.counts[fault.count_name] += fault.inject(stack, crowd, self.rng)
            except netlab.LabError as error:
                # Among other faults a worker may be gone when an order for it comes.
                if len(self.faults) > 1 and any(words in str(error) for words in GONE):
                    self.n_turns -= 1  # the same kind again
                else:
                    self.refusals.append(f"{fault.name}: {error}")
                if len(self.refusals) > 20:
                    return
            time.sleep(max(0, min(begin + self.every_s, deadline) - time.monotonic()))
