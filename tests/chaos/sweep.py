#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""sweep.py points|step [--kills N] [--connections N] — a death at every fault point (a build with MPA_FAULT_POINTS), or
after single instructions of the commit (any build), under load.

The last line of standard output is JSON: which places were covered, and what became of the connections. The exit
status is 0 only if every death happened and everything that must be zero is zero.
"""
import argparse
import json
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
sys.dont_write_bytecode = True

import crowd as crowds  # noqa: E402
import netlab  # noqa: E402
import points  # noqa: E402

MEASURED_TURNS = 50
HITS = (1, 2, 3, 17, 100)   # at a point that many turns pass; a hand-over passes fewer


def say(text):
    print(f"sweep: {text}", file=sys.stderr, flush=True)


def sweep_points(stack, crowd, options, rng):
    """Every point, at several passings. Returns {point: deaths}."""
    names = points.names()
    if not names:
        raise netlab.LabError("this build has no fault points: configure with -DMPA_FAULT_POINTS=ON (preset chaos)")
    counts = {}
    while sum(counts.values()) < options.kills or len(counts) < len(names):
        point = names[sum(counts.values()) % len(names)]
        many = point.startswith(("commit", "publish"))
        hit = rng.choice(HITS if many else (1, 2, 3) if point.endswith(("flow", "flipped", "written")) else (1,))
        say(f"{point}:{hit}")
        points.die_at(stack, crowd, point, hit)
        crowd.goes_on(50_000)
        counts[point] = counts.get(point, 0) + 1
    return {"deaths": sum(counts.values()), "points": counts}


def sweep_steps(stack, crowd, options, rng):
    """The length of the window first, over many turns; then a death after each of its instructions, in an order of
    chance, as many as were asked for."""
    stepper = points.Stepper(stack)
    crowd.fault()
    length, _ = stepper.kill_after(0, 1 << 20, MEASURED_TURNS)
    length = min(length, options.window)
    wanted = rng.sample(range(1, length), min(options.kills, length - 1))
    say(f"turns of up to {length} instructions")
    covered, n_short = set(), 0
    for number, n_steps in enumerate(wanted):
        stack.all_serve()
        crowd.goes_on(20_000)
        crowd.fault()
        n_done, is_short = stepper.kill_after(rng.choice(sorted(stack.slots())), n_steps, 2 * MEASURED_TURNS)
        n_short += is_short
        if not is_short:
            covered.add(n_done)
        if number % 20 == 19:
            say(f"{number + 1} deaths, {len(covered)} of {length} instructions")
    return {"deaths": len(wanted) + 1, "window_instructions": length, "instructions_covered": len(covered),
            "turns_too_short": n_short}


def run(lab, options):
    rng = random.Random(options.seed)
    stack = points.Armed(lab, lab.ns("peer")).start().ready()
    with crowds.Crowd(stack.space, timeout=30) as crowd:
        crowd.mixed(options.connections)
        crowd.goes_on()
        wrong, covered = [], {}
        try:
            covered = {"points": sweep_points, "step": sweep_steps}[options.what](stack, crowd, options, rng)
            stack.all_serve()
            crowd.probe()
        except netlab.LabError as error:
            wrong.append(str(error))
        report = crowd.stop()
        wrong += [f"{name}: {report[name]}" for name in crowds.ZEROES if report[name]]
        if wrong:
            say("\n".join(stack.log().splitlines()[-40:]))
    return {"sweep": options.what, **covered, **{name: report[name] for name in crowds.SUMS},
            "stall_ms": {"p50": report["stall_p50_ms"], "max": report["stall_max_ms"]}, "wrong": wrong}


def main():
    parser = argparse.ArgumentParser(description="Deaths at exact places; the last line is JSON.")
    parser.add_argument("what", choices=["points", "step"])
    parser.add_argument("--kills", type=int, default=100, help="(100)")
    parser.add_argument("--window", type=int, default=1 << 20, help="step: only the first so many instructions")
    parser.add_argument("--connections", type=int, default=16, help="(16)")
    parser.add_argument("--seed", type=int, default=1, help="(1)")
    options = parser.parse_args()
    try:
        netlab.isolate()
        with netlab.Lab() as lab:
            line = run(lab, options)
    except netlab.LabError as error:
        line = {"sweep": options.what, "wrong": [str(error)]}
    print(json.dumps(line), flush=True)
    return 1 if line["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
