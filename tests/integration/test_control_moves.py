# SPDX-License-Identifier: BSD-3-Clause
"""Commands that move connections and replace processes, from end to end over the fake data plane: what mpactl says,
what mpa-controld does, and what is left after a failure."""
import json
import os
import signal
import subprocess

import pytest

from controlled import (FAILED, MPACTL, NO_DAEMON, OK, USAGE, control, events, is_alive, next_event,  # noqa: F401
                        wait_until)


def buckets(control):
    """{worker: number of its buckets}"""
    count = {}
    for worker in control.json("buckets")["workers"]:
        count[worker] = count.get(worker, 0) + 1
    return count


def workers(control):
    """{slot: pid} of the workers that are there."""
    return {p["slot"]: p["pid"] for p in control.status()["processes"] if p["role"] == "worker" and p["pid"]}


def configured(tmp_path, n):
    file = tmp_path / "workers.yaml"
    file.write_text(f"worker:\n  count: {n}\n")
    return ["--config", str(file)]


# ---- migrate, drain, kill ----

def test_migrate_moves_buckets_and_says_what_moved(control, events):
    control.start().up()
    reader = events()
    done = control.mpactl("migrate", "bucket", "0-2,10", "--to", "1")
    assert done.returncode == OK, done.stderr
    # Bucket 1 was there already.
    assert done.stdout.startswith("done: migrate 4 buckets to worker 1 (6 flows, 3 buckets, 0 frames held, ")
    assert buckets(control) == {0: 29, 1: 35}
    event = next_event(reader, "handover")
    assert event["fields"]["to"] == "1" and event["fields"]["flows"] == "6"
    operation = control.json("migrate", "bucket", "0", "--to", "0")
    assert operation["state"] == "done" and operation["result"] == "done" and operation["buckets"] == 1


def test_migrate_of_a_flow(control):
    control.start().up()
    done = control.mpactl("migrate", "flow", "tcp 10.77.0.1:4242 -> 10.77.0.2:7", "--to", "1")
    assert done.returncode == OK and "flow tcp 10.77.0.1:4242 -> 10.77.0.2:7 to worker 1" in done.stdout
    assert control.mpactl("migrate", "--flow", "[fd77::1]:4242 [fd77::2]:7", "--to", "1").returncode == OK
    done = control.mpactl("migrate", "flow", "10.77.0.1:1 -> 10.77.0.2:7", "--to", "1")
    assert done.returncode == FAILED and "no flow tcp 10.77.0.1:1 -> 10.77.0.2:7" in done.stderr


@pytest.mark.parametrize("words, says", [
    (["migrate", "bucket", "1", "--to", "7"], "worker 7 is not serving (to)"),
    (["migrate", "bucket", "1", "--to", "99"], "worker 99 does not exist (allowed: 0 to 15) (to)"),
    (["migrate", "bucket", "64", "--to", "1"], "no buckets 64 to 64 (allowed: 0 to 63) (buckets)"),
    (["migrate", "flow", "10.0.0:1 10.0.0.2:7", "--to", "1"], "(remote_address)"),
    (["drain", "5"], "worker 5 is not serving (slot)"),
    (["drain", "1", "--to", "1"], "worker 1 cannot be drained to itself (to)"),
    (["undrain", "16"], "worker 16 does not exist"),
    (["kill", "3"], "worker 3 is not serving (slot)"),
    (["flows", "--worker", "16"], "worker 16 does not exist"),
])
def test_what_cannot_be_done_is_refused_with_its_field(control, words, says):
    control.start().up()
    before = buckets(control)
    done = control.mpactl(*words)
    assert done.returncode == FAILED and done.stdout == ""
    assert says in done.stderr and len(done.stderr.splitlines()) == 1
    assert buckets(control) == before


@pytest.mark.parametrize("words", [
    ["migrate"], ["migrate", "bucket", "1"], ["migrate", "bucket", "x", "--to", "1"], ["migrate", "cow", "1", "--to", "1"],
    ["migrate", "flow", "10.0.0.1", "--to", "1"], ["migrate", "--to", "1"], ["drain"], ["drain", "x"], ["drain", "1", "2"],
    ["undrain"], ["kill"], ["kill", "--to", "1", "1"], ["flows", "--state", "asleep"], ["flows", "--limit", "0"],
    ["update", "frontend"],
])
def test_a_wrong_command_line_has_exit_code_2(control, words):
    done = control.mpactl(*words)
    assert done.returncode == USAGE and done.stderr.startswith("mpactl") and done.stdout == ""


def test_drain_and_undrain(control):
    control.start().up()
    done = control.mpactl("drain", "0")
    assert done.returncode == OK and "drain worker 0 to the others" in done.stdout
    wait_until(lambda: buckets(control) == {1: 64}, "all buckets at worker 1")
    wait_until(lambda: control.worker(0)["is_draining"], "a draining worker 0")
    assert "draining" in control.mpactl("status").stdout and "draining" in control.mpactl("workers").stdout
    done = control.mpactl("migrate", "bucket", "1", "--to", "0")
    assert done.returncode == FAILED and "worker 0 is draining (to)" in done.stderr
    done = control.mpactl("drain", "1")
    assert done.returncode == FAILED and "worker 1 is the last one" in done.stderr
    assert control.mpactl("undrain", "0").returncode == OK
    wait_until(lambda: buckets(control) == {0: 32, 1: 32}, "even buckets")


def test_a_drain_need_not_be_waited_for(control):
    control.start().up()
    control.play("fake-drain-0-waits")
    done = control.mpactl("drain", "0", "--no-wait")
    assert done.returncode == OK and done.stdout.startswith("begun: drain worker 0 to the others (operation ")
    # Nobody else waits for it.
    assert control.mpactl("status").returncode == OK
    assert buckets(control) == {0: 32, 1: 32}
    control.unplay("fake-drain-0-waits")
    wait_until(lambda: buckets(control) == {1: 64}, "all buckets at worker 1")


def test_kill_kills_and_the_worker_comes_back(control, events):
    control.start().up()
    reader = events()
    first = workers(control)[1]
    assert control.mpactl("kill", "1").returncode == OK
    assert next_event(reader, "ended", slot=1)["fields"]["pid"] == str(first)
    next_event(reader, "ready", slot=1)
    control.up()
    assert buckets(control) == {0: 32, 1: 32}


def test_events_tell_a_hand_over_in_a_sentence(control):
    control.start().up()
    with subprocess.Popen([MPACTL, "--runtime-dir", control.dir, "events", "-f", "--count", "1"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
        assert reader.stderr.readline().startswith("listening")
        control.status()
        assert control.mpactl("migrate", "bucket", "0-63", "--to", "1").returncode == OK
        line = reader.stdout.readline()
    assert "handover worker 0 -> worker 1: 64 flows in 32 buckets, 820us, 1 frame held" in line


# ---- update ----

@pytest.mark.parametrize("n", [1, 2, 3])
def test_update_replaces_every_worker_and_leaves_no_spare(control, events, tmp_path, n):
    control.start(*configured(tmp_path, n)).up()
    reader = events()
    before = workers(control)
    done = control.mpactl("update", timeout=60)
    assert done.returncode == OK, done.stderr + control.log()
    assert done.stdout.startswith("done: update of the workers (")
    after = workers(control)
    assert after.keys() == before.keys() and not set(after.values()) & set(before.values())
    assert control.status()["state"] == "running"
    assert sorted(buckets(control)) == list(range(n))
    assert max(buckets(control).values()) - min(buckets(control).values()) <= 1
    assert next_event(reader, "update")["fields"]["text"] == f"update: starts spare worker {n}"
    # Ended on purpose: nothing was waited for, and nothing counts as a failure.
    assert "restart_ms" not in control.log()
    wait_until(lambda: not any(map(is_alive, before.values())), "the end of the old workers")


def test_update_with_every_slot_configured_is_refused(control, tmp_path):
    control.start(*configured(tmp_path, 16)).up()
    done = control.mpactl("update")
    assert done.returncode == FAILED and "none for a spare" in done.stderr


def test_there_is_one_update_at_a_time(control):
    control.start().up()
    control.play("fake-drain-0-waits")
    assert control.mpactl("update", "--no-wait").returncode == OK
    done = control.mpactl("update")
    assert done.returncode == FAILED and "an update is under way" in done.stderr
    control.unplay("fake-drain-0-waits")
    wait_until(lambda: control.mpactl("update").returncode == OK, "the end of the first update", timeout=30)


def test_an_update_whose_spare_does_not_start_changes_nothing(control):
    control.start().up()
    before = workers(control)
    control.play("fake-worker-2-fails")
    done = control.mpactl("update", timeout=60)
    assert done.returncode == FAILED
    assert "spare worker 2 did not start: exited with status 3" in done.stderr
    assert workers(control) == before and buckets(control) == {0: 32, 1: 32}


def test_an_update_to_a_program_that_does_not_start_keeps_a_worker_for_every_bucket(control, tmp_path):
    control.start(*configured(tmp_path, 1)).up()
    control.play("fake-worker-0-fails")
    done = control.mpactl("update", timeout=60)
    assert done.returncode == FAILED
    assert "worker 0 did not start: exited with status 3; the others serve its connections" in done.stderr
    # The spare is all there is: it stays until the worker is back, then it goes.
    assert buckets(control) == {1: 64} and 1 in workers(control)
    control.unplay("fake-worker-0-fails")
    wait_until(lambda: list(workers(control)) == [0] and buckets(control) == {0: 64}, "the end of the spare", timeout=40)
    assert control.mpactl("update", timeout=60).returncode == OK


def test_a_drain_that_fails_undoes_the_update(control):
    control.start().up()
    before = workers(control)
    control.play("fake-drain-1-fails")
    done = control.mpactl("update", timeout=60)
    assert done.returncode == FAILED and "worker 1 could not be drained: the new worker died" in done.stderr
    wait_until(lambda: sorted(workers(control)) == [0, 1], "the end of the spare", timeout=30)
    assert workers(control)[1] == before[1] and workers(control)[0] != before[0]
    assert buckets(control) == {0: 32, 1: 32}


def test_a_worker_killed_during_its_update_does_not_end_it(control):
    control.start().up()
    before = workers(control)
    control.play("fake-drain-0-waits")
    with subprocess.Popen([MPACTL, "--runtime-dir", control.dir, "update"], stdout=subprocess.PIPE, text=True) as update:
        wait_until(lambda: "drains worker 0" in control.log(), "the drain")
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: "signal 9" in control.log(), "its end")
        control.unplay("fake-drain-0-waits")
        assert update.wait(timeout=60) == OK
    assert not set(workers(control).values()) & set(before.values())
    assert buckets(control) == {0: 32, 1: 32}


def test_a_drained_worker_stays_drained_over_an_update(control):
    control.start().up()
    assert control.mpactl("drain", "0").returncode == OK
    wait_until(lambda: control.worker(0)["is_draining"], "a draining worker 0")
    assert control.mpactl("update", timeout=60).returncode == OK
    wait_until(lambda: buckets(control) == {1: 64} and control.worker(0)["is_draining"], "worker 0 drained as before")


def test_an_update_cut_off_with_its_controld_is_undone_by_the_next(control):
    control.start().up()
    control.play("fake-drain-1-waits")
    assert control.mpactl("update", "--no-wait").returncode == OK
    wait_until(lambda: "drains worker 1" in control.log(), "the drain of worker 1")
    control.process.kill()
    control.process.wait()
    control.unplay("fake-drain-1-waits")
    control.start()
    wait_until(lambda: sorted(workers(control)) == [0, 1] and control.status()["state"] == "running",
               "the end of the spare", timeout=30)
    assert "interrupted: mpa-controld was started again" in control.log()
    wait_until(lambda: buckets(control) == {0: 32, 1: 32}, "even buckets")
    assert not control.worker(1)["is_draining"]


def test_update_of_the_frontend_leaves_the_workers_alone(control):
    control.start().up()
    first, before = control.frontend()["pid"], workers(control)
    done = control.mpactl("update", "--frontend", timeout=60)
    assert done.returncode == OK, done.stderr + control.log()
    assert control.frontend()["pid"] not in (0, first) and not is_alive(first)
    assert workers(control) == before and control.status()["state"] == "running"


def test_a_frontend_that_does_not_start_again_is_told_and_tried_again(control):
    control.start().up()
    before = workers(control)
    control.play("fake-frontend-fails")
    done = control.mpactl("update", "--frontend", timeout=60)
    assert done.returncode == FAILED and "mpa-frontend did not start: exited with status 1" in done.stderr
    control.unplay("fake-frontend-fails")
    control.up()
    assert workers(control) == before


def test_stop_during_an_update_leaves_no_spare(control):
    control.start().up()
    control.play("fake-drain-0-waits")
    with subprocess.Popen([MPACTL, "--runtime-dir", control.dir, "update"], stderr=subprocess.PIPE, text=True) as update:
        wait_until(lambda: "drains worker 0" in control.log() and len(workers(control)) == 3, "three workers")
        assert control.mpactl("stop").returncode == OK
        assert update.wait(timeout=20) == FAILED
    assert control.end() == 0, control.log()


# ---- who outlives whom ----

def test_the_last_worker_that_served_is_started_again_without_delay(control, tmp_path):
    control.start(*configured(tmp_path, 1)).up()
    for _ in range(4):
        pid = workers(control)[0]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: workers(control).get(0) not in (None, pid), "a new worker")
        control.up()
    assert control.log().count("restart_ms=100") == 4


def test_a_frontend_killed_again_and_again_comes_back_soon(control):
    control.start().up()
    for _ in range(6):
        first = control.frontend()["pid"]
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: control.frontend()["pid"] not in (0, first) and control.status()["state"] == "running",
                   "a new frontend", timeout=5)
    assert "restart_ms=1000" in control.log()


def test_workers_that_outlive_controld_and_frontend_are_taken_over(control):
    control.start().up()
    before, first = workers(control), control.frontend()["pid"]
    control.process.kill()
    control.process.wait()
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not is_alive(first), "the end of the frontend")
    control.start().up()
    assert workers(control) == before, control.log()
    assert "by=looking" in control.log()


def test_stop_finds_workers_that_outlive_everything(control):
    control.start().up()
    first = control.frontend()["pid"]
    control.process.kill()
    control.process.wait()
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not is_alive(first), "the end of the frontend")
    assert control.mpactl("stop").returncode == OK
    assert control.end() == -signal.SIGKILL, control.log()
    assert control.mpactl("stop").returncode == NO_DAEMON


def test_update_speaks_json(control):
    control.start().up()
    operation = json.loads(control.mpactl("--json", "update", timeout=60).stdout)
    assert (operation["state"], operation["n_done"], operation["n_total"]) == ("done", 2, 2)
