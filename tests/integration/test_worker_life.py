# SPDX-License-Identifier: BSD-3-Clause
"""A worker outlives its frontend, and ends when it is told to."""
import os
import random
import signal
import socket

import pytest

import netlab
import stacks



def only(stack, name):
    """The one process of that name."""
    pids = [pid for pid, its_name in stack.processes().items() if its_name == name]
    assert len(pids) == 1, pids
    return pids[0]


def has_ended(pid):
    """Gone, or only to be waited for by a parent that is stopped."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def exchange(connection, n_bytes, seed):
    """Sends random bytes to the echo service and reads them back, whatever happens meanwhile."""
    sent, heard = random.Random(seed).randbytes(n_bytes), b""
    connection.sendall(sent)
    while len(heard) < n_bytes:
        piece = connection.recv(65536)
        assert piece, "the peer has closed"
        heard += piece
    assert heard == sent


def echo(stack, address):
    with stack.space.entered():
        connection = socket.create_connection((address, 7), timeout=20)
    exchange(connection, 5, 0)
    return connection


@pytest.mark.parametrize("address", [stacks.ADDRESS4, stacks.ADDRESS6])
def test_a_connection_outlives_its_frontend_again_and_again(start, address):
    stack = start("ours", workers=1)
    worker = only(stack, "mpa-worker")
    connection = echo(stack, address)
    accepted = stack.counters("worker")["connections_accepted"]
    for life in range(3):
        os.kill(only(stack, "mpa-frontend"), signal.SIGKILL)
        exchange(connection, 60000, life)
    assert only(stack, "mpa-worker") == worker
    stack.ready()
    assert stack.counters("worker")["connections_accepted"] >= accepted
    connection.close()


def test_new_connections_and_datagrams_find_a_worker_that_came_back(start):
    stack = start("ours", workers=1)
    os.kill(only(stack, "mpa-frontend"), signal.SIGKILL)
    netlab.wait_until(lambda: "returned slot=0" in stack.log(), what="the worker's return")
    echo(stack, stacks.ADDRESS4).close()
    with stack.space.entered():
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.settimeout(5)
    datagrams.sendto(b"there?", (stacks.ADDRESS4, 7))
    assert datagrams.recv(100) == b"there?"


def lose_frontend(stack):
    """Nobody starts another one."""
    os.kill(stack.process.pid, signal.SIGSTOP)
    os.kill(only(stack, "mpa-frontend"), signal.SIGKILL)
    netlab.wait_until(lambda: "frontend_lost" in stack.log() or "lane_lost" in stack.log(), what="the loss")


def test_a_worker_without_frontend_stops_when_told_to(start):
    stack = start("ours", workers=1)
    worker = only(stack, "mpa-worker")
    lose_frontend(stack)
    assert not has_ended(worker)
    os.kill(worker, signal.SIGTERM)
    netlab.wait_until(lambda: has_ended(worker), what="the worker's end", timeout=2)
    os.kill(stack.process.pid, signal.SIGCONT)


@pytest.mark.parametrize("orphan_s", [0, 1])
def test_a_worker_waits_for_a_frontend_no_longer_than_it_should(start, orphan_s):
    stack = start("ours", workers=1, worker={"orphan_s": orphan_s})
    worker = only(stack, "mpa-worker")
    lose_frontend(stack)
    netlab.wait_until(lambda: has_ended(worker), what="the worker's end", timeout=orphan_s + 3)
    os.kill(stack.process.pid, signal.SIGCONT)
