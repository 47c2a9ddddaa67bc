# SPDX-License-Identifier: BSD-3-Clause
"""Connections that carry verified bytes while faults arrive: mpa-peer's carry and churn as one crowd.

Each member is a process of its own and says in one line of JSON how its connections fared; the crowd adds the
lines up. A fault is told to all members with its time, so that each stall finds its fault.

The peers' congestion control is cubic. Where the machine's default is bbr: it takes what a connection got through
in a moment of standing still for what the path can carry, and paces it to a packet a second long after.
"""
import contextlib
import itertools
import json
import math
import select
import subprocess
import time

import netlab
import stacks

# What must be zero at the end of a run.
ZEROES = ("resets", "refused", "timeouts", "early_ends", "unfinished", "errors", "bad_bytes", "stalls_over_5s")
SUMS = ZEROES + ("connections", "completed", "bytes_sent", "bytes_received", "retransmits")
PAGE_BYTES = 4000
PAGE_SEED = 1
MASK = (1 << 64) - 1


def pattern_word(seed, index):
    """As tests/support/peer/pattern.c has it."""
    word = (seed + index) * 0x9e3779b97f4a7c15 & MASK
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9 & MASK
    word = (word ^ word >> 27) * 0x94d049bb133111eb & MASK
    return word ^ word >> 31


def pattern(seed, n_bytes):
    """The first bytes of the stream `seed`; the page that churn expects is one."""
    stream = pattern_word(seed, 0x6d7061)
    words = (pattern_word(stream, i).to_bytes(8, "little") for i in range(-(-n_bytes // 8)))
    return b"".join(words)[:n_bytes]


def quantile(values, q):
    """The smallest value that a share q of all does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)] if ordered else 0


class Member:
    """One mpa-peer that runs until it is told to stop."""

    def __init__(self, space, *words, seconds=3600):
        self.words, self.lines, self.counts = words, b"", None
        self.process = space.start(stacks.peer_program(), *words, "-s", seconds, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, log="peer.log")
        # The pipe is read by poll() and must not be buffered behind its back.
        self.output = self.process.stdout.raw if hasattr(self.process.stdout, "raw") else self.process.stdout

    def order(self, line):
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended early; its last line says why

    def line(self, timeout):
        """Its next line of JSON, parsed."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self.lines:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.output], [], [], left)[0]:
                raise netlab.LabError(f"mpa-peer {' '.join(map(str, self.words))}: silent for {timeout} s")
            part = self.output.read(65536)
            if not part and self.counts:
                return self.counts  # all its connections have ended; this was its last word
            if not part:
                raise netlab.LabError(f"mpa-peer {' '.join(map(str, self.words))}: ended; {self.last_words()}")
            self.lines += part
        text, self.lines = self.lines.split(b"\n", 1)
        answer = json.loads(text)
        self.counts = answer if "connections" in answer else self.counts
        return answer

    def last_words(self):
        with open(self.process.log_path) as log:
            return " | ".join(log.read().strip().splitlines()[-5:]) or "it said nothing"


class Crowd:
    """A context manager: members that run side by side against one stack. `to` and `space` as mpa-peer has them."""

    def __init__(self, space, to=stacks.ADDRESS4, to6=stacks.ADDRESS6, network="10.77.0", timeout=15):
        self.space, self.to, self.to6, self.network, self.timeout = space, to, to6, network, timeout
        self.members, self.report, self.n_faults = [], None, 0
        self.n_sources_used, self.idle = 0, None

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        for member in self.members:
            with contextlib.suppress(BrokenPipeError):
                member.process.stdin.close()
            self.space.lab.stop(member.process)
            member.process.stdout.close()

    def _add(self, *words, n, to, seed):
        member = Member(self.space, *words, "-n", n, "--to", to, "-t", self.timeout, "--seed", seed,
                        "-C", stacks.CONGESTION)
        self.members.append(member)
        return member

    def carry(self, mode, n, n_bytes, is_ipv6=False):
        """Opens n connections and waits until all are open."""
        member = self._add("carry", mode, "-b", n_bytes, n=n, to=self.to6 if is_ipv6 else self.to,
                           seed=1 + len(self.members))
        member.line(timeout=60)
        return member

    def churn(self, n, n_bytes=3000):
        """Source ports are counted, each member from an address of its own."""
        source = f"{self.network}.{101 + self.n_sources_used}"
        self.n_sources_used += 4
        member = self._add("churn", "-b", n_bytes, "--from", source, "--sources", 4, n=n, to=self.to, seed=PAGE_SEED)
        member.line(timeout=10)
        return member

    def mixed(self, n):
        """All kinds at once, n connections together."""
        self.carry("bulk", max(1, n // 4), 32768)
        self.carry("bulk", max(1, n // 4), 32768, is_ipv6=True)
        self.carry("trickle", max(1, n // 4), 1400)
        self.carry("trickle", max(1, n // 8), 8000, is_ipv6=True)
        self.idle = self.carry("idle", max(1, n - 2 * (n // 4) - n // 4 - n // 8), 100)
        return self

    def probe(self, timeout=20):
        """All idle connections answer. Returns the milliseconds until the last one had; None
        when none is left."""
        self.idle.order("probe")
        return self.idle.line(timeout).get("ms")

    def fault(self, time_ns=None):
        """Something was done to the stack, now or at that time."""
        self.n_faults += 1
        for member in self.members:
            member.order(f"fault {time_ns or time.monotonic_ns()}")

    def now(self):
        """The counts as they are, added up."""
        for member in self.members:
            member.order("stat")
        return self._merge([member.line(timeout=10) for member in self.members])

    def goes_on(self, n_bytes=200_000, timeout=20):
        """Waits until so many bytes more have come back; a crowd that has failed is told at once."""
        target = self.now()["bytes_received"] + n_bytes
        while True:
            counts = self.now()
            bad = {name: counts[name] for name in ZEROES if counts[name]}
            if bad:
                raise netlab.LabError(f"{bad}; {self.last_words()}")
            if counts["bytes_received"] >= target:
                return counts
            if timeout <= 0:
                raise netlab.LabError(f"nothing moves: {counts}")
            time.sleep(0.02)  # between two questions
            timeout -= 0.02

    def last_words(self):
        return self.members[0].last_words() if self.members else ""

    def stop(self):
        """Lets all connections end. Returns the sum of the counts."""
        if self.report is None:
            for member in self.members:
                member.order("stop")
            self.report = self._merge([self.last_line(member) for member in self.members])
        return self.report

    def last_line(self, member):
        """Lines before it may be answers nobody has asked for, of a probe."""
        while True:
            line = member.line(timeout=self.timeout + 15)
            if "connections" in line:
                return line

    def _merge(self, reports):
        # A short connection has no estimate of the round trip yet: a lost SYN and one segment more are 5 s. It has
        # to complete.
        for member, report in zip(self.members, reports):
            if member.words[0] == "churn":
                report["stalls_over_5s"] = 0
        total = {name: sum(report[name] for report in reports) for name in SUMS}
        total["longest_stall_ms"] = max((report["longest_stall_ms"] for report in reports), default=0)
        stalls = [max(one) for one in
                  itertools.zip_longest(*(report["fault_stalls_ms"] for report in reports), fillvalue=0)]
        total["fault_stalls_ms"] = stalls
        total["stall_p50_ms"], total["stall_p99_ms"] = quantile(stalls, 0.5), quantile(stalls, 0.99)
        total["stall_max_ms"] = max(stalls, default=0)
        return total

    def clean(self):
        """stop(), and everything as it must be, or LabError with the counts that are not."""
        report = self.stop()
        bad = {name: report[name] for name in ZEROES if report[name]}
        if bad or report["completed"] != report["connections"] or report["bytes_received"] == 0:
            raise netlab.LabError(f"{bad or report}; {self.last_words()}")
        return report
