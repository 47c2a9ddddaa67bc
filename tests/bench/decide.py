# SPDX-License-Identifier: BSD-3-Clause
"""What the control plane's decisions are worth, and what looking costs: throughput after balancing against a split
by hand, throughput while all connections are listed.

A worker takes a tenth of the time that frontend and peers need for the same frames, so on a machine of few cores it
is never what limits. Here it is: each worker gets a fixed part of a core, no less (a neighbour cannot take it) and
no more, as on a machine with cores enough and a heavier service. SCHED_DEADLINE does it, and ends with the process.
Figures are bytes that were echoed and checked.
"""
import copy
import math
import statistics
import subprocess
import threading
import time

import crowd as crowds
import netlab
from bench_case import Case
from survival import Survival

PERIOD_US, RUNTIME_US = 5000, 150  # of each worker: 3 % of a core
# Who spins gives its part of the period away. A worker that is at its limit counts itself as busy by that part.
SECTIONS = {"control": {"balance": "false", "balance_floor_permille": 5}, "worker": {"spin_us": 0}}


def cap_workers(stack):
    """From now on each worker has its part of a core."""
    for pid in stack.slots().values():
        netlab.run("chrt", "-d", "--sched-runtime", str(RUNTIME_US * 1000), "--sched-deadline", str(PERIOD_US * 1000),
                   "--sched-period", str(PERIOD_US * 1000), "-p", "0", str(pid))


def bytes_per_s(crowd, seconds):
    """What the crowd gets echoed, over a length of time."""
    before, begin = crowd.now()["bytes_received"], time.monotonic()
    time.sleep(seconds)  # the measurement is a length of time
    after, end = crowd.now()["bytes_received"], time.monotonic()
    return (after - before) / (end - begin)


def bucket_rates(stack, seconds):
    """(frames of each bucket over a length of time, owner of each bucket)"""
    before = stack.mpactl("buckets")["frames"]
    time.sleep(seconds)  # the measurement is a length of time
    now = stack.mpactl("buckets")
    return [int(new) - int(old) for new, old in zip(now["frames"], before)], now["workers"]


def place(stack, wanted):
    """Moves buckets until {bucket: worker} is so."""
    owners = stack.mpactl("buckets")["workers"]
    for worker in sorted(set(wanted.values())):
        moves = [str(bucket) for bucket, to in sorted(wanted.items()) if to == worker and owners[bucket] != to]
        for first in range(0, len(moves), 64):
            stack.order("migrate", "bucket", ",".join(moves[first:first + 64]), "--to", str(worker))


def even_split(rates, buckets):
    """{bucket: worker} of two, the heaviest dealt out first, each to the one who has less."""
    sums, split = [0, 0], {}
    for bucket in sorted(buckets, key=lambda it: -rates[it]):
        split[bucket] = sums.index(min(sums))
        sums[split[bucket]] += rates[bucket]
    return split


class Balance(Survival):
    name = "balance"
    what = (f"90 % of the traffic in 5 % of the buckets, all on one of two workers: echoed bytes after balancing, against "
            f"a split by hand; each worker has {100 * RUNTIME_US // PERIOD_US} % of a core")
    cases = [Case("skew", "kB/s", 0.95)]
    max_runs = 3
    n_hot, n_cold, settle_s, n_blocks = 190, 300, 60, 3

    def __init__(self):
        self.by_hand = []

    def measure(self, lab, name, case, options):
        stack = self.start(lab, name, **copy.deepcopy(SECTIONS))
        stack.all_serve()
        with crowds.Crowd(stack.space, timeout=60) as crowd:
            # Cold ones are paced; hot ones go as fast as they are served, one small message after the other.
            crowd.carry("trickle", self.n_cold, 200)
            crowd.carry("bulk", self.n_hot, 256)
            cap_workers(stack)
            rates, _ = bucket_rates(stack, 1)
            hot = sorted(range(len(rates)), key=lambda it: -rates[it])[:len(rates) // 20]
            case.keep("hot_part", sum(rates[it] for it in hot) / sum(rates))
            place(stack, dict.fromkeys(hot, 0))
            skewed = bytes_per_s(crowd, options.seconds)
            rounds = self.balance(stack)
            owners = stack.mpactl("buckets")["workers"]
            balanced, by_hand = {it: owners[it] for it in hot}, even_split(rates, hot)
            blocks = self.blocks(stack, crowd, (balanced, by_hand), options.seconds)
            crowd.clean()
        self.by_hand.append(statistics.median(blocks[1]) / 1000)
        case.keep("skewed_kB_s", skewed / 1000)
        case.keep("rounds", rounds)
        return statistics.median(blocks[0]) / 1000

    def balance(self, stack):
        """Switched on until it has moved and then left things alone for three rounds. Returns the rounds to the last
        move."""
        interval_s = stack.setting("control", "balance_ms") / 1000
        stack.order("balance", "on")
        begin, last, n_before = time.monotonic(), None, 0
        try:
            while last is None or time.monotonic() < last + 3 * interval_s:
                if time.monotonic() > begin + self.settle_s:
                    raise netlab.LabError(f"no balance within {self.settle_s} s: {self.told(stack)}")
                n_moves = sum(len(it.get("moves", [])) for it in stack.mpactl("explain")["decisions"])
                if n_moves != n_before:
                    n_before, last = n_moves, time.monotonic()
                time.sleep(interval_s / 5)  # between two questions
        finally:
            stack.order("balance", "off")
        return (last - begin) / interval_s

    @staticmethod
    def told(stack):
        return [it["text"] for it in stack.mpactl("explain")["decisions"][:3]]

    def blocks(self, stack, crowd, places, seconds):
        """Throughput with each placement, in turn."""
        figures = [[] for _ in places]
        for _ in range(self.n_blocks):
            for one, wanted in zip(figures, places):
                place(stack, wanted)
                bytes_per_s(crowd, 0.5)  # what was held back meanwhile is through
                one.append(bytes_per_s(crowd, seconds))
        return figures

    def other_samples(self, _case):
        return {"baseline": self.by_hand}


class Lister(threading.Thread):
    """mpactl flows, one after the other; `took_s` has the time of each."""

    def __init__(self, stack, n_least):
        super().__init__(daemon=True)
        self.stack, self.n_least, self.took_s, self.error = stack, n_least, [], None
        self.is_wanted, self.is_ending = threading.Event(), threading.Event()

    def run(self):
        while not self.is_ending.is_set():
            if not self.is_wanted.wait(0.05):
                continue
            begin = time.monotonic()
            done = subprocess.run(self.stack.command_line("flows"), capture_output=True, text=True, timeout=60)
            self.took_s.append(time.monotonic() - begin)
            n_lines = done.stdout.count("\n")
            if done.returncode or n_lines < self.n_least:
                self.error = f"mpactl flows: {n_lines} lines; {done.stderr.strip()}"
                return


def middle_of(ratios):
    """(median, low end, high end) of ratios: ends of the 95 % confidence interval of the median, by ranks."""
    ordered, n = sorted(ratios), len(ratios)
    reach = min(math.ceil(0.98 * math.sqrt(n)), (n - 1) // 2)
    return statistics.median(ordered), ordered[(n - 1) // 2 - reach], ordered[n // 2 + reach]


class Flows(Survival):
    """So many are busy that a worker always has work waiting. With few of them it waits for the next one several times in
    its part of a core, wakes for fewer frames each time, and what counts is how soon the peer gets its turn on a
    shared core: on two cores 64 busy ones lose a tenth to any other process.

    Blocks of a fraction of a second differ by more than what is sought, because of the machine. So each one has
    its ratio to its own neighbours (quiet, listing, listing, quiet: a machine that gets slower slows both), and the
    figure is the median of many. `still` is the same with no lists at all: how far the measurement wanders."""
    name = "flows"
    what = ("10,000 connections: time of `mpactl flows`, and echoed bytes while it runs again and again, against blocks in "
            f"which it does not; each worker has {100 * RUNTIME_US // PERIOD_US} % of a core")
    cases = [Case("time", "s", 1, ratio_of=lambda value, _: value),
             Case("still", "of quiet", None, ratio_of=lambda value, _: value),
             Case("throughput", "of quiet", 0.99, ratio_of=lambda value, _: value)]
    n_idle, n_busy, block_s, settle_s = 10_000, 512, 0.4, 0.1
    blocks_s = {"time": 6, "still": 90, "throughput": 180}  # in s; times --seconds, whose default is 2

    def measure(self, lab, name, case, options):
        stack = self.start(lab, name, **copy.deepcopy(SECTIONS))
        stack.all_serve()
        with crowds.Crowd(stack.space, timeout=60) as crowd:
            crowd.idle = crowd.carry("idle", self.n_idle, 100)
            crowd.carry("bulk", self.n_busy, 4096)
            cap_workers(stack)
            lister = Lister(stack, self.n_idle + self.n_busy)
            lister.start()
            n_turns = max(1, round(self.blocks_s[case.name] * options.seconds / 2 / (4 * (self.block_s + self.settle_s))))
            ratios = [self.turn(crowd, lister, case.name != "still") for _ in range(n_turns)]
            lister.is_ending.set()
            lister.join(60)
            crowd.probe(timeout=60)
            crowd.clean()
        if lister.error or not (lister.took_s or case.name == "still"):
            raise netlab.LabError(lister.error or "mpactl flows: nothing was listed")
        case.keep("lists", len(lister.took_s))
        if case.name == "time":
            case.keep("longest_s", max(lister.took_s))
            return statistics.median(lister.took_s)
        value, low, high = middle_of(ratios)
        case.keep("turns", n_turns)
        case.keep("low", low)
        case.keep("high", high)
        return value

    def turn(self, crowd, lister, is_listing):
        """Bytes of the two inner blocks for each byte of the two outer ones."""
        figures = []
        for inner in (False, True, True, False):
            (lister.is_wanted.set if inner and is_listing else lister.is_wanted.clear)()
            bytes_per_s(crowd, self.settle_s)
            figures.append(bytes_per_s(crowd, self.block_s))
        return (figures[1] + figures[2]) / (figures[0] + figures[3])
