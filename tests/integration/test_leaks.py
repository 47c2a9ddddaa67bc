# SPDX-License-Identifier: BSD-3-Clause
"""Nothing leaks: not while workers come and go, not when the stack ends, however it ends."""
import os
import signal

import pytest

import leftovers
import netlab
import stacks


def pool(stack):
    """The gauges of the rx pool."""
    return {name: value for name, value in stack.mpactl("nic")["gauges"].items() if name.startswith("pool_")}


def ready_workers(stack):
    return sum(it["lane_state"] == "serving" for it in stack.mpactl("status")["processes"] if it["role"] == "worker")


def test_workers_that_come_and_go_leave_nothing_in_the_frontend(start):
    stack = start(control={"restart_delay_ms": 0})
    frontend = next(pid for pid, name in stack.processes().items() if name == "mpa-frontend")
    netlab.wait_until(lambda: ready_workers(stack) == 2, what="two workers")
    free = pool(stack)
    before = leftovers.descriptors(frontend), leftovers.mappings(frontend)
    for number in (signal.SIGTERM, signal.SIGKILL) * 3:
        victim = max(stack.workers())
        os.kill(victim, number)
        netlab.wait_until(lambda: victim not in stack.workers() and len(stack.workers()) == 2 and
                          ready_workers(stack) == 2, timeout=15, what="another worker")
        assert stacks.peer(stack.space, "verify", "--to", stack.address4, "-n", 8)["bad_bytes"] == 0
    assert (leftovers.descriptors(frontend), leftovers.mappings(frontend)) == before
    # And all chunks of the rx pool are there again.
    netlab.wait_until(lambda: pool(stack) == free, what=f"{free}")


def test_closed_connections_leave_nothing_in_the_workers(stack):
    def used():
        return [(it["connections"], it["fifo_memory_used_bytes"]) for it in stack.mpactl("workers")["workers"]]
    stacks.peer(stack.space, "verify", "--to", stack.address4, "-n", 500, "-b", 20_000)
    netlab.wait_until(lambda: used() == [(0, 0), (0, 0)], what="empty workers")


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("whom", ["mpa-controld", "mpa-frontend", "mpa-worker"])
def test_nothing_is_left_whoever_ends(how, whom):
    """One process ends, then the stack is stopped: no process, namespace, memfd or file is there any more."""
    with netlab.Lab() as lab:
        stack = stacks.Ours(lab, lab.ns("peer")).start().ready()
        pid = next(pid for pid, name in stack.processes().items() if name == whom)
        others = {number for number in stack.workers() if number != pid}
        os.kill(pid, getattr(signal, how))
        netlab.wait_until(lambda: pid not in stacks.descendants(os.getpid()), what=f"the end of {whom}")
        if whom == "mpa-controld" and how == "SIGKILL":
            # Connections outlive it: the data plane goes on, and the next one takes it over.
            assert stacks.peer(stack.space, "verify", "--to", stack.address4, "-n", 4)["bad_bytes"] == 0
            stack.start_again()
            netlab.wait_until(lambda: stack.log().count("process_adopted") == 3, what="three adopted processes")
            assert others <= set(stacks.descendants(os.getpid()))
    leftovers.wait_for_none()


def test_what_is_left_is_found(lab):
    """The check that every module here ends with (conftest.py) sees what it should."""
    process = lab.ns("forgotten").start("sleep", "60")
    netlab.wait_until(lambda: stacks.descendants(process.pid) == {process.pid: "sleep"}, what="the process")
    memory = os.memfd_create("forgotten")
    found = leftovers.everything()
    os.close(memory)
    assert "sleep" in found["processes"].values() and found["namespaces"] == ["forgotten"]
    assert found["memfds"] == ["memfd:forgotten"] and len(found["files"]) == 1
