# SPDX-License-Identifier: BSD-3-Clause
"""The benchmarks run and say what they found; their figures are nobody's business here."""
import json
import os
import subprocess
import sys

import stacks

sys.path.append(os.path.join(stacks.ROOT, "tests", "bench"))
import neighbours  # noqa: E402

BURN = "import time\nwhile time.process_time() < {seconds}: pass"
BENCH = os.path.join(stacks.ROOT, "tests", "bench", "bench.py")


def bench(*words, build=stacks.BUILD_DIR):
    return subprocess.run(["/usr/bin/python3", BENCH, *words], capture_output=True, text=True, timeout=120,
                          env=dict(os.environ, MPA_BUILD_DIR=build))


def test_json_is_one_object_a_line_with_the_agreed_keys():
    done = bench("requests", "--json", "--runs", "1", "--seconds", "0.2", "--stacks", "baseline")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["case"] for row in rows] == ["1", "64", "512"]
    for row in rows:
        assert list(row)[:8] == ["bench", "case", "value", "unit", "baseline", "ratio", "bar", "n"]
        assert row["bench"] == "requests" and row["baseline"] > 0 and row["n"] == 1


def test_the_path_with_loss_drops_packets_and_no_byte_is_wrong():
    done = bench("loss", "--json", "--runs", "1", "--seconds", "0.2", "--stacks", "kernel")
    assert done.returncode == 0, done.stderr
    for row in map(json.loads, done.stdout.splitlines()):
        assert row["kernel_dropped"] > 0 and row["bad_bytes"] == 0 and row["congestion"] == "cubic"


def test_what_is_not_built_is_named_and_makes_the_status_non_zero(tmp_path):
    done = bench("requests", build=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == f"bench requests: did not run: mpa-peer: not built in {tmp_path}\n"


def test_an_unknown_bench_is_refused():
    done = bench("speed")
    assert done.returncode == 2 and "unknown or out of range: speed" in done.stderr


def test_a_row_says_how_much_of_the_machine_others_had():
    hog = subprocess.Popen([sys.executable, "-c", BURN.format(seconds=60)])
    try:
        done = bench("requests", "--json", "--runs", "1", "--seconds", "0.2", "--stacks", "baseline")
    finally:
        hog.kill()
        hog.wait()
    assert done.returncode == 0, done.stderr
    for row in map(json.loads, done.stdout.splitlines()):
        # Two of ours and the hog: a third of a core is the least that is fair.
        assert 0.3 / neighbours.N_CPUS <= row["others_cpu"] <= 1


def test_what_a_process_of_ours_has_used_stays_ours_when_it_ends():
    before_s = neighbours.own_s()
    subprocess.run([sys.executable, "-c", BURN.format(seconds=0.3)], check=True)
    assert neighbours.own_s() - before_s >= 0.25


def test_a_bench_waits_for_neighbours_no_longer_than_it_says(monkeypatch):
    monkeypatch.setattr(neighbours, "LOOK_S", 0.01)
    monkeypatch.setattr(neighbours, "MAX_WAIT_S", 0.05)
    assert neighbours.wait_until_quiet(1) is None
    assert neighbours.wait_until_quiet(-1) >= 0  # less than nothing: the machine is never so quiet
    assert bench("requests", "--quiet", "101").returncode == 2
