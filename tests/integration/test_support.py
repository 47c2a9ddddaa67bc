# SPDX-License-Identifier: BSD-3-Clause
"""The tools are right before anything is judged with them: the peer finds faults, the lab leaves nothing."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest

import netlab
import stacks
from netlab import LabError

BOTH = pytest.mark.parametrize("name", ["baseline", "kernel"])
FAMILIES = pytest.mark.parametrize("address", [stacks.ADDRESS4, stacks.ADDRESS6])


def is_alive(pid):
    """Whether a process is there and not a zombie: as pid 1 we do not reap what others have left us."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@BOTH
@FAMILIES
def test_every_service_answers_right(start, peer, name, address):
    start(name)
    to = ("--to", address)
    for direction in ("rx", "tx"):
        assert peer("throughput", direction, *to, "-s", 0.2, "-w", 0.1, "-C", "cubic")["bytes"] > 0
    assert peer("requests", *to, "-n", 20, "-s", 0.2, "-w", 0.1)["requests"] > 20
    for service in ("http", "echo"):
        result = peer("crr", service, *to, "-n", 4, "-s", 0.2)
        assert result["connections"] > 0 and result["errors"] == 0
    assert peer("udp", *to, "-n", 20, "-b", 3000)["bad_datagrams"] == 0


@BOTH
@FAMILIES
@pytest.mark.parametrize("half_close", [(), ("--half-close",)])
def test_streams_come_back_whole_and_end_with_a_fin(start, peer, name, address, half_close):
    start(name)
    result = peer("verify", "--to", address, "-n", 5, "-b", 400_001, *half_close)
    assert result["bytes_received"] == result["bytes_sent"] == 5 * 400_001


@BOTH
def test_pages_are_served_with_keep_alive_and_pipelining(start, name):
    stack = start(name, page_bytes=700)
    url = f"http://{stack.address4}/"
    text = stack.space.run("curl", "-sS", "-m", 5, "-w", "%{http_code} %{num_connects} ", "-o", "/dev/null", url,
                           "-o", "/dev/null", url, "-o", "/dev/null", url + "missing.html")
    assert text == "200 1 200 0 404 0 "
    text = stack.space.run("curl", "-sS", "-m", 5, "-H", "Connection: close", url)
    assert len(text) == 700
    pipelined = ("import socket, sys\n"
                 f"s = socket.create_connection(({stack.address4!r}, 80), 5)\n"
                 "r = b'GET / HTTP/1.1\\r\\nHost: a\\r\\n'\n"
                 "s.sendall((r + b'\\r\\n') * 3 + r + b'Connection: close\\r\\n\\r\\n' + r + b'\\r\\n')\n"
                 "b = b''\n"
                 "while (n := s.recv(65536)): b += n\n"
                 "print(b.count(b'HTTP/1.1 200 OK'), b.count(b'x' * 700))\n")
    assert stack.space.run(sys.executable, "-c", pipelined) == "4 4\n"


class FaultyEcho:
    """An echo server on loopback that does one thing wrong: `fault` changes each piece it sends back."""

    def __init__(self, fault):
        self.fault = fault
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def serve(self):
        connection, _ = self.listener.accept()
        with connection, contextlib.suppress(OSError):  # the peer hangs up when it has seen enough
            while data := connection.recv(4096):
                connection.sendall(self.fault(data))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_error):
        self.listener.close()
        self.thread.join(5)


def flip(data):
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("fault, line", [
    (flip, "bad byte at position"),
    (lambda data: data[:-1], "bad byte at position|unfinished"),
    (lambda data: data + data[-1:], "bad byte at position"),
])
def test_verify_finds_a_wrong_a_lost_and_a_doubled_byte(fault, line):
    with FaultyEcho(fault) as server:
        with pytest.raises(LabError, match=line):
            netlab.run(stacks.peer_program(), "verify", "--to", "127.0.0.1", "--port", str(server.port),
                       "-b", "50000", "-t", "1")


def test_requests_finds_a_wrong_answer():
    with FaultyEcho(flip) as server:
        with pytest.raises(LabError, match="an answer is not its request"):
            netlab.run(stacks.peer_program(), "requests", "--to", "127.0.0.1", "--port", str(server.port))


def test_the_peer_ends_in_time_when_nobody_answers():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(LabError, match="timed out"):
            netlab.run(stacks.peer_program(), "requests", "--to", "127.0.0.1", "--port",
                       str(silent.getsockname()[1]), "-t", "0.3", timeout=10)


@pytest.mark.parametrize("words, line", [
    (("throughput", "sideways", "--to", "127.0.0.1"), "rx or tx"),
    (("verify",), "--to ADDRESS is missing"),
    (("verify", "--to", "nowhere"), "bad value 'nowhere'"),
    (("requests", "--to", "127.0.0.1", "-n", "0"), "bad value '0'"),
    (("ready", "--to", "127.0.0.1", "--port", "1", "-t", "0.1"), "no server within"),
])
def test_the_peer_says_what_is_wrong_in_one_line(words, line):
    done = subprocess.run([stacks.peer_program(), *words], capture_output=True, text=True, timeout=10)
    assert done.returncode == 1 and line in done.stderr and done.stderr.count("\n") == 1


@BOTH
def test_a_bad_cable_loses_doubles_and_reorders_but_no_byte_is_wrong(bad_path, start, peer, name):
    router, far = bad_path("-l", "2", "-D", "2", "-d", "3+3", "-N")
    start(name, space=router, routed=True)
    pings = far.run("ping", "-n", "-i", "0.002", "-c", 400, "-W", 1, "10.88.0.1")
    assert "duplicates" in pings and float(re.search(r"([\d.]+)% packet loss", pings)[1]) > 0
    arrival = [int(number) for number in re.findall(r"icmp_seq=(\d+)", pings)]
    assert arrival != sorted(arrival)
    result = peer("verify", "--to", stacks.ADDRESS4, "-n", 4, "-b", 60_000, "-t", 20)
    assert result["bytes_received"] == 240_000


def test_a_closed_lab_leaves_no_namespace_process_or_file():
    before = set(os.listdir("/proc"))
    with netlab.Lab() as lab:
        stacks.Kernel(lab, lab.ns("peer")).start().ready()
        folder = lab.dir
        assert os.listdir("/run/netns")
    left = {pid for pid in set(os.listdir("/proc")) - before if pid.isdigit()}
    assert not left and not os.listdir("/run/netns") and not os.path.exists(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_killed_program_leaves_no_process_behind(number):
    before = set(os.listdir("/proc"))
    script = ("import sys; sys.path.insert(0, sys.argv[1]); import netlab, stacks; netlab.isolate()\n"
              "lab = netlab.Lab(); stacks.Kernel(lab, lab.ns('peer')).start().ready()\n"
              "print('ready', flush=True); sys.stdin.read()")
    process = subprocess.Popen([sys.executable, "-c", script, os.path.dirname(netlab.__file__)], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    process.wait(10)
    netlab.wait_until(lambda: not {p for p in set(os.listdir("/proc")) - before if p.isdigit() and is_alive(p)},
                      what="the end of all its processes")
    assert not os.listdir("/run/netns")


def test_dropped_packets_are_counted(start):
    stack = start("kernel")
    stack.space.drop_ingress(stacks.TAP, 20)
    stack.space.run("ping", "-n", "-i", "0.002", "-c", 200, "-W", 1, stacks.ADDRESS4)
    assert stack.space.dropped(stacks.TAP) > 0
