# SPDX-License-Identifier: BSD-3-Clause
"""The judge of the survival tests is right: it counts what goes wrong, tells which fault a stall belongs to, and
scripts/chaos.sh fails when it must."""
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

import crowd as crowds
import netlab
import stacks

CHAOS = os.path.join(stacks.ROOT, "tests", "chaos", "chaos.py")


def chaos(*words):
    return subprocess.run(["/usr/bin/python3", CHAOS, *words], capture_output=True, text=True, timeout=120,
                          env=dict(os.environ, MPA_BUILD_DIR=stacks.BUILD_DIR))


@pytest.fixture
def kernel(lab):
    return stacks.Kernel(lab, lab.ns("peer")).start(page_bytes=crowds.PAGE_BYTES, serve_words=("pattern",)).ready()


def pause(stack, seconds):
    os.kill(stack.process.pid, signal.SIGSTOP)
    time.sleep(seconds)  # the fault itself is a length of time
    os.kill(stack.process.pid, signal.SIGCONT)


def test_an_honest_server_is_found_clean(kernel):
    with crowds.Crowd(kernel.space) as crowd:
        crowd.mixed(24)
        crowd.churn(4)
        crowd.goes_on()
        crowd.probe()
        report = crowd.clean()
    assert report["bytes_sent"] > 0 and report["connections"] >= 28 and report["longest_stall_ms"] < 5000


def test_a_stall_is_told_with_its_fault(kernel):
    with crowds.Crowd(kernel.space) as crowd:
        crowd.mixed(8)
        for seconds in (0.1, 0.4):
            crowd.goes_on()
            crowd.fault()
            pause(kernel, seconds)
        crowd.goes_on()
        short, long = crowd.clean()["fault_stalls_ms"]
    assert 90 < short < 390 <= long < 3000


@pytest.mark.parametrize("mode", ["bulk", "trickle", "idle"])
def test_connections_that_die_with_their_server_are_counted(kernel, mode):
    with crowds.Crowd(kernel.space, timeout=2) as crowd:
        member = crowd.carry(mode, 8, 1000)
        kernel.process.kill()
        kernel.process.wait()
        member.order("probe")
        report = crowd.stop()
    assert report["resets"] + report["early_ends"] == 8 and report["completed"] == 0


def test_a_server_that_falls_silent_is_not_waited_for(kernel):
    with crowds.Crowd(kernel.space, timeout=0.5) as crowd:
        crowd.carry("bulk", 4, 1000)
        crowd.churn(2)
        os.kill(kernel.process.pid, signal.SIGSTOP)
        report = crowd.stop()
        os.kill(kernel.process.pid, signal.SIGCONT)
    assert report["unfinished"] >= 4


class Liar(threading.Thread):
    """An echo server on loopback that turns one bit of byte 100,000."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def run(self):
        connection, _ = self.listener.accept()
        n_bytes = 0
        try:
            while data := bytearray(connection.recv(65536)):
                if n_bytes <= 100_000 < n_bytes + len(data):
                    data[100_000 - n_bytes] ^= 1
                n_bytes += len(data)
                connection.sendall(data)
        except OSError:
            pass  # the peer hangs up when it has seen it
        connection.close()


def test_one_wrong_bit_is_found():
    server = Liar()
    server.start()
    # Its standard input stays open: the end of it would mean stop.
    process = subprocess.Popen([stacks.peer_program(), "carry", "bulk", "--to", "127.0.0.1", "--port",
                                str(server.port), "-b", "4000", "-s", "5", "-t", "2"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.wait(20) == 1
    output, errors = process.communicate()
    server.listener.close()
    server.join(5)
    assert json.loads(output.splitlines()[-1])["bad_bytes"] > 0
    assert "byte 100000: wrong byte" in errors


def test_chaos_says_what_became_of_it_in_one_line_of_json():
    done = chaos("--selftest", "--connections", "16", "--faults", "3", "--every", "200", "kill")
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout.splitlines()[-1])
    assert line["kills"] == 3 and line["wrong"] == [] and line["bad_bytes"] == line["resets"] == 0
    assert line["bytes_sent"] > 0 and line["bytes_received"] > 0 and line["stall_ms"]["max"] >= 90


def test_chaos_fails_when_the_faults_asked_for_have_not_happened():
    done = chaos("--selftest", "--connections", "8", "--churn", "0", "--faults", "50", "--minutes", "0.01", "kill")
    assert done.returncode == 1
    assert "faults have struck" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("words", [("sing",), ("--minutes", "-1", "kill"), ("--loss", "99", "kill"), ()])
def test_chaos_refuses_what_it_cannot_do(words):
    done = chaos(*words)
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith("chaos.sh: error")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_chaos_leaves_nothing_behind_however_it_ends(number):
    process = subprocess.Popen(["/usr/bin/python3", CHAOS, "--selftest", "--connections", "8", "kill"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               env=dict(os.environ, MPA_BUILD_DIR=stacks.BUILD_DIR))
    assert "opening" in process.stderr.readline()
    netlab.wait_until(lambda: "mpa-peer" in stacks.descendants(process.pid).values(), what="its peers")
    process.send_signal(number)
    process.wait(10)
    process.stderr.close()
