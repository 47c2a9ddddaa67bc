# SPDX-License-Identifier: BSD-3-Clause
"""The fault that ends mpa-controld, alone and in the middle of what it was asked to do. No connection may notice;
the next one finds every process by asking the frontend, and whatever was under way has been completed, was rolled
back, or is told to the operator as unknown and put right."""
import collections
import subprocess
import time

import netlab
import survivor

ASKED_S = 60    # for mpactl to say how it ended
REPAIR_S = 60   # for the next controld to put everything right
SCALE_MOST = 4

# Operations, and within how many seconds after its begin the operation is cut off; where in it is chance.
CUTS = {"nothing": 0.02, "migrate": 0.06, "drain": 0.1, "update": 2.0, "scale": 0.25}
# What mpactl says when it cannot know how its operation ended.
UNKNOWN = ("connection lost", "no answer within", "no mpa-controld answers", "unknown", "no operation")


class Control:
    """SIGKILL to mpa-controld; done when the next one has found everything and nothing is left half done."""
    name, count_name, default_every_ms = "control", "control_kills", 100

    def __init__(self):
        self.outcomes = {}  # {operation: Counter of outcomes}
        self.back_ms = []   # from the kill to the next one answering with everything found

    def inject(self, stack, crowd, rng):
        stack.all_serve()
        self.strike(stack, crowd, rng, rng.choice(self.operations(stack)))
        return True

    def strike(self, stack, crowd, rng, operation):
        before = stack.slots()
        words = self.words(operation, stack, rng)
        crowd.fault()
        asked = stack.ask(*words) if words else None
        time.sleep(rng.random() * CUTS[operation])  # the moment of the fault is a length of time
        begin = time.monotonic()
        stack.kill_controld()
        stack.start_again()
        stack.all_found(REPAIR_S)
        self.back_ms.append((time.monotonic() - begin) * 1000)
        stack.listen()
        self.settle(stack, operation, asked)
        if operation not in ("update", "scale") and stack.slots() != before:
            raise netlab.LabError(f"workers {before} were replaced by {stack.slots()} for a dead controld")

    @staticmethod
    def operations(stack):
        return ["nothing", "update", "scale"] + (["migrate", "drain"] if stack.n_workers > 1 else [])

    @staticmethod
    def words(operation, stack, rng):
        if operation == "nothing":
            return ()
        if operation == "migrate":
            first = rng.randrange(2048)
            return "migrate", "bucket", f"{first}-{first + 2000}", "--to", str(rng.choice(sorted(stack.slots())))
        if operation == "drain":
            return "drain", str(rng.choice(sorted(stack.slots())))
        if operation == "scale":
            return "scale", str(rng.choice([n for n in range(1, SCALE_MOST + 1) if n != stack.n_workers]))
        return (operation,)

    def settle(self, stack, operation, asked):
        """What the operator was told, and what he does then: a drained worker is undrained, a number of workers that
        is in doubt is given again."""
        if asked is not None:
            self.outcomes.setdefault(operation, collections.Counter())[self.outcome(operation, asked)] += 1
        n_before = stack.n_workers
        stack.repaired(REPAIR_S, is_any_number=operation == "scale")
        if stack.n_workers != n_before:
            stack.scale(n_before)

    @staticmethod
    def outcome(operation, asked):
        try:
            said, complained = asked.communicate(timeout=ASKED_S)
        except subprocess.TimeoutExpired:
            asked.kill()
            asked.communicate()
            raise netlab.LabError(f"mpactl {operation}: no word within {ASKED_S} s of controld's death") from None
        if asked.returncode == 0:
            return "completed"
        if not complained.strip():
            raise netlab.LabError(f"mpactl {operation}: exit {asked.returncode} without a word ({said.strip()[:200]})")
        return "unknown" if any(words in complained for words in UNKNOWN) else "undone"

    def report(self, _stack, _stalls_ms):
        return {"operations": {name: dict(counter) for name, counter in sorted(self.outcomes.items())},
                "control_back_ms": survivor.spread(self.back_ms)}
