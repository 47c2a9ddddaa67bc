# SPDX-License-Identifier: BSD-3-Clause
"""The balancer of mpa-controld from end to end over the fake data plane: a load that lies on one of two workers is
evened, and what was decided can be asked for."""
import pytest

from controlled import OK, USAGE, control, events, next_event, wait_until  # noqa: F401


def configured(tmp_path, **keys):
    file = tmp_path / "balance.yaml"
    file.write_text("control:\n" + "".join(f"  {key}: {value}\n" for key, value in {"balance_ms": 100, **keys}.items()))
    return ["--config", str(file)]


def hot_buckets(control):
    """{worker: how many of the eight hot buckets it has}"""
    owners = control.json("buckets")["workers"]
    return {worker: sum(1 for bucket in range(0, 64, 8) if owners[bucket] == worker) for worker in set(owners)}


def decisions(control):
    return control.json("explain")["decisions"]


def test_a_load_on_one_worker_is_evened_and_explained(control, tmp_path):
    control.play("fake-skew")
    control.start(*configured(tmp_path)).up()
    wait_until(lambda: hot_buckets(control) == {0: 4, 1: 4}, "four hot buckets for each")
    wait_until(lambda: any(d["outcome"] == "done" for d in decisions(control)), "an outcome")
    move = next(d for d in decisions(control) if d["reason"] == "move")
    assert move["heaviest"] == 0 and move["lightest"] == 1 and move["max_permille"] > 1.5 * move["min_permille"]
    assert len(move["moves"]) <= 8 and all(m["from"] == 0 and m["to"] == 1 for m in move["moves"])
    told = control.mpactl("explain")
    assert told.returncode == OK and "worker 0 has score" in told.stdout and "move" in told.stdout
    # What repeats itself is told once, and nothing moves any more.
    wait_until(lambda: decisions(control)[0]["reason"] == "even" and decisions(control)[0]["times"] > 10, "ten quiet looks")
    assert sum(1 for d in decisions(control) if d["moves"]) <= 2
    assert hot_buckets(control) == {0: 4, 1: 4}


def test_balance_off_moves_nothing_until_it_is_asked(control, events, tmp_path):
    control.play("fake-skew")
    control.start(*configured(tmp_path, balance="false")).up()
    reader = events()
    wait_until(lambda: any(w["score_permille"] > 300 for w in control.json("explain")["workers"]), "a score")
    assert decisions(control) == [] and hot_buckets(control)[0] == 8
    wait_until(lambda: "would move" in control.mpactl("rebalance", "--dry-run").stdout, "rates")
    assert decisions(control) == [] and hot_buckets(control)[0] == 8
    done = control.mpactl("rebalance")
    assert done.returncode == OK and done.stdout.startswith("moving: worker 0 has score "), done.stdout
    assert next_event(reader, "balance")["fields"]["reason"] == "move"
    wait_until(lambda: hot_buckets(control) == {0: 4, 1: 4}, "four hot buckets for each")
    assert decisions(control)[0]["is_forced"]


def test_balance_is_switched_at_run_time(control, tmp_path):
    control.play("fake-skew")
    control.start(*configured(tmp_path, balance="false")).up()
    assert control.mpactl("balance", "on").stdout == "balance is on\n"
    wait_until(lambda: hot_buckets(control) == {0: 4, 1: 4}, "four hot buckets for each")
    assert control.json("balance", "off") == {"on": False}
    assert control.json("explain")["on"] is False


def test_a_move_that_fails_is_told_and_tried_again(control, tmp_path):
    control.play("fake-skew")
    control.play("fake-migrate-fails")
    control.start(*configured(tmp_path)).up()
    wait_until(lambda: any("died" in d["outcome"] for d in decisions(control)), "the failure")
    assert hot_buckets(control)[0] == 8
    control.unplay("fake-migrate-fails")
    wait_until(lambda: hot_buckets(control) == {0: 4, 1: 4}, "four hot buckets for each")


@pytest.mark.parametrize("words", [["balance"], ["balance", "maybe"], ["balance", "on", "off"], ["rebalance", "now"],
                                   ["explain", "--count", "0"]])
def test_a_wrong_command_line_has_exit_code_2(control, words):
    assert control.mpactl(*words).returncode == USAGE
