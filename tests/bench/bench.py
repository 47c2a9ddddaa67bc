#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""bench.py [NAME...] [--json] [--runs N] [--seconds S] [--stacks A,B] [--pin] [--quiet PERCENT] — the
benchmarks, as ratios.

Every run of a bench starts each stack in turn, in fresh namespaces, so that a slow minute of the machine hits
all of them; a figure is the median of its runs and a ratio is between medians of the same minutes. What others on
the machine do hits a stack of several processes harder than one of one: each row says how much of it they had
(others_cpu, 0 to 1, median of the runs). The exit status says whether everything has run, never whether a bar was
reached.
"""
import argparse
import json
import os
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), folder) for folder in ("support", "chaos")]
sys.dont_write_bytecode = True

import bench_case  # noqa: E402
import netlab  # noqa: E402
import neighbours  # noqa: E402
import stacks  # noqa: E402
import cases  # noqa: E402

PLAIN_KEYS = ("bench", "case", "value", "unit", "baseline", "ratio", "bar", "n")


def median(values):
    return statistics.median(values) if values else None


def rounded(value):
    """Four significant digits: more would be noise."""
    return None if value is None else float(f"{value:.4g}")


def ratio(value, reference):
    return None if value is None or not reference else value / reference


class Report:
    """The rows of a run, printed as they come."""

    def __init__(self, as_json):
        self.as_json, self.n_missing = as_json, 0

    def title(self, bench):
        if not self.as_json:
            print(f"\n{bench.name}: {bench.what}")
            print(f"  {'case':<20}{'value':>11}{'baseline':>11} {'unit':<16}{'ratio':>8}{'bar':>8}{'n':>4}  also",
                  flush=True)

    def row(self, bench, case, samples):
        """One case: samples is {stack: [values]}."""
        value, baseline = median(samples.get("ours")), median(samples.get("baseline"))
        line = dict(zip(PLAIN_KEYS, (bench.name, case.name, rounded(value), case.unit, rounded(baseline),
                                     rounded(ratio(value, baseline) if case.ratio_of is None else
                                             case.ratio_of(value, baseline)), case.bar,
                                     min((len(v) for v in samples.values() if v), default=0))))
        kernel = median(samples.get("kernel"))
        if kernel is not None:
            line["kernel"], line["kernel_ratio"] = rounded(kernel), rounded(ratio(value, kernel))
            line["baseline_kernel_ratio"] = rounded(ratio(baseline, kernel))
        if bench.congestion:
            line["congestion"] = bench.congestion
        line.update(case.extra(samples))
        self.line(line)

    def line(self, line):
        if self.as_json:
            print(json.dumps(line), flush=True)
            return
        text = {key: "-" if line[key] is None else str(line[key]) for key in PLAIN_KEYS}
        also = "  ".join(f"{key}={value}" for key, value in line.items() if key not in PLAIN_KEYS)
        print(f"  {text['case']:<20}{text['value']:>11}{text['baseline']:>11} {text['unit']:<16}"
              f"{text['ratio']:>8}{text['bar']:>8}{text['n']:>4}  {also}", flush=True)

    def missing(self, bench, what):
        """Something did not run: said on standard error, counted for the exit status."""
        self.n_missing += 1
        print(f"bench {bench}: did not run: {what}", file=sys.stderr, flush=True)

    def note(self, text):
        print(f"  {text}", file=sys.stderr if self.as_json else sys.stdout, flush=True)


def run_once(bench, case, name, options):
    """One run of one case on one stack, in namespaces of its own."""
    with netlab.Lab() as lab, neighbours.Watch() as watch:
        value = bench.measure(lab, name, case, options)
    case.notes.setdefault("others_cpu", []).append(watch.share)
    return value


def wait_until_quiet(bench, case, report, options):
    """No run is thrown away for what happens while it lasts: that would be to choose among figures."""
    share = neighbours.wait_until_quiet(options.quiet / 100)
    if share is not None:
        report.note(f"{bench.name}/{case.name}: others still have {share:.0%} of the machine; measured all the same")


def run_case(bench, case, report, options):
    samples, broken = {}, set()
    for _ in range(min(options.runs, bench.max_runs)):
        for name in (s for s in bench.stacks if s in options.stacks and s not in broken):
            if options.quiet is not None:
                wait_until_quiet(bench, case, report, options)
            try:
                samples.setdefault(name, []).append(run_once(bench, case, name, options))
            except netlab.LabError as error:
                report.missing(f"{bench.name}/{case.name}/{name}", error)
                broken.add(name)
                samples.pop(name, None)
    if "ours" in samples and hasattr(bench, "other_samples"):
        samples.update(bench.other_samples(case))
    report.row(bench, case, samples)


def run_bench(bench, report, options):
    try:
        bench.check_built()
    except netlab.LabError as error:
        report.missing(bench.name, error)
        return
    report.title(bench)
    for case in bench.cases:
        run_case(bench, case, report, options)


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description="Our stack against stock lwIP and the kernel.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of: " + " ".join(cases.BENCHES))
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs of each side (5)")
    parser.add_argument("--seconds", type=float, default=2, help="measured time of a run (2)")
    parser.add_argument("--stacks", default="baseline,ours,kernel", help="leave sides out, while working")
    parser.add_argument("--pin", action="store_true",
                        help="baseline and kernel server on one core, peer on another: steadier on a quiet machine, "
                             "but on a busy one unfair to what is pinned")
    parser.add_argument("--quiet", type=float, metavar="PERCENT",
                        help="each run waits until others have no more than that of the machine, at most "
                             f"{neighbours.MAX_WAIT_S} s; what they have during the run is in its row (others_cpu)")
    options = parser.parse_args(arguments)
    bench_case.Bench.is_pinned = options.pin
    options.stacks = options.stacks.split(",")
    unknown = [name for name in options.names if name not in cases.BENCHES]
    if unknown or set(options.stacks) - set(stacks.STACKS) or options.runs < 1 or options.seconds <= 0 \
            or not 0 <= (options.quiet or 0) <= 100:
        parser.error(f"unknown or out of range: {' '.join(unknown) or 'an option'}")
    return options


def main():
    options = parse_arguments(sys.argv[1:])
    try:
        netlab.isolate()
    except netlab.LabError as error:
        sys.exit(f"bench: {error}")
    report = Report(options.json)
    report.note(f"peer: kernel TCP, congestion control {stacks.CONGESTION}; medians of {options.runs} interleaved "
                f"runs of {options.seconds:g} s; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
                + (f"others on core {bench_case.STACK_CPU}, peer on core {bench_case.PEER_CPU}" if options.pin
                   else "nothing pinned"))
    for name in options.names or cases.BENCHES:
        run_bench(cases.BENCHES[name], report, options)
    return 1 if report.n_missing else 0


if __name__ == "__main__":
    sys.exit(main())
