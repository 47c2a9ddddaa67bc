# SPDX-License-Identifier: BSD-3-Clause
"""Deaths at the worst moments, in a build with fault points (preset chaos; skipped in all others): at every named
place of commit, publication, hand-over and return; of a frame; and, to see that these tests can fail, without
any commit at all."""
import glob
import os
import socket
import time

import pytest
from scapy.all import rdpcap

import crowd as crowds
import netlab
import points
import stacks
import survivor

POINTS = points.names()
pytestmark = pytest.mark.skipif(not POINTS, reason="a build without fault points (MPA_FAULT_POINTS)")
POISON = b"poison\xde\xad\xbe\xef\x01\x02\x03\x04"


@pytest.fixture(scope="module")
def armed(nothing_is_left):
    with netlab.Lab() as lab:
        yield points.Armed(lab, lab.ns("armed")).start().ready()


@pytest.mark.parametrize("hit", [1, 2])
@pytest.mark.parametrize("point", POINTS)
def test_a_death_at_this_point_costs_no_connection(armed, point, hit):
    if hit == 2 and not point.startswith(("commit", "publish")) and not point.endswith(("flow", "flipped", "written")):
        pytest.skip("passed once in a life")
    armed.all_serve()
    with crowds.Crowd(armed.space) as crowd:
        crowd.mixed(16)
        crowd.goes_on(100_000)
        points.die_at(armed, crowd, point, hit)
        crowd.goes_on(100_000)
        crowd.probe()
        crowd.clean()


def test_without_commit_connections_are_lost(lab):
    """The negative control: the same run, and it must see that something is wrong."""
    stack = survivor.Survivor(lab, lab.ns("control")).start(wrapper=("env", "MPA_COMMIT=off")).ready()
    with crowds.Crowd(stack.space, timeout=5) as crowd:
        crowd.mixed(16)
        for slot in (0, 1):
            crowd.fault()
            stack.kill(slot)
            stack.all_serve()
        crowd.idle.order("probe")
        report = crowd.stop()
        assert any(report[name] for name in crowds.ZEROES), report


def test_a_frame_that_kills_is_kept_and_its_flow_alone_is_reset(lab):
    """The poison is sent again by the peer's TCP, kills once more, and then its connection ends."""
    stack = survivor.Survivor(lab, lab.ns("poisoned")).start(wrapper=("env", f"MPA_FAULT_FRAME={POISON.hex()}")).ready()
    with crowds.Crowd(stack.space) as crowd:
        crowd.mixed(16)
        with stack.space.entered():
            poisoner = socket.create_connection((stack.address4, 7), 10)
        name = f"{poisoner.getsockname()[0]}:{poisoner.getsockname()[1]}"
        poisoner.settimeout(15)
        poisoner.sendall(POISON)
        with pytest.raises(ConnectionResetError):
            poisoner.recv(1)
        poisoner.close()
        crowd.goes_on()
        crowd.clean()
    suspects = stack.events("suspect")
    assert len(suspects) == 2 and all(name in str(event) for event in suspects)
    resets = stack.events("flow_reset")
    assert len(resets) == 1 and name in str(resets)
    assert all(event["fields"] for event in stack.events("died"))
    files = glob.glob(os.path.join(stack.runtime_dir, "suspects", "*.pcap"))
    assert files and any(POISON in bytes(frame) for path in files for frame in rdpcap(path))


def test_a_plain_kill_accuses_nobody(armed):
    with crowds.Crowd(armed.space) as crowd:
        crowd.mixed(16)
        for slot in (0, 1):
            crowd.fault()
            armed.kill(slot)
            armed.all_serve()
        crowd.clean()
    assert not armed.events("suspect") and not armed.events("flow_reset")


def test_a_worker_in_a_crash_loop_is_carried_by_the_other(lab):
    """One slot dies at its first commit, in every life: the other serves all, and the starts become rarer."""
    stack = survivor.Survivor(lab, lab.ns("loop")).start(
        wrapper=("env", "MPA_FAULT_POINT=commit_begin:1:1"), control={"restart_delay_ms": 100})
    stacks.Stack.ready(stack)  # not all serve, and never will
    netlab.wait_until(lambda: 0 in stack.slots(), what="the healthy worker")
    with crowds.Crowd(stack.space) as crowd:
        crowd.carry("bulk", 8, 32768)
        crowd.carry("trickle", 8, 1400)
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            crowd.goes_on()
        crowd.clean()
    worker = next(it for it in stack.mpactl("status")["processes"] if it["role"] == "worker" and it["slot"] == 1)
    assert 1 <= worker["restarts"] <= 8, worker
