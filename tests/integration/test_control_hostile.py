# SPDX-License-Identifier: BSD-3-Clause
"""Clients that mean harm to mpa-controld: floods, crowds, those that never read, bytes of any kind. Each is refused
with a reason or cut off, memory stays, and an operator's `mpactl status` is answered beside them, at most a
second late in the median (with sanitizers 0.2 s is seen; the figures are printed). One mpa-controld for all of it, over the fake data plane of fake/."""
import os
import random
import resource
import signal
import socket
import struct
import threading
import time

import pytest

import protowire
from controlled import OK, Control, wait_until
from protowire import Client, Reply


@pytest.fixture(scope="module")
def control(nothing_is_left, tmp_path_factory):
    it = Control(str(tmp_path_factory.mktemp("hostile")))
    os.chmod(it.dir, 0o755)
    # A sanitizer would keep all that was freed.
    os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=1"
    it.start().up()
    del os.environ["ASAN_OPTIONS"]
    pid = it.process.pid
    status_ms(it, "alone")
    before, n_before = memory_kib(pid), descriptors(it)
    yield it
    assert it.process.poll() is None and it.status()["state"] == "running"
    wait_until(lambda: descriptors(it) <= n_before, "descriptors back")
    print(f"memory {before} -> {memory_kib(pid)} KiB, descriptors {n_before} -> {descriptors(it)}")
    assert memory_kib(pid) - before < 96 << 10
    it.clean()


def memory_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def status_ms(control, beside):
    """Median and worst of five `mpactl status`."""
    took = []
    for _ in range(5):
        began = time.monotonic()
        assert control.mpactl("--json", "--timeout", "15000", "status").returncode == OK
        took.append((time.monotonic() - began) * 1000)
    print(f"status beside {beside}: median {sorted(took)[2]:.0f} ms, worst {max(took):.0f} ms")
    assert sorted(took)[2] < 1000, beside


class Crowd:
    """Threads that do something again and again until the block ends."""

    def __init__(self, n, deed):
        self.is_over, self.deed, self.n_done = threading.Event(), deed, [0] * n
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(n)]

    def run(self, i):
        while not self.is_over.is_set():
            try:
                self.deed()
                self.n_done[i] += 1
            except OSError:
                pass  # cut off: the next turn connects anew

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


def test_a_flood_of_requests_is_refused_above_the_rate(control):
    codes = []
    with Client(control.dir) as client:
        for number in range(3000):
            reply = client.ask(protowire.EXPLAIN, ident=number + 1)
            codes.append(reply.error[0] if reply.error else None)
    assert codes[:1000].count(None) > 990
    assert set(codes) == {None, protowire.BUSY} and codes.count(protowire.BUSY) > 100


def test_status_is_answered_beside_floods(control):
    def flood():
        with Client(control.dir) as client:
            for _ in range(200):
                client.ask(protowire.GET_STATS, b"\x08\x01")
    with Crowd(4, flood) as crowd:
        status_ms(control, "4 floods")
    assert sum(crowd.n_done) > 0


def test_unanswered_requests_of_one_connection_are_bounded(control):
    """Asked in one go and read afterwards: a few at least are answered, the others refused, none forgotten."""
    with Client(control.dir) as client:
        for number in range(20):
            client.send(protowire.request(protowire.GET_STATUS, ident=number + 1), number + 1)
        replies = [client.reply() for _ in range(20)]
    codes = [reply.error and reply.error[0] for reply in replies]
    assert set(codes) <= {None, protowire.BUSY} and codes.count(None) >= 8


def test_who_waits_for_each_answer_is_never_refused_for_asking_at_once(control):
    """The longest answer there is to give takes mpa-controld longer than the client needs for its next request."""
    with Client(control.dir) as client:
        errors = [client.ask(protowire.GET_CONFIG, ident=number).error for number in range(1, 301)]
    assert set(errors) == {None}


def test_a_thousand_clients_keep_no_admin_out(control):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    clients = []
    try:
        for _ in range(1000):
            clients.append(Client(control.dir))
        status_ms(control, "1,000 clients")
        assert len(os.listdir(f"/proc/{control.process.pid}/fd")) < 400
        # The last ones are served, the first ones were cut off for them.
        assert clients[-1].ask(protowire.GET_STATUS).error is None
        with pytest.raises(OSError):
            clients[0].ask(protowire.GET_STATUS)
    finally:
        for client in clients:
            client.socket.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with Crowd(4, lambda: Client(control.dir).socket.close()):
        status_ms(control, "connections that come and go")


def test_a_hundred_listeners_of_events_are_too_many(control):
    listeners = []
    try:
        for _ in range(100):
            try:
                listeners.append(Client(control.dir, "events.ipc", protowire.HELLO_SUB))
            except ConnectionError:
                pass
        n_cut = 0
        for listener in listeners:
            listener.socket.settimeout(0.01)
            try:
                n_cut += listener.socket.recv(1, 0x2) == b""  # MSG_PEEK
            except TimeoutError:
                pass
            except ConnectionError:
                n_cut += 1
        assert len(listeners) - n_cut == 64
    finally:
        for listener in listeners:
            listener.socket.close()


@pytest.mark.parametrize("name", ["control.ipc", "frontend.ipc"])
def test_bytes_of_any_kind_get_a_reason(control, name):
    dice = random.Random(4711)
    good = protowire.request(protowire.DRAIN, protowire.field(1, 77) + protowire.field(2, 1), ident=5)
    bodies = [dice.randbytes(dice.randrange(200)) for _ in range(300)]
    bodies += [good[:cut] for cut in range(len(good))]
    bodies += [good[:at] + bytes([dice.randrange(256)]) + good[at + 1:] for at in range(len(good)) for _ in range(4)]
    bodies += [good + protowire.field(500, dice.randbytes(60000)), b"\0" * 65537, b"\x52" * 200_000]
    with Client(control.dir, name) as client:
        for number, body in enumerate(bodies):
            client.send(body, number + 1)
            reply = client.reply()
            assert reply.error is None or (reply.error[0] and reply.error[1] and reply.error[2]), body
    assert control.status()["state"] == "running"


@pytest.mark.parametrize("name", ["control.ipc", "frontend.ipc", "events.ipc"])
def test_broken_framing_is_cut_off(control, name):
    for junk in (b"\x01" + b"\xff" * 8, b"\x02" + b"\0" * 8, b"\x01" + (8 << 20).to_bytes(8, "big"), os.urandom(64)):
        with Client(control.dir, name) as client:
            try:
                client.socket.sendall(junk)
                client.socket.shutdown(1)
                while client.socket.recv(4096):
                    pass
            except ConnectionError:
                pass
    for greeting in (b"GET / HTTP/1.1\r\n\r\n", protowire.HELLO_SUB if name != "events.ipc" else protowire.HELLO_REQ):
        try:
            with Client(control.dir, name, greeting) as client:
                assert client.socket.recv(1) == b""
        except ConnectionError:
            pass
    assert control.status()["state"] == "running"


def hang_up(control, name, greeting):
    """Connects, greets in part, and has gone before an answer."""
    with socket.socket(socket.AF_UNIX) as client:
        # For a connect() that waits for its turn: one without a wait fails while many others wait for theirs.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 15, 0))
        client.connect(os.path.join(control.dir, name))
        try:
            client.sendall(greeting)
        except ConnectionError:
            pass  # cut off already


def descriptors(control):
    return len(os.listdir(f"/proc/{control.process.pid}/fd"))


@pytest.mark.parametrize("name", ["control.ipc", "frontend.ipc"])
def test_hanging_up_in_the_greeting_keeps_nobody_out(control, name):
    """nng 1.5.2 by itself takes nobody any more after one of these: see lib/hangup."""
    n_before = descriptors(control)
    with Client(control.dir, name) as before:
        for number in range(400):
            hang_up(control, name, protowire.HELLO_REQ[:number % 8])
        status_ms(control, f"after hang-ups at {name}")
        with Client(control.dir, name) as after:
            assert before.ask(protowire.GET_STATUS).id == after.ask(protowire.GET_STATUS).id == 1
    wait_until(lambda: descriptors(control) <= n_before, "descriptors back")


def test_hanging_up_in_the_greeting_keeps_no_listener_of_events_out(control):
    with Client(control.dir, "events.ipc", protowire.HELLO_SUB) as before:
        n_before = descriptors(control)
        for number in range(400):
            hang_up(control, "events.ipc", protowire.HELLO_SUB[:number % 8])
        with Client(control.dir, "events.ipc", protowire.HELLO_SUB, timeout=1) as after:
            def is_heard():
                """Nobody tells when a new listener is let in: there is news until it hears some."""
                os.kill(control.worker(1)["pid"], signal.SIGKILL)
                try:
                    return after.message()
                except TimeoutError:
                    control.up()
                    return False
            wait_until(is_heard, "an event")
            assert before.message()
        wait_until(lambda: descriptors(control) <= n_before, "descriptors back")
    control.up()


def test_status_is_answered_beside_hang_ups(control):
    def hang_up_and_ask():
        for _ in range(20):
            hang_up(control, "control.ipc", protowire.HELLO_REQ[:random.randrange(8)])
        with Client(control.dir) as client:
            client.ask(protowire.GET_STATUS)
    with Crowd(4, hang_up_and_ask) as crowd:
        status_ms(control, "4 that hang up")
    assert sum(crowd.n_done) > 0


def test_replies_have_the_ids_of_their_requests(control):
    with Client(control.dir) as client:
        for ident in (1, 1 << 32, (1 << 64) - 1):
            assert client.ask(protowire.EXPLAIN, ident=ident).id == ident
        client.send(b"")
        assert Reply(client.message()[4:]).error[0] == protowire.UNSUPPORTED


def test_status_is_answered_beside_clients_that_never_read(control):
    message = protowire.frame(b"\x80\0\0\x01" + protowire.request(protowire.GET_STATS, b"\x08\x01"))

    def never_read():
        with Client(control.dir, timeout=1) as client:
            for _ in range(100):
                client.socket.sendall(message)
    n_before = descriptors(control)
    with Crowd(6, never_read) as crowd:
        status_ms(control, "6 clients that never read")
    assert sum(crowd.n_done) > 0
    wait_until(lambda: descriptors(control) <= n_before, "descriptors back")
