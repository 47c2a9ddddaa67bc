# SPDX-License-Identifier: BSD-3-Clause
"""Under pressure new connections are refused first, step by step, and taken again afterwards: those that are
established carry verified bytes all the while. Nobody stays shut because somebody has died."""
import os
import re
import signal
import subprocess
import time

import crowd as crowds
import netlab
import stacks
import survivor

CHARGEN = 19
GREEDY = 12  # connections that want everything and read nothing: 1 MiB of FIFO memory each, of 32 in all
SLOW_READERS = {"worker": {"fifo_memory_mib": 16},
                "control": {"degrade_ms": 100, "degrade_congested_permille": 200, "degrade_all_permille": 300,
                            "degrade_idle_permille": 980, "degrade_workers_permille": 990,
                            "degrade_relief_permille": 150}}


def stack_of(lab, **sections):
    stack = survivor.Survivor(lab, lab.ns("degrade")).start(**sections).ready()
    stack.all_serve()
    return stack


def attempt(stack, to=stacks.ADDRESS4, timeout=1):
    """One new connection: "taken", or why not."""
    try:
        stack.space.run(stacks.peer_program(), "hold", "--to", to, "-n", 1, "-t", timeout, timeout=timeout + 10)
        return "taken"
    except netlab.LabError as error:
        return str(error).rsplit(": ", 1)[1]


def wait_for_step(stack, step, timeout=10):
    netlab.wait_until(lambda: stack.mpactl("status").get("degrade_step") == step, timeout, what=f"step {step}")


class Greedy:
    """Connections to chargen that read nothing."""

    def __init__(self, stack):
        self.stack = stack

    def __enter__(self):
        self.process = self.stack.space.start(
            stacks.peer_program(), "hold", "--to", stacks.ADDRESS4, "--port", CHARGEN, "-n", GREEDY, "-s", 60, "-t", 10,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if not self.process.stdout.readline():
            with open(self.process.log_path) as log:
                raise netlab.LabError(f"hold: {log.read().strip()}")
        return self

    def __exit__(self, *_error):
        self.process.stdin.close()
        self.process.stdout.close()
        self.stack.lab.stop(self.process)


def test_full_memory_refuses_new_connections_and_no_established_one_notices(lab):
    stack = stack_of(lab, **SLOW_READERS)
    with crowds.Crowd(stack.space) as crowd:
        crowd.carry("bulk", 4, 32768)
        crowd.goes_on()
        assert attempt(stack) == "taken"
        # All of them are to be in before the first step.
        stack.order("degrade", "off")
        with Greedy(stack):
            stack.order("degrade", "auto")
            wait_for_step(stack, "shed_all")
            # The frontend has been told by the time of the next round.
            netlab.wait_until(lambda: attempt(stack) == "Connection refused", what="a refusal by reset")
            assert attempt(stack, to=stacks.ADDRESS6) == "Connection refused"
            crowd.goes_on()
            status = stack.mpactl("status")
            assert status["degrade_text"].startswith("memory of all workers is at ")
        wait_for_step(stack, "none")
        netlab.wait_until(lambda: attempt(stack) == "taken", what="a new connection")
        crowd.goes_on()
        crowd.clean()
    counters = stack.counters("nic")
    assert counters["shed_worker_reset"] + counters["shed_all_reset"] >= 2, counters
    steps = [event["fields"]["step"] for event in stack.events("degrade")]
    assert steps == ["shed_congested", "shed_all", "shed_congested", "none"], steps
    told = [(it["from"], it["to"]) for it in stack.mpactl("explain")["degrade"]]
    assert told == [("shed_congested", "none"), ("shed_all", "shed_congested"), ("shed_congested", "shed_all"),
                    ("none", "shed_congested")], told


def frontend_gauge(stack, name):
    return next(int(it["value"]) for it in stack.mpactl("stats")["stats"]
                if it["scope"] == "frontend" and it["name"] == name)


def test_shedding_outlives_the_frontend_and_ends_with_controld(lab):
    stack = stack_of(lab, control={"degrade_ms": 100, "refuse": "silent"})
    stack.order("degrade", "shed_all")
    netlab.wait_until(lambda: frontend_gauge(stack, "shed_all") == 1, what="the order in the frontend")
    assert attempt(stack) != "taken"
    assert stack.counters("nic")["shed_all_silent"] > 0
    old = stack.frontend()
    os.kill(old, signal.SIGKILL)
    netlab.wait_until(lambda: stack.frontend() not in (0, old), 15, what="another frontend")

    def is_shut_again():
        try:
            return frontend_gauge(stack, "shed_all") == 1
        except netlab.LabError:
            return False  # it does not answer yet
    netlab.wait_until(is_shut_again, what="the order in the next frontend")
    # Nobody renews the order: it ends with its lease of 2.3 s.
    os.kill(stack.process.pid, signal.SIGKILL)
    stack.process.wait()
    begin = time.monotonic()
    netlab.wait_until(lambda: attempt(stack) == "taken", 10, what="the end of the lease")
    assert time.monotonic() - begin < 6
    stack.start_again()
    stack.all_serve()
    assert stack.mpactl("status")["degrade_step"] == "none"


def machine_permille():
    """How much of the machine's memory is not available, as mpa-controld counts it."""
    with open("/proc/meminfo") as lines:
        kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return (kib["MemTotal"] - kib["MemAvailable"]) * 1000 // kib["MemTotal"]


def limits(last_permille):
    """The ladder right below its last step, which is at this pressure."""
    names = ("congested", "all", "idle", "workers")
    return {f"degrade_{name}_permille": last_permille - 3 + i for i, name in enumerate(names)}


def test_the_number_asked_for_comes_back_whoever_is_controld_by_then(lab):
    sections = {"control": {"degrade_ms": 100, "degrade_idle_s": 600, "degrade_machine": "true",
                            "degrade_relief_permille": 1, "restart_delay_ms": 0} | limits(999),
                "worker": {"count": 2, "max": 4}}
    stack = stack_of(lab, **sections)
    relieved, pressed = limits(999), limits(max(machine_permille() // 2, 5))

    def edit(control):
        stack.write_config(512, sections | {"control": sections["control"] | control})

    def next_controld():
        stack.kill_controld()
        stack.start_again()
        stack.all_found()
    with crowds.Crowd(stack.space) as crowd:
        crowd.carry("trickle", 4, 8000)
        stack.scale(3)
        edit(pressed)
        stack.mpactl("config", "reload")
        # Killed while the first worker ends, and when one alone is left.
        netlab.wait_until(lambda: "scale: drains worker 2" in stack.log(), what="one less")
        next_controld()
        netlab.wait_until(lambda: len(stack.slots()) == 1, 20, what="one worker")
        crowd.goes_on(20_000)
        next_controld()
        wait_for_step(stack, "fewer_workers")
        assert len(stack.slots()) == 1
        edit(relieved)
        next_controld()
        netlab.wait_until(lambda: len(stack.slots()) == 3, 20, what="three workers")
        crowd.goes_on(20_000)
        crowd.clean()
    # Nobody came back too early: there was the operator's scale, and the return.
    assert re.findall(r"scale: starts (.*)\"", stack.log()) == ["worker 2 to 2", "workers 1 to 2"]


def test_what_was_asked_of_a_stack_that_has_ended_is_not_asked_of_the_next(lab):
    stack = stack_of(lab)
    stack.scale(1)
    stack.order("stop")
    stack.process.wait()
    stack.n_workers = 2
    stack.start_again()
    stack.all_serve()
    stack.kill_controld()
    with open(f"{stack.runtime_dir}/controld.lock", "r+") as memory:
        assert memory.read() == "workers=02 full=00 configured=02 drained=0000\n"
        # Nor is anything believed that was not written by one of us.
        memory.seek(0)
        memory.write("workers=01 full=99 configured=02 drained=0000\n")
    stack.start_again()
    stack.all_found()
    assert "memory_ignored" in stack.log()
    stack.all_serve()


def test_idle_connections_end_and_then_workers_and_busy_connections_do_not(lab):
    stack = stack_of(lab, control={"degrade_ms": 100, "degrade_idle_s": 1, "degrade_machine": "true",
                                   # No machine is so full: the steps are ours.
                                   "degrade_congested_permille": 996, "degrade_all_permille": 997,
                                   "degrade_idle_permille": 998, "degrade_workers_permille": 999})
    with crowds.Crowd(stack.space) as crowd, stacks.Held(stack, 50):
        crowd.carry("trickle", 4, 8000)
        crowd.goes_on(20_000)
        assert sum(stack.connections().values()) == 54
        stack.order("degrade", "short_idle")
        # Our side has closed; the other end holds on, so they leave by and by (FIN_WAIT_2).
        netlab.wait_until(lambda: len(stack.flows()) == 4, 10, what="the end of the idle ones")
        stack.order("degrade", "fewer_workers")
        netlab.wait_until(lambda: len(stack.slots()) == 1, what="one worker less")
        crowd.goes_on(20_000)
        assert stack.mpactl("degrade")["machine_permille"] > 0
        stack.order("degrade", "none")
        netlab.wait_until(lambda: len(stack.slots()) == 2, what="both workers")
        crowd.goes_on(20_000)
        crowd.clean()
