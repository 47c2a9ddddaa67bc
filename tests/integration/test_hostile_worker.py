# SPDX-License-Identifier: BSD-3-Clause
"""A worker that turns hostile: the frontend survives whatever it does, and the other worker's connections do
not notice. tests/support/hostile is that worker, one broken rule at a time."""
import os
import socket
import subprocess

import pytest

import netlab
import stacks
import steady

HOSTILE_SLOT = 1


class Hostile:
    """mpa-hostile-worker beside the stack; its lines are read one by one."""

    def __init__(self, stack, deed, seconds=1):
        self.stack = stack
        self.process = subprocess.Popen(
            stack.space.command(stacks.program("mpa-hostile-worker", "tests/support/hostile"), "--runtime-dir",
                                stack.runtime_dir, "--slot", HOSTILE_SLOT, "--deed", deed, "--seconds", seconds),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def line(self):
        return self.process.stdout.readline().strip()

    def is_serving(self):
        """Once it has attached and the frontend has taken note."""
        assert self.line() == "serving"
        netlab.wait_until(lambda: lane(self.stack)["state"] == "serving", what="the hostile lane")
        return True

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def victim(nothing_is_left):
    """Our stack with one worker of its own; the slot of the second is free for the hostile one."""
    with netlab.Lab() as lab:
        yield stacks.Ours(lab, lab.ns("victim")).start(workers=1).ready()


@pytest.fixture(autouse=True)
def survives(victim):
    """After every test here: the same frontend and the same worker, the slot free again, traffic served."""
    before = victim.processes()
    yield
    netlab.wait_until(lambda: lane(victim)["state"] == "empty", what="the end of the hostile lane")
    assert victim.processes() == before
    assert stacks.peer(victim.space, "verify", "--to", victim.address4, "-n", 8, "-b", 100_000)["bad_bytes"] == 0


def lane(stack, slot=HOSTILE_SLOT):
    return next((it for it in stack.mpactl("lanes")["lanes"] if it["slot"] == slot), {"state": "empty"})


def lane_counter(stack, name):
    """Of the hostile slot, over all who had it."""
    return lane(stack)["counters"][name]


def knock(stack):
    """A datagram to echo from each of many ports: some of them belong to the hostile worker."""
    with stack.space.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for port in range(20000, 20064):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.bind((stacks.LOCAL4, port))
                sender.sendto(b"knock", (stack.address4, 7))


@pytest.mark.parametrize("deed, fault", [
    ("slots-random", "fault_slot"),
    ("arena-outside", "fault_slot"),
    ("tx-index-back", "fault_index"),
    ("tx-index-far", "fault_index"),
    ("rx-index-far", "fault_index"),
    ("return-index-far", "fault_index"),
    ("return-twice", "fault_return"),
    ("return-never-lent", "fault_return"),
    ("return-old-generation", "fault_return"),
    ("return-outside", "fault_return"),
])
def test_a_broken_rule_of_the_lane_ends_in_quarantine(victim, deed, fault):
    n_before = victim.log().count("worker_quarantined")
    with Hostile(victim, deed) as hostile:
        assert hostile.is_serving()
        with steady.Steady(victim.space, victim.address4) as beside:
            knock(victim)
            hostile.go()
            netlab.wait_until(lambda: victim.log().count("worker_quarantined") > n_before or knock(victim),
                              what="worker_quarantined")
            beside.goes_on()
        line = [it for it in victim.log().splitlines() if "worker_quarantined" in it][-1]
        assert f"slot={HOSTILE_SLOT} " in line and f"fault={fault}" in line
        netlab.wait_until(lambda: hostile.process.poll() is not None, what="its death")
    assert victim.log().count("worker_quarantined") == n_before + 1


def test_noise_over_the_whole_segment_hurts_nobody_else(victim):
    with Hostile(victim, "scribble", seconds=2) as hostile:
        assert hostile.is_serving()
        with steady.Steady(victim.space, victim.address4) as beside:
            hostile.go()
            beside.goes_on()
            netlab.wait_until(lambda: hostile.process.poll() is not None, what="its death")
            beside.goes_on()


@pytest.mark.parametrize("deed, counter", [
    ("source-not-ours", "tx_drop_source"),
    ("header-longer-than-packet", "tx_drop_header"),
    ("total-length-lies", "tx_drop_header"),
    ("udp-length-lies", "tx_drop_header"),
    ("gso-without-tcp", "tx_drop_header"),
])
def test_a_packet_no_worker_may_send_is_dropped_and_counted(victim, deed, counter):
    with Hostile(victim, deed) as hostile:
        assert hostile.is_serving()
        before = lane_counter(victim, counter)
        hostile.go()
        netlab.wait_until(lambda: lane_counter(victim, counter) == before + 1, what=counter)


@pytest.mark.parametrize("deed", ["wake-never-read", "wake-flood", "wake-closed", "nothing", "flood-normal",
                                  "flood-urgent"])
def test_a_worker_that_is_rude_but_breaks_no_rule_does_not_slow_the_others_to_a_halt(victim, deed):
    with Hostile(victim, deed) as hostile:
        assert hostile.is_serving()
        with steady.Steady(victim.space, victim.address4) as beside:
            hostile.go()
            while hostile.process.poll() is None and beside.blocks < 60:
                knock(victim)
                beside.goes_on(5)
            assert hostile.line() == "done"
            beside.goes_on()


def test_a_worker_that_keeps_its_chunks_loses_frames_of_its_own_only(victim):
    with Hostile(victim, "chunks-kept", seconds=3) as hostile:
        assert hostile.is_serving()
        with steady.Steady(victim.space, victim.address4) as beside:
            hostile.go()
            before = lane_counter(victim, "rx_drop_quota")
            netlab.wait_until(lambda: [knock(victim) for _ in range(50)] and
                              lane_counter(victim, "rx_drop_quota") > before, what="rx_drop_quota", timeout=20)
            beside.goes_on()


@pytest.mark.parametrize("deed, words", [
    ("greet-version", "no common lane version"),
    ("greet-unsealed", "not valid"),
    ("greet-too-small", "not valid"),
    ("greet-tiny", "not valid"),
    ("greet-file", "not valid"),
    ("greet-no-fds", "not valid"),
    ("greet-bad-shape", "not valid"),
    ("greet-bad-kind", "not valid"),
])
def test_a_bad_greeting_is_refused_in_words(victim, deed, words):
    with steady.Steady(victim.space, victim.address4) as beside:
        with Hostile(victim, deed) as hostile:
            line = hostile.line()
            assert line.startswith("refused: ") and words in line
            beside.goes_on()


def test_the_slot_of_another_worker_is_refused(victim):
    command = stacks.program("mpa-hostile-worker", "tests/support/hostile")
    done = subprocess.run(victim.space.command(command, "--runtime-dir", victim.runtime_dir, "--slot", 0, "--deed",
                                               "nothing"), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=10)
    assert done.stdout == "refused: the worker slot is taken\n"


def test_a_second_hello_ends_the_lane(victim):
    with Hostile(victim, "hello-twice") as hostile:
        assert hostile.is_serving()
        with steady.Steady(victim.space, victim.address4) as beside:
            hostile.go()
            netlab.wait_until(lambda: lane(victim)["state"] == "empty", what="the end of the lane")
            beside.goes_on()


def test_a_hundred_silent_connections_keep_no_worker_out(victim):
    with Hostile(victim, "greet-crowd") as crowd:
        assert crowd.line() == "attached"
        with Hostile(victim, "nothing") as late:
            assert late.line() == "serving"


def test_a_worker_that_never_says_ready_gets_no_traffic(victim):
    with Hostile(victim, "greet-never-ready") as hostile:
        assert hostile.line() == "attached"
        assert len(steady.open_served(victim.space, victim.address4, 4)) == 4 * steady.TRIES


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return sum(map(int, stat.read().rpartition(")")[2].split()[11:13]))


def test_a_pidfd_that_is_none_costs_the_liar_its_lane_and_the_frontend_nothing(victim):
    """An event that never ends must not keep the frontend's loop from sleeping."""
    frontend = next(pid for pid, name in victim.processes().items() if name == "mpa-frontend")
    with Hostile(victim, "greet-loud-pidfd") as hostile:
        assert hostile.line() == "attached"
        netlab.wait_until(lambda: lane(victim)["state"] == "empty", what="the end of the lane")
        before, answers = cpu_ticks(frontend), []
        netlab.wait_until(lambda: answers.append(lane(victim)) or len(answers) == 50, what="50 questions")
        assert (cpu_ticks(frontend) - before) / os.sysconf("SC_CLK_TCK") < 0.3


class HalfHostile(stacks.Ours):
    """Our stack, of whose workers the one in HOSTILE_SLOT is hostile at its first start and honest from then on."""

    def bin_dir(self, wrapper):
        folder = super().bin_dir(wrapper)
        path, mark = os.path.join(folder, "mpa-worker"), os.path.join(self.lab.dir, "was-hostile")
        os.unlink(path)
        with open(path, "w") as script:
            script.write("#!/bin/sh\n"
                         f'case " $* " in *" --slot {HOSTILE_SLOT} "*) if mkdir {mark} 2>/dev/null; then\n'
                         f'  exec {stacks.program("mpa-hostile-worker", "tests/support/hostile")} "$@"'
                         " --deed slots-random --at-once\nfi;; esac\n"
                         f'exec {stacks.program("mpa-worker", self.programs["mpa-worker"])} "$@"\n')
        os.chmod(path, 0o755)
        return folder


def test_controld_replaces_a_quarantined_worker(lab):
    stack = HalfHostile(lab, lab.ns("half")).start()
    netlab.wait_until(lambda: stack.log().count("process_ready process=mpa-worker") == 2, what="two honest workers")
    log = stack.log()
    assert "worker_quarantined slot=1" in log and "fault=fault_slot" in log
    said = [line for line in log.splitlines() if "mpa-controld" in line and "process_ended" in line]
    assert said and "slot=1" in said[0], log
    workers = [it for it in stack.mpactl("status")["processes"] if it["role"] == "worker"]
    assert [(it["slot"], it["lane_state"], it["restarts"]) for it in workers] == [(0, "serving", 0), (1, "serving", 1)]
