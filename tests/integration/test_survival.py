# SPDX-License-Identifier: BSD-3-Clause
"""No connection dies with its worker: processes are killed, stopped, moved and replaced under connections that
carry verified bytes both ways, and none of them is reset, stands still or loses a byte. These are the short
runs; scripts/chaos.sh does the same for as long as one likes."""
import contextlib
import os
import random
import signal
import socket
import subprocess
import threading
import time

import pytest
from scapy.all import TCP

import control
import crowd as crowds
import hand_tcp
import netlab
import stacks
import survivor
import wire

N = 24                     # connections of every kind
FILE_BYTES = 24 << 20      # more than all buffers on the way hold
N_CONFIGURED = 2


def start(lab, name, **options):
    """A stack that also serves the file "random", under its own address in a namespace of that name."""
    os.makedirs(os.path.join(lab.dir, "www"), exist_ok=True)
    with open(os.path.join(lab.dir, "www", "random"), "wb") as page:
        page.write(os.urandom(FILE_BYTES))
    return survivor.Survivor(lab, lab.ns(name)).start(**options).ready()


@pytest.fixture(scope="module")
def pair(nothing_is_left):
    """Two workers, for all tests of the module: whatever a test kills has come back before the next one."""
    with netlab.Lab() as lab:
        yield start(lab, "pair")


@pytest.fixture
def two(pair):
    pair.all_serve()
    yield pair
    pair.all_serve()


@pytest.fixture(scope="module")
def single(nothing_is_left):
    with netlab.Lab() as lab:
        yield start(lab, "single", workers=1)


@pytest.fixture
def one(single):
    """A stack with a single worker."""
    single.all_serve()
    yield single
    single.all_serve()


@contextlib.contextmanager
def traffic(stack, n=N, churn=0):
    """Connections of all kinds; at the end all is as it must be, or LabError says what is not."""
    with crowds.Crowd(stack.space) as crowd:
        crowd.mixed(n)
        if churn:
            crowd.churn(churn)
        crowd.goes_on()
        yield crowd
        crowd.goes_on()
        crowd.probe()
        crowd.clean()


def kill(stack, crowd, slot):
    crowd.fault()
    return stack.kill(slot)


# ---- a worker dies ----------------------------------------------------------------------------------------


def test_killing_one_of_two_workers_leaves_its_connections_open(two):
    with traffic(two) as crowd:
        netlab.wait_until(lambda: all(two.connections().values()), what="connections on both workers")
        for slot in (0, 1, 0):
            kill(two, crowd, slot)
            crowd.goes_on()
            two.all_serve()
    assert two.events("adopted")


def test_killing_all_workers_at_once_leaves_their_connections_open(two):
    with traffic(two) as crowd:
        pids = list(two.slots().values())
        crowd.fault()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        crowd.goes_on()


def test_the_adopter_of_adopted_connections_dies_too(two):
    """Each worker in turn, the next as soon as it is alone with everything."""
    with traffic(two) as crowd:
        for _ in range(4):
            slot = random.choice(list(two.slots()))
            kill(two, crowd, slot)
            netlab.wait_until(lambda: slot not in two.slots() or len(two.slots()) == N_CONFIGURED, what="a survivor")
            netlab.wait_until(two.slots, what="anybody who serves")
        crowd.goes_on()


def test_with_a_single_worker_its_replacement_adopts(one):
    with traffic(one) as crowd:
        for _ in range(3):
            pid, _time = kill(one, crowd, 0)
            netlab.wait_until(lambda: one.slots().get(0, pid) != pid, what="the replacement")
            crowd.goes_on()


class Download:
    """Fetches /random in a thread, slowly enough to be interrupted; result() is what came."""

    def __init__(self, stack, address=stacks.ADDRESS4):
        with stack.space.entered():
            self.socket = socket.create_connection((address, 80), 10)
        self.socket.sendall(b"GET /random HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.parts, self.n_bytes, self.error = [], 0, None
        self.may_read = threading.Semaphore(0)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while True:
                self.may_read.acquire()
                part = self.socket.recv(65536)
                if not part:
                    return
                self.parts.append(part)
                self.n_bytes += len(part)
        except OSError as error:
            self.error = error

    def goes_on_to(self, n_bytes):
        while self.n_bytes < n_bytes and self.thread.is_alive():
            self.may_read.release()
            time.sleep(0)
        assert self.error is None, self.error

    def result(self):
        for _ in range(2 * FILE_BYTES // 1000):
            self.may_read.release()
        self.thread.join(20)
        assert self.error is None and not self.thread.is_alive(), self.error
        self.socket.close()
        return b"".join(self.parts).partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("address", [stacks.ADDRESS4, stacks.ADDRESS6])
def test_a_download_in_progress_goes_on(two, address):
    with open(os.path.join(two.lab.dir, "www", "random"), "rb") as original:
        wanted = original.read()
    download = Download(two, address)
    for part in range(1, 5):
        download.goes_on_to(part * FILE_BYTES // 6)
        for slot in list(two.slots()):
            two.kill(slot)
            two.all_serve()
    assert download.result() == wanted


def test_half_closed_connections_survive(two):
    """Our FIN has arrived, the rest of the echo is still to come."""
    process = two.space.start(stacks.peer_program(), "verify", "--to", two.address4, "-n", "16", "-b", "8000000",
                              "--half-close", "-t", "15", stdout=subprocess.PIPE)
    for slot in (0, 1):
        two.all_serve()
        two.kill(slot)
    text = process.stdout.read()
    assert process.wait(30) == 0, two._said(process)
    assert b'"bad_bytes":0' in text
    process.stdout.close()


def test_connections_that_come_and_go_all_complete_while_workers_are_killed(two):
    """Some 30 ms each, either side closing first; a kill every 100 ms."""
    rng = random.Random(1)
    with crowds.Crowd(two.space) as crowd:
        crowd.churn(16)
        crowd.goes_on(20_000)
        for _ in range(20):
            begin = time.monotonic()
            slots = two.slots()
            if slots:
                kill(two, crowd, rng.choice(list(slots)))
            time.sleep(max(0, begin + 0.1 - time.monotonic()))  # the rate is the test
        two.all_serve()
        crowd.goes_on(20_000)
        assert crowd.clean()["connections"] > 100


def test_idle_connections_answer_after_their_worker_was_killed(two):
    with crowds.Crowd(two.space) as crowd:
        crowd.idle = crowd.carry("idle", 500, 100)
        for slot in (0, 1):
            kill(two, crowd, slot)
            two.all_serve()
            crowd.probe()
        crowd.clean()


def each_worker_dies(stack):
    """One after the other, so that whoever served a connection has died."""
    for slot in sorted(stack.slots()):
        stack.kill(slot)
        stack.all_serve()


@pytest.mark.parametrize("family", [4, 6])
def test_a_handshake_that_a_dead_worker_began_is_finished(two, family):
    with wire.Port(two.space) as port:
        client = hand_tcp.HandTcp(port, family, source_port=41000, port_to=7)
        client.send("S", options=[("MSS", 1460)])
        answer = client.hear(lambda frame: frame[TCP].flags.S)
        client.ack = answer[TCP].seq + 1
        each_worker_dies(two)
        client.send("A")
        client.send("PA", b"hello")
        echo = client.hear(lambda frame: frame[TCP].flags.R or bytes(frame[TCP].payload))
        assert not echo[TCP].flags.R and bytes(echo[TCP].payload)[:5] == b"hello"
        client.close()


@pytest.mark.parametrize("family", [4, 6])
def test_a_late_segment_of_a_closed_connection_gets_no_reset_from_the_adopter(two, family):
    """The server has closed first and stands in TIME_WAIT; our FIN was lost, as far as we know."""
    with wire.Port(two.space) as port:
        client = hand_tcp.HandTcp(port, family, source_port=41001, port_to=80)
        client.open()
        client.send("PA", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        fin = client.hear(lambda frame: frame[TCP].flags.F)
        client.ack = fin[TCP].seq + len(fin[TCP].payload) + 1
        client.send("FA")
        assert client.hear(lambda frame: frame[TCP].ack == client.seq) is not None
        each_worker_dies(two)
        client.seq -= 1
        client.send("FA")
        answer = client.hear(seconds=0.5)
        assert answer is None or not answer[TCP].flags.R


def test_a_worker_that_stands_still_is_killed_and_its_connections_go_on(two):
    with traffic(two) as crowd:
        pid = two.slots()[0]
        crowd.fault()
        os.kill(pid, signal.SIGSTOP)
        netlab.wait_until(lambda: not survivor.is_running(pid), timeout=10, what="the end of a stopped worker")
        crowd.goes_on()
        two.all_serve()
        answered_ms = crowd.now()["fault_stalls_ms"][-1]
    assert two.events("stalled")
    worker = next(it for it in two.mpactl("status")["processes"] if it["role"] == "worker" and it.get("slot", 0) == 0)
    assert worker["last_exit"] == "killed by signal 9 (Killed): stood still with work waiting"
    # Heartbeat limit and adoption; the rest is for a busy machine. scripts/chaos.sh stall has the figure.
    adopted_ms = survivor.duration_ms(two.events("adopted")[-1])
    assert answered_ms < two.setting("control", "heartbeat_ms") + adopted_ms + 2000


# ---- connections move -------------------------------------------------------------------------------------


def test_buckets_move_under_load(two):
    rng = random.Random(2)
    with traffic(two, churn=4) as crowd:
        for _ in range(20):
            first = rng.randrange(4000)
            crowd.fault()
            two.order("migrate", "bucket", f"{first}-{first + 60}", "--to", str(rng.randrange(2)))
    done = [event for event in two.events("handover") if event["fields"]]
    assert done


def test_all_buckets_go_back_and_forth(two):
    with traffic(two) as crowd:
        for to in ("0", "1", "0"):
            crowd.fault()
            two.order("migrate", "bucket", "0-4095", "--to", to)
            netlab.wait_until(lambda: two.connections()[1 - int(to)] == 0, what="an empty worker")
            crowd.goes_on()
        two.order("migrate", "bucket", "0-2047", "--to", "1")


def test_a_single_flow_moves_and_stays_where_it_was_put(two):
    with traffic(two) as crowd:
        flow = two.flows("--worker", "0")[0]
        crowd.fault()
        two.order("migrate", "flow", survivor.flow_name(flow), "--to", "1")
        netlab.wait_until(lambda: any(it["key"] == flow["key"] for it in two.flows("--worker", "1")),
                          what="the flow at its new worker")
        crowd.goes_on()
        assert not any(it["key"] == flow["key"] for it in two.flows("--worker", "0"))


def test_a_drained_worker_has_no_connections_and_gets_none(two):
    with traffic(two) as crowd:
        crowd.fault()
        two.order("drain", "0")
        netlab.wait_until(lambda: two.connections()[0] == 0, what="an empty worker")
        stacks.peer(two.space, "verify", "--to", two.address4, "-n", 16)
        assert two.connections()[0] == 0
        two.order("undrain", "0")
        netlab.wait_until(lambda: two.connections()[0] > 0, what="its share")


@pytest.mark.parametrize("words, part", [
    (("migrate", "bucket", "7", "--to", "9"), "9"),
    (("migrate", "bucket", "4096", "--to", "1"), "4096"),
    (("migrate", "flow", "tcp 10.9.9.9:1 -> 10.77.0.2:7", "--to", "1"), "10.9.9.9"),
    (("drain", "9"), "9"),
    (("kill", "9"), "9"),
])
def test_an_order_that_names_nothing_there_is_refused_in_words(two, words, part):
    before = two.mpactl("buckets")
    answer = two.refused(*words)
    assert part in answer and len(answer.splitlines()) == 1
    assert two.mpactl("buckets") == before


def test_nothing_moves_to_a_worker_that_is_drained(two):
    with traffic(two):
        two.order("drain", "0")
        try:
            assert "drain" in two.refused("migrate", "bucket", "7", "--to", "0")
            assert two.refused("drain", "1")
        finally:
            two.order("undrain", "0")


@pytest.mark.parametrize("who", ["source", "target"])
def test_connections_survive_when_a_worker_dies_while_they_move(two, who):
    """It is stopped first, so that the move is under way for sure when it dies."""
    with traffic(two) as crowd:
        slots = two.slots()
        pid = slots[0 if who == "source" else 1]
        os.kill(pid, signal.SIGSTOP)
        crowd.fault()
        mover = subprocess.Popen(two.space.command(
            stacks.program("mpactl", two.programs["mpactl"]), "--runtime-dir", two.runtime_dir, "migrate", "bucket",
            "0-4095", "--to", "1"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            mover.wait(0.2)
        except subprocess.TimeoutExpired:
            pass  # it waits for the stopped worker
        os.kill(pid, signal.SIGKILL)
        _, words = mover.communicate(timeout=20)
        assert mover.returncode == 0 or words.strip(), "a clear answer"
        crowd.goes_on()
        two.all_serve()


# ---- the others die ---------------------------------------------------------------------------------------


def kill_frontend(stack, crowd):
    pid = stack.frontend()
    crowd.fault()
    os.kill(pid, signal.SIGKILL)
    netlab.wait_until(lambda: not survivor.is_running(pid), what="the end of the frontend")
    netlab.wait_until(lambda: stack.frontend() not in (0, pid), timeout=20, what="the next frontend")


def test_killing_the_frontend_leaves_connections_open(two):
    workers = two.slots()
    with traffic(two) as crowd:
        for _ in range(2):
            kill_frontend(two, crowd)
            two.all_serve()
            crowd.goes_on()
        assert two.slots() == workers, "the same workers, back again"


def test_a_worker_that_dies_with_the_frontend_takes_no_connection_of_the_others_along(two):
    """Nobody holds its records then but the others that come back: its own connections are not promised. Those of
    the other worker are."""
    with traffic(two) as crowd:
        two.order("migrate", "bucket", "0-4095", "--to", "1")
        pid = two.slots()[0]
        crowd.fault()
        os.kill(two.frontend(), signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        two.all_serve()
        crowd.goes_on()


def test_nobody_notices_that_controld_has_died(lab):
    stack = start(lab, "headless")
    with traffic(stack) as crowd:
        os.kill(stack.process.pid, signal.SIGKILL)
        netlab.wait_until(lambda: not survivor.is_running(stack.process.pid), what="the end of controld")
        crowd.goes_on()
        stack.start_again()
        stack.all_serve()
        stack.order("migrate", "bucket", "0-2047", "--to", "1")
        stack.kill(0)
        stack.all_serve()
    assert stack.end() == [], "mpactl stop leaves no orphan"


@pytest.mark.parametrize("operation", ["migrate", "drain", "update"])
def test_an_operation_that_loses_its_controld_is_done_undone_or_put_right(two, operation):
    """And told to whoever has asked for it; the workers are those of before, but for an update."""
    fault = control.Control()
    with traffic(two, churn=4) as crowd:
        for seed in range(2):
            fault.strike(two, crowd, random.Random(seed), operation)
    assert sum(fault.outcomes[operation].values()) == 2 and not two.unrepaired()


# ---- replaced ---------------------------------------------------------------------------------------------


def test_a_rolling_update_replaces_every_worker_under_load(two):
    before = set(two.slots().values())
    with traffic(two, churn=4) as crowd:
        crowd.fault()
        two.order("update", timeout=60)
        assert not before & set(two.slots().values())
        crowd.goes_on()


def test_an_update_replaces_a_single_worker_under_load(one):
    before = set(one.slots().values())
    with traffic(one) as crowd:
        crowd.fault()
        one.order("update", timeout=60)
        assert not before & set(one.slots().values())


def test_an_update_replaces_the_frontend_under_load(two):
    before = two.frontend()
    with traffic(two) as crowd:
        crowd.fault()
        two.order("update", "--frontend", timeout=60)
        assert two.frontend() != before
        two.all_serve()


def scale(stack, crowd, n_workers):
    crowd.fault()
    stack.scale(n_workers)
    assert sorted(stack.slots()) == list(range(n_workers))
    crowd.goes_on()


def test_workers_come_and_go_under_load(two):
    first = two.slots()[0]
    with traffic(two, churn=4) as crowd:
        for n_workers in (4, 1, 2):
            scale(two, crowd, n_workers)
    assert two.slots()[0] == first


def test_one_worker_then_everything_is_restarted_under_load(two):
    before, frontend = two.slots(), two.frontend()
    with traffic(two) as crowd:
        crowd.fault()
        two.order("restart", "1")
        assert two.slots()[0] == before[0] and two.slots()[1] != before[1]
        crowd.goes_on()
        crowd.fault()
        two.order("restart", "all", timeout=60)
        two.all_serve()
        assert two.frontend() != frontend and not set(before.values()) & set(two.slots().values())
        crowd.goes_on()


# ---- records that lie -------------------------------------------------------------------------------------


@pytest.mark.parametrize("deed", ["records-noise", "records-random", "records-torn", "records-far", "records-twins"])
def test_records_that_lie_hurt_nobody(one, deed):
    """A hostile worker fills its records with lies and dies; the other adopts what it believes. The liar is drained
    before the connections are opened, so that none of them is its own."""
    stack, workers = one, one.slots()
    n_adopted = len(stack.events("adopted"))
    netlab.wait_until(lambda: len(stack.mpactl("workers")["workers"]) == 1, what="the end of the liar before")
    liar = subprocess.Popen(stack.space.command(
        stacks.program("mpa-hostile-worker", "tests/support/hostile"), "--runtime-dir", stack.runtime_dir, "--slot", 1,
        "--deed", deed), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert liar.stdout.readline().strip() == "serving"
    netlab.wait_until(lambda: stack.mpactl("buckets")["workers"].count(1) == 2048, what="the liar's share")
    # The control thread looks at the lanes every 100 ms.
    netlab.wait_until(lambda: [it["state"] for it in stack.mpactl("workers")["workers"]] == ["serving"] * 2,
                      what="the liar's lane")
    stack.order("drain", "1")
    with traffic(stack):
        liar.stdin.write("go\n")
        liar.stdin.flush()
        assert liar.stdout.readline().strip() == "done"
        liar.kill()
        liar.wait()
        netlab.wait_until(lambda: len(stack.events("adopted")) > n_adopted, what="the end of its adoption")
        assert stack.slots() == workers, "the honest worker lives"
    liar.stdin.close()
    liar.stdout.close()
