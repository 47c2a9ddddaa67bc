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

import control
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
    name, count_name, default_every_ms = "scale", "scalings", 10_000

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


class Stall:
    """SIGSTOP to a worker that has connections; done when it was found out, killed, and replaced."""
    name, count_name, default_every_ms = "stall", "stalls", 1000
    usual_s = 1

    def __init__(self):
        self.has_usual = False

    def inject(self, stack, crowd, rng):
        stack.all_serve()
        if not self.has_usual:
            # What a busy connection waits for anyway is not the fault's.
            crowd.fault()
            time.sleep(self.usual_s)  # the measurement is a length of time
            self.has_usual = True
        slots = stack.slots()
        busy = [slot for slot, n in stack.connections().items() if n and slot in slots]
        if not busy:
            return False
        pid = slots[rng.choice(busy)]
        time_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGSTOP)
        crowd.fault(time_ns)
        netlab.wait_until(lambda: not survivor.is_running(pid), timeout=20, what="the end of a stopped worker")
        stack.all_serve()
        return True

    def report(self, stack, stalls_ms):
        """`answered_ms`: from SIGSTOP until every connection had moved bytes again. `stall_limit_ms`: heartbeat limit,
        longest adoption, and what connections waited for at most before there was a fault."""
        usual_ms, stalls_ms = (stalls_ms or [0])[0], stalls_ms[1:]
        heartbeat_ms = stack.setting("control", "heartbeat_ms")
        adopted_ms = [survivor.duration_ms(event) for event in stack.events("adopted")]
        limit_ms = heartbeat_ms + max(adopted_ms, default=0) + usual_ms
        still_ms = [int(event["fields"]["still_ns"]) / 1e6 for event in stack.events("stalled")]
        return {"heartbeat_ms": heartbeat_ms, "still_ms": survivor.spread(still_ms), "usual_wait_ms": usual_ms,
                "stall_limit_ms": round(limit_ms, 3), "answered_ms": survivor.spread(stalls_ms),
                "answered_over_limit": sum(it > limit_ms for it in stalls_ms)}


FAULTS = {fault.name: fault
          for fault in (Kill(), Migrate(), Update(), Frontend(), Stall(), control.Control(), Scale())}
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

    def report(self, stack, stalls_ms):
        """What the kinds have to tell besides. The stalls of a kind are known when it was the only one."""
        told = {}
        for fault in self.faults:
            if hasattr(fault, "report"):
                told.update(fault.report(stack, stalls_ms if len(self.faults) == 1 else []))
        return told

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
