# SPDX-License-Identifier: BSD-3-Clause
"""Events have numbers, a gap in them is seen, and a snapshot brings back what was missed. The real mpa-controld and
mpactl over the fake data plane of fake/."""
import json
import os
import signal
import socket
import subprocess

import protowire
from controlled import FAILED, MPACTL, NO_DAEMON, OK, control, events, wait_until  # noqa: F401
from protowire import Client, fields


class Subscriber(Client):
    """Of events, by hand."""

    def __init__(self, control):
        super().__init__(control.dir, "events.ipc", protowire.HELLO_SUB)

    def next(self):
        """(sequence, kind, life) of the next event."""
        event = fields(self.message())
        return event[1][0], event[3][0], event[7][0]


def replace_worker(control, slot):
    """Kills it and waits for the next: that is told by several events."""
    first = control.worker(slot)["pid"]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: control.worker(slot)["pid"] not in (0, first) and control.worker(slot)["state"] == "running",
               "a new worker")


def snapshot(control, after, life):
    with Client(control.dir) as client:
        body = client.ask(protowire.GET_SNAPSHOT, protowire.field(1, after) + protowire.field(2, life)).body
    return body[1][0], body.get(2, [0])[0], [fields(e)[1][0] for e in body.get(3, [])], body.get(4, [0])[0], fields(body[5][0])


def test_a_subscriber_that_skips_finds_what_it_missed_in_the_snapshot(control):
    control.start().up()
    with Subscriber(control) as reader:
        control.status()
        replace_worker(control, 1)
        before, _, life = reader.next()
    replace_worker(control, 1)
    with Subscriber(control) as reader:
        control.status()
        replace_worker(control, 0)
        after = reader.next()[0]
        assert after > before + 1
        its_life, last, missing, missed, status = snapshot(control, before, life)
        assert (its_life, missed) == (life, 0) and last >= after
        assert missing == list(range(before + 1, last + 1))
        assert status[2] == [2] and len(status[5]) == 4  # running: controld, frontend, two workers
        # Whoever takes the snapshot and then what is newer has all, each once.
        replace_worker(control, 0)
        number = after
        while number <= last:
            number = reader.next()[0]
        assert number == last + 1


def test_numbers_of_another_life_bring_all_that_is_kept(control):
    control.start().up()
    life, last, all_of_them, missed, _ = snapshot(control, 0, 0)
    assert all_of_them == list(range(1, last + 1)) and missed == 0 and last > 0
    assert snapshot(control, last, life)[2] == []
    assert snapshot(control, last, life + 1)[2][:last] == all_of_them
    control.process.kill()
    control.process.wait()
    control.start().up()
    assert snapshot(control, last, life)[0] != life


def test_mpactl_events_tells_a_gap_and_repairs_it(control, events):
    """Stopped while thousands of events pass; afterwards each number is told, or counted as lost."""
    control.start().up()
    reader = events()
    replace_worker(control, 1)
    first = json.loads(reader.stdout.readline())["sequence"]
    reader.send_signal(signal.SIGSTOP)
    control.play("fake-chatter")
    wait_until(lambda: snapshot(control, 0, 0)[1] > first + 6000, "events")
    control.unplay("fake-chatter")
    reader.send_signal(signal.SIGCONT)
    replace_worker(control, 0)
    end = snapshot(control, 0, 0)[1]
    last, n_lost, n_told = first, 0, 1
    while last < end:
        event = json.loads(reader.stdout.readline())
        if event["kind"] == "lost" and event["role"] == "controld":
            n_lost += int(event["fields"]["count"])
            continue
        assert event["sequence"] > last
        last, n_told = event["sequence"], n_told + 1
    assert n_lost > 0 and n_told > 256
    assert n_told + n_lost == last - first + 1


def test_mpactl_events_tells_that_the_daemon_is_gone_and_what_the_next_one_did(control, events):
    """Silence would look like peace: what happened before we were back is asked for, not waited for."""
    control.start().up()
    worker = control.worker(1)["pid"]
    reader = events()
    control.process.kill()
    control.process.wait()
    assert reader.stderr.readline() == "mpa-controld is gone; waiting for the next one\n"
    os.kill(worker, signal.SIGKILL)
    control.start().up()
    assert reader.stderr.readline() == "listening again\n"
    # It may have found that out before any reader could be there.
    assert json.loads(reader.stdout.readline())["sequence"] == 1


def test_mpactl_events_says_why_it_cannot_listen(control):
    """Nobody, nobody for us, and somebody who hangs: each within --timeout, and Ctrl-C ends the wait."""
    done = control.mpactl("events")
    assert done.returncode == NO_DAEMON and "events.ipc: no mpa-controld answers there" in done.stderr
    listener = os.path.join(control.dir, "events.ipc")
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(listener)
        hanging.listen()
        done = control.mpactl("--timeout", "300", "events", "-f", timeout=2)
        hanging.accept()[0].close()
        assert done.returncode == FAILED and done.stderr == "mpactl: no answer within 300 ms (see --timeout)\n"
        reader = subprocess.Popen([MPACTL, "--runtime-dir", control.dir, "--timeout", "20000", "events"])
        hanging.accept()[0].close()
        reader.send_signal(signal.SIGINT)
        assert reader.wait(timeout=5) == OK
        os.chmod(listener, 0o600)
        done = subprocess.run([MPACTL, "--runtime-dir", control.dir, "events"], capture_output=True, text=True,
                              user=65534, group=65534, extra_groups=[], timeout=5)
        assert done.returncode == FAILED and "permission denied" in done.stderr
