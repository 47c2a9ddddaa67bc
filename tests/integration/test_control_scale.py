# SPDX-License-Identifier: BSD-3-Clause
"""Workers that come and go by order, and processes that are restarted, from end to end over the fake data plane."""
import os
import signal

import pytest

from controlled import FAILED, OK, USAGE, control, events, next_event, wait_until  # noqa: F401


def workers(control):
    """{slot: pid} of those that run."""
    return {p["slot"]: p["pid"] for p in control.status()["processes"]
            if p["role"] == "worker" and p["state"] == "running" and p["pid"]}


def counts(control):
    status = control.status()
    return status["workers_running"], status["workers_wanted"]


def test_workers_come_and_go_by_order(control, events):
    control.start().up()
    reader = events()
    first = workers(control)[0]
    for n in (4, 1, 2):
        done = control.mpactl("scale", str(n))
        assert done.returncode == OK and f"to {n} worker" in done.stdout, done.stderr
        assert sorted(workers(control)) == list(range(n)) and counts(control) == (n, n)
    assert workers(control)[0] == first
    fields = next_event(reader, "scale")["fields"]
    assert fields["text"] == "scale: starts workers 2 to 3"
    assert next_event(reader, "scale")["fields"]["reason"] == "asked"
    newest = control.json("explain")["scale_decisions"][0]
    assert (newest["reason"], newest["workers"], newest["wanted"], newest["outcome"]) == ("asked", 1, 2, "done")
    assert "an operator has asked for 2 workers, there are 1" in control.mpactl("explain").stdout
    assert "workers    2 of 2 serve" in control.mpactl("status").stdout


@pytest.mark.parametrize("number", ["0", "17", "1", "999999999"])
def test_a_number_that_is_not_allowed_is_refused_with_its_field(control, tmp_path, number):
    file = tmp_path / "limits.yaml"
    file.write_text("worker: {min: 2, max: 5}\n")
    control.start("--config", str(file)).up()
    done = control.mpactl("scale", number)
    assert done.returncode == FAILED
    assert f"{number} workers: not allowed (allowed: worker.min, 2, to worker.max, 5)" in done.stderr
    assert "workers" in done.stderr and counts(control) == (2, 2)


def test_one_change_at_a_time(control):
    control.start().up()
    control.play("fake-drain-1-waits")
    begun = control.mpactl("scale", "1", "--no-wait")
    assert begun.returncode == OK and begun.stdout.startswith("begun: scale")
    for words in (("scale", "3"), ("restart", "0"), ("update",)):
        done = control.mpactl(*words)
        assert done.returncode == FAILED and "the number of workers is being changed" in done.stderr
    control.unplay("fake-drain-1-waits")
    wait_until(lambda: counts(control) == (1, 1), "one worker")


def test_a_drain_that_fails_leaves_the_worker_serving(control, events):
    control.start().up()
    control.play("fake-drain-1-fails")
    reader = events()
    done = control.mpactl("scale", "1")
    assert done.returncode == FAILED and "worker 1 could not be drained: " in done.stderr
    assert counts(control) == (2, 2)
    assert not control.worker(1)["is_draining"]
    while "error" not in (fields := next_event(reader, "scale")["fields"]):
        pass
    assert "it stays, 2 workers run" in fields["error"]
    assert "could not be drained" in control.json("explain")["scale_decisions"][0]["outcome"]


@pytest.mark.parametrize("what", ["up", "down"])
def test_the_next_controld_completes_what_was_begun(control, what):
    control.start().up()
    if what == "down":
        assert control.mpactl("scale", "4").returncode == OK
        control.play("fake-drain-2-waits")
        control.mpactl("scale", "1", "--no-wait")
        wait_until(lambda: len(workers(control)) == 3, "the first one gone")
    else:
        control.mpactl("scale", "4", "--no-wait")
    first = workers(control)[0]
    os.kill(control.process.pid, signal.SIGKILL)
    control.process.wait()
    if what == "down":
        control.unplay("fake-drain-2-waits")
    control.start().up()
    n = 1 if what == "down" else 4
    wait_until(lambda: counts(control) == (n, n), f"{n} workers")
    assert workers(control)[0] == first


def test_a_restarted_worker_gives_way_and_comes_back(control):
    control.start().up()
    before = workers(control)
    done = control.mpactl("restart", "1")
    assert done.returncode == OK and done.stdout.startswith("done: restart of worker 1 ("), done.stderr
    after = workers(control)
    assert after[0] == before[0] and after[1] != before[1]
    assert control.worker(1)["buckets"] > 0
    assert control.worker(1)["last_exit"] == "", "it ended as it was asked to"


def test_restart_of_all_replaces_everything_but_controld(control):
    control.start().up()
    before = {(p["role"], p["slot"]): p["pid"] for p in control.status()["processes"]}
    assert control.mpactl("restart", "all", timeout=60).returncode == OK
    wait_until(lambda: control.status()["state"] == "running", "everything up")
    after = {(p["role"], p["slot"]): p["pid"] for p in control.status()["processes"]}
    assert before.keys() == after.keys()
    assert [key for key in before if before[key] == after[key]] == [("controld", 0)]


def test_an_interrupted_restart_leaves_nobody_drained(control):
    control.start().up()
    control.play("fake-worker-1-hangs")
    control.mpactl("restart", "1", "--no-wait")
    wait_until(lambda: control.worker(1)["is_draining"], "a drained worker")
    os.kill(control.process.pid, signal.SIGKILL)
    control.process.wait()
    control.unplay("fake-worker-1-hangs")
    control.start().up()
    wait_until(lambda: not control.worker(1)["is_draining"] and control.worker(1)["buckets"] > 0, "its share")


@pytest.mark.parametrize("words, part", [(("restart", "7"), "worker 7 does not run"), (("restart", "99"), "99")])
def test_what_is_not_there_is_not_restarted(control, words, part):
    control.start().up()
    done = control.mpactl(*words)
    assert done.returncode == FAILED and part in done.stderr and "slot" in done.stderr


@pytest.mark.parametrize("words", [("scale",), ("scale", "two"), ("scale", "-1"), ("restart",), ("restart", "none"),
                                   ("restart", "0", "1")])
def test_a_wrong_command_line_has_exit_code_2(control, words):
    assert control.mpactl(*words).returncode == USAGE


def test_the_load_changes_the_number_by_itself(control, tmp_path):
    """The fake's workers share a load of 900: one has all of it, two are half as busy."""
    file = tmp_path / "scale.yaml"
    file.write_text("worker: {count: 1, max: 2}\n"
                    "control: {balance_ms: 100, scale: true, scale_up_permille: 300, scale_down_permille: 50,\n"
                    "          scale_up_looks: 3, scale_down_looks: 5, scale_pause_looks: 2}\n")
    control.play("fake-skew")
    control.start("--config", str(file)).up()
    wait_until(lambda: counts(control) == (2, 2), "a second worker")
    assert any(d["reason"] == "high" and d["outcome"] == "done" for d in control.json("explain")["scale_decisions"])
    assert "as many as the load asks for" in control.mpactl("status").stdout
