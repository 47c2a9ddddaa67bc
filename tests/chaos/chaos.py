#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""chaos.py [--connections N] [--minutes M] [--every MS] [--loss PCT] kill|migrate|update|frontend|stall|control|scale|all — does
things to a stack of its own while a crowd of connections of the kernel's TCP carries verified bytes both ways.

The last line of standard output is one line of JSON; the exit status is 0 only if the faults asked for happened,
bytes flowed both ways, and everything that must be zero is zero. It runs in namespaces of its own, which the
kernel takes away with everything in them however it ends.
"""
import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
sys.dont_write_bytecode = True


RANGES = (("connections", 5, 20000), ("churn", 0, 1000), ("minutes", 0.01, 1440), ("every", 0, 3_600_000), ("loss", 0, 50),
          ("workers", 1, 16))


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="chaos.sh", description="Faults under load; the last line is JSON.")
    parser.add_argument("what", choices=["kill", "migrate", "update", "frontend", "stall", "control", "scale", "all"])
    parser.add_argument("--connections", type=int, default=200, help="that last for the whole run (200)")
    parser.add_argument("--churn", type=int, default=8, help="short connections at a time, besides (8)")
    parser.add_argument("--minutes", type=float, default=1, help="at most; time for faults (1)")
    parser.add_argument("--every", type=int, default=0, metavar="MS", help="between two faults (by kind)")
    parser.add_argument("--faults", type=int, default=1 << 30, metavar="N", help="end after so many")
    parser.add_argument("--loss", type=float, default=0, metavar="PCT", help="of packets, each way, on a cable (0)")
    parser.add_argument("--workers", type=int, default=2, help="(2)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults' choices (1)")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="of the configuration")
    parser.add_argument("--keep", metavar="DIR", help="for the logs of stack and peers, and the events")
    parser.add_argument("--capture", action="store_true", help="the peers' packets too, 128 bytes of each")
    parser.add_argument("--build-dir", help="(build/release)")
    parser.add_argument("--selftest", action="store_true",
                        help="the kernel's stack instead of ours, paused instead of killed: tests the tool")
    options = parser.parse_args(arguments)
    for name, low, high in RANGES:
        if not low <= getattr(options, name) <= high:
            parser.error(f"--{name} {getattr(options, name):g}: out of range (allowed: {low:g}..{high:g})")
    options.sections = {}
    for text in options.set:
        key, _, value = text.partition("=")
        section, _, key = key.partition(".")
        options.sections.setdefault(section, {})[key] = value
    return options


OPTIONS = parse_arguments(sys.argv[1:])
if OPTIONS.build_dir:
    os.environ["MPA_BUILD_DIR"] = OPTIONS.build_dir

import crowd as crowds  # noqa: E402
import faults  # noqa: E402
import netlab  # noqa: E402
import stacks  # noqa: E402
import survivor  # noqa: E402

SETTLE_S = 1.5          # load before the first and after the last fault
PRIVATE_SLACK_KIB = 8192
FDS_SLACK = 4


def say(text):
    print(f"chaos: {text}", file=sys.stderr, flush=True)


class Kernel(stacks.Kernel):
    """For --selftest: the kernel's TCP in place of ours. Its server is stopped for a moment and goes on."""
    name = "kernel"

    def start(self, **_options):
        super().start(page_bytes=crowds.PAGE_BYTES, serve_words=("pattern",))
        return self

    def events(self, _kind=None):
        return []

    def holdings(self):
        return {"server": survivor.holdings(self.process.pid)}

    def all_serve(self):
        pass

    def end(self):
        return []


class Pause:
    name, count_name, default_every_ms = "kill", "kills", 300
    pause_s = 0.1

    def inject(self, stack, crowd, rng):
        crowd.fault()
        os.kill(stack.process.pid, signal.SIGSTOP)
        time.sleep(self.pause_s)  # the fault itself is a length of time
        os.kill(stack.process.pid, signal.SIGCONT)
        return True


def start_stack(lab, options):
    """Returns (stack, namespace of the peers, first three bytes of their IPv4 addresses)."""
    if options.selftest:
        stack = Kernel(lab, lab.ns("peer")).start().ready()
        return stack, stack.space, "10.77.0"
    if not options.loss:
        stack = survivor.Survivor(lab, lab.ns("peer")).start(workers=options.workers, **options.sections).ready()
        return stack, stack.space, "10.77.0"
    router, far = survivor.cabled(lab)
    stack = survivor.Survivor(lab, router).start(workers=options.workers, routed=True, **options.sections).ready()
    return stack, far, "10.88.0"


def leaks(before, after):
    """What has grown, in words. A process that a fault has replaced is compared with the one before it."""
    found = []
    for role, old in before.items():
        new = after.get(role, {})
        if new.get("fds", 0) > old["fds"] + FDS_SLACK:
            found.append(f"{role}: descriptors {old['fds']} -> {new['fds']}")
        if new.get("private_kib", 0) > 2 * old["private_kib"] + PRIVATE_SLACK_KIB:
            found.append(f"{role}: private KiB {old['private_kib']} -> {new['private_kib']}")
    return found


def wrongs(options, schedule, report):
    """Everything that was not as it must be, in words."""
    found = [f"{name}: {report[name]}" for name in crowds.ZEROES if report[name]]
    n_faults = sum(schedule.counts.values())
    if n_faults == 0 or (options.faults < 1 << 30 and n_faults < options.faults):
        found.append(f"only {n_faults} faults have struck")
    found += [f"{fault.count_name}: none" for fault in schedule.faults if not schedule.counts[fault.count_name]]
    if report["completed"] != report["connections"]:
        found.append(f"{report['completed']} of {report['connections']} connections have completed")
    if not report["bytes_sent"] or not report["bytes_received"]:
        found.append("no bytes have flowed")
    return found + schedule.refusals


def run(lab, options):
    schedule = faults.Schedule(options.what, options.every, options.seed)
    if options.selftest:
        schedule.faults = [Pause()]
    stack, space, network = start_stack(lab, options)
    with contextlib.ExitStack() as closing:
        crowd = closing.enter_context(crowds.Crowd(space, network=network, timeout=30))
        if options.capture:
            space.start("tcpdump", "-i", "wire0" if options.loss else stacks.TAP, "-s", 128, "-B", 65536, "-w",
                        os.path.join(lab.dir, "peer.pcap"), log="tcpdump.log")
        say(f"opening {options.connections} connections")
        crowd.mixed(options.connections)
        if options.churn:
            crowd.churn(options.churn)
        if options.loss:
            stack.make_lossy(options.loss)
        time.sleep(SETTLE_S)
        before, begin = stack.holdings(), time.monotonic()
        say(f"{options.what}, for {options.minutes:g} minutes at most")
        schedule.run(stack, crowd, options.faults, begin + options.minutes * 60)
        seconds = time.monotonic() - begin
        say(f"{schedule.counts}; waiting for the end of all connections")
        time.sleep(SETTLE_S)
        stack.all_serve()
        after = stack.holdings()
        crowd.probe()
        report = crowd.stop()
        words = crowd.last_words()
    hand_overs = stack.events("handover")
    told = schedule.report(stack, report["fault_stalls_ms"])
    wrong = wrongs(options, schedule, report) + leaks(before, after) + stack.end()
    line = {"chaos": options.what, "seconds": round(seconds, 1), "workers": options.workers, "loss_percent": options.loss,
            **{name: report[name] for name in crowds.SUMS}, **schedule.counts, "hand_overs": len(hand_overs),
            "stall_ms": survivor.spread(report["fault_stalls_ms"]), "longest_stall_ms": report["longest_stall_ms"],
            "hand_over_ms": survivor.spread([survivor.duration_ms(event) for event in hand_overs]),
            "adopted_ms": survivor.spread([survivor.duration_ms(event) for event in stack.events("adopted")]), **told,
            "processes": {"before": before, "after": after}, "wrong": wrong}
    if options.keep:
        os.makedirs(options.keep, exist_ok=True)
        for name in ("controld.log", "events.json", "peer.log", "peer.pcap"):
            if os.path.exists(os.path.join(lab.dir, name)):
                shutil.copy(os.path.join(lab.dir, name), options.keep)
    if wrong:
        say(f"the crowd's last words: {words}")
        if not options.selftest:
            say("the stack's last words:\n" + "\n".join(stack.log().splitlines()[-40:]))
    return line


def main():
    try:
        netlab.isolate()
        stacks.peer_program()
        with netlab.Lab() as lab:
            line = run(lab, OPTIONS)
    except netlab.LabError as error:
        line = {"chaos": OPTIONS.what, "wrong": [str(error)]}
    print(json.dumps(line), flush=True)
    return 1 if line["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
