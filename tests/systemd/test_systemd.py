# SPDX-License-Identifier: BSD-3-Clause
"""What systemd is promised, and what it promises us, tried with a real one: see boot."""
import json
import os
import pathlib
import random
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from conftest import (CONFIG, SOURCE_DIR, TAP, UNITS, Echo, is_active, is_listening, journal, kill, pid, run, show,
                      wait_until)

DROP_IN = "/run/systemd/system/mpa-controld.service.d"
FRONTEND, CONTROLD, WORKER0, WORKER1 = UNITS[1], UNITS[0], UNITS[2], UNITS[3]


def process_status(number):
    lines = pathlib.Path(f"/proc/{number}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines)


def new_pid(unit, old):
    wait_until(lambda: pid(unit) not in (0, old) and is_active(unit), f"another {unit}")


def gone():
    return not any(is_active(unit) for unit in UNITS) and not os.path.exists(f"/sys/class/net/{TAP}")


def test_the_target_starts_everything_and_waits_for_it(installed):
    run("systemctl", "start", "mpa.target", timeout=60)
    assert all(is_active(unit) for unit in UNITS)
    assert installed.status()["state"] == "running"
    assert show(CONTROLD, "StatusText") == "All processes are ready"
    wait_until(lambda: show(FRONTEND, "StatusText") == "2 workers serve", "the frontend's status")
    installed.up()


def test_nobody_keeps_a_privilege(system):
    users = {CONTROLD: "mpa", FRONTEND: "mpa", WORKER0: "mpa-worker", WORKER1: "mpa-worker"}
    for unit, user in users.items():
        status = process_status(pid(unit))
        uid = run("id", "-u", user).stdout.strip()
        assert status["Uid"].split() == [uid] * 4
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0, unit
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", unit


@pytest.mark.parametrize("unit, most", [(WORKER0, 0.5), (CONTROLD, 1.5), (FRONTEND, 2.0)])
def test_the_exposure_is_low(installed, unit, most):
    name = unit.replace("@0", "@")
    path = f"/usr/local/lib/systemd/system/{name}"
    run("systemd-analyze", "security", "--offline=true", f"--threshold={int(most * 10)}", path)


def test_the_units_are_without_fault(installed):
    units = [f"/usr/local/lib/systemd/system/{name}" for name in
             ("mpa.target", "mpa-attach.socket", "mpa-metrics.socket", "mpa-controld.service", "mpa-frontend.service", "mpa-worker@.service")]
    done = run("systemd-analyze", "verify", "--man=no", *units)
    assert "mpa" not in done.stderr, done.stderr


def test_a_killed_worker_is_adopted_and_started_again(system, echo):
    before = system.pids()
    for unit in (WORKER0, WORKER1):
        kill(unit)
        echo.check()
        new_pid(unit, before[unit])
        system.up()
    echo.check()
    assert system.pids()[FRONTEND] == before[FRONTEND] and system.pids()[CONTROLD] == before[CONTROLD]
    causes = [entry["MPA_CAUSE"] for entry in journal("MPA_EVENT=process_ended", "MPA_SLOT=1")]
    assert any("signal 9" in cause for cause in causes), causes


def test_a_worker_that_stands_still_is_killed_though_it_is_another_users(system, echo):
    before = system.pids()
    for unit in (WORKER0, WORKER1):
        kill(unit, signal.SIGSTOP)
        echo.check()  # it is work that waits
    # The other one may have had nothing to do: then it does not stand still, it sleeps.
    wait_until(lambda: any(system.pids()[unit] not in (0, before[unit]) for unit in (WORKER0, WORKER1)), "a new worker")
    for unit in (WORKER0, WORKER1):
        if pid(unit) == before[unit]:
            kill(unit, signal.SIGCONT)
    echo.check()
    system.up()
    # Whichever was first, the frontend's word or the end: the journal has the reason.
    whys = [entry["MPA_CAUSE"] for entry in journal("MPA_EVENT=process_ended")]
    assert any("stood still with work waiting" in why for why in whys), whys


def test_a_killed_controld_is_started_again_and_nothing_else_is_touched(system, echo):
    before = system.pids()
    for _ in range(10):
        old = pid(CONTROLD)
        kill(CONTROLD)
        echo.check()
        new_pid(CONTROLD, old)
        echo.check()
    system.up()
    after = system.pids()
    assert {u: p for u, p in after.items() if u != CONTROLD} == {u: p for u, p in before.items() if u != CONTROLD}


def unrepaired(system):
    """What is half done, in words; nothing: all serve, none drains, no spare, every bucket has a worker that serves."""
    status = system.status()
    workers = [it for it in status["processes"] if it["role"] == "worker"]
    buckets = run("mpactl", "--json", "buckets", check=False)
    if status["state"] != "running" or buckets.returncode:
        return status["state"]
    serving = {it["slot"] for it in workers if it["lane_state"] == "serving"}
    found = [f"{it['slot']} drains" for it in workers if it["is_draining"]]
    found += [f"{it['slot']} is a spare" for it in workers if it["is_spare"]]
    found += [f"{len(serving)} serve"] if len(serving) != 2 else []
    return " ".join(found + [f"buckets of {it}" for it in set(json.loads(buckets.stdout)["workers"]) - serving])


def settled(system):
    """An operator's drain, once it is through, is undrained by him."""
    for it in system.status()["processes"]:
        if it["role"] == "worker" and it["is_draining"] and not it["buckets"]:
            run("mpactl", "undrain", str(it["slot"]), check=False)
    return not unrepaired(system)


def test_operations_that_lose_their_controld_are_put_right(system, echo):
    """MPA_CONTROLD_KILLS of them (3), each somewhere in what it was asked to do; systemd starts the next."""
    rng = random.Random(1)
    commands = [("migrate", "bucket", "0-2000", "--to", "1"), ("drain", "0"), ("update",)]
    pathlib.Path(DROP_IN).mkdir(parents=True, exist_ok=True)
    pathlib.Path(DROP_IN, "kills.conf").write_text("[Unit]\nStartLimitIntervalSec=0\n")
    run("systemctl", "daemon-reload")
    for number in range(int(os.environ.get("MPA_CONTROLD_KILLS", "3"))):
        old, command = pid(CONTROLD), commands[number % len(commands)]
        asked = subprocess.Popen(("mpactl", *command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(rng.random() * (2 if command == ("update",) else 0.1))  # where in it the kill strikes is chance
        os.kill(old, signal.SIGKILL)
        echo.check()
        new_pid(CONTROLD, old)
        said, complained = asked.communicate(timeout=60)
        assert asked.returncode == 0 or complained.strip(), f"{command}: not a word ({said})"
        wait_until(lambda: settled(system), f"everything put right after {command}: {unrepaired(system)}", timeout=60)
        echo.check()
    wait_until(lambda: not is_active("mpa-worker@2.service"), "the end of the spare")


def test_stopping_controld_leaves_the_data_plane(system, echo):
    before = system.pids()
    run("systemctl", "stop", CONTROLD)
    echo.check()
    assert all(is_active(unit) for unit in (FRONTEND, WORKER0, WORKER1))
    run("systemctl", "start", CONTROLD)
    system.up()
    assert [system.pids()[unit] for unit in UNITS[1:4]] == [before[unit] for unit in UNITS[1:4]]


def test_a_killed_frontend_comes_back_with_its_tap_and_its_connections(system, echo):
    before = system.pids()
    index = pathlib.Path(f"/sys/class/net/{TAP}/ifindex").read_text()
    carrier = pathlib.Path(f"/sys/class/net/{TAP}/carrier_changes").read_text()
    kill(FRONTEND)
    new_pid(FRONTEND, before[FRONTEND])
    echo.check()
    assert pathlib.Path(f"/sys/class/net/{TAP}/ifindex").read_text() == index
    # systemd's store held it open meanwhile.
    assert pathlib.Path(f"/sys/class/net/{TAP}/carrier_changes").read_text() == carrier
    system.up()
    assert system.pids()[WORKER0] == before[WORKER0]


def test_a_restart_by_hand_keeps_connections_too(system, echo):
    keys = pathlib.Path("/run/mpa/keys").read_bytes()
    run("systemctl", "restart", FRONTEND, timeout=60)
    echo.check()
    system.up()
    assert pathlib.Path("/run/mpa/keys").read_bytes() == keys


def test_frontend_and_controld_killed_together_come_back(system, echo):
    before = system.pids()
    kill(CONTROLD)
    kill(FRONTEND)
    new_pid(FRONTEND, before[FRONTEND])
    echo.check()
    new_pid(CONTROLD, before[CONTROLD])
    system.up()
    echo.check()


def test_a_knock_starts_the_frontend_without_controld(system, echo):
    run("systemctl", "stop", CONTROLD)
    before = pid(FRONTEND)
    run("systemctl", "stop", FRONTEND)  # its workers knock at the socket at once
    new_pid(FRONTEND, before)
    echo.check()


def test_all_killed_at_once_come_back_and_serve(system):
    before = system.pids()
    for unit in (CONTROLD, FRONTEND, WORKER0, WORKER1):
        os.kill(before[unit], signal.SIGKILL)
    for unit in before:
        new_pid(unit, before[unit])
    system.up()
    Echo().check()


def test_a_frontend_that_is_stuck_is_replaced_by_the_watchdog(system, echo):
    folder = f"/run/systemd/system/{FRONTEND}.d"
    os.makedirs(folder, exist_ok=True)
    pathlib.Path(folder, "test.conf").write_text("[Service]\nWatchdogSec=1\n")
    try:
        run("systemctl", "daemon-reload")
        run("systemctl", "stop", CONTROLD)  # which would see it too, later
        run("systemctl", "restart", FRONTEND)
        echo.check()
        before = pid(FRONTEND)
        kill(FRONTEND, signal.SIGSTOP)
        new_pid(FRONTEND, before)
        echo.check()
    finally:
        os.unlink(f"{folder}/test.conf")
        run("systemctl", "daemon-reload")


@pytest.mark.parametrize("command", [("systemctl", "stop", "mpa.target"), ("mpactl", "stop")])
def test_a_stop_leaves_nothing(system, command):
    run(*command, timeout=60)
    wait_until(gone, "the end of everything")
    assert run("pgrep", "-u", "mpa,mpa-worker", check=False).stdout == ""
    assert not is_listening()


def test_a_restart_of_all_serves_again(system):
    before = system.pids()
    run("systemctl", "restart", "mpa.target", timeout=60)
    system.up()
    assert not set(before.values()) & set(system.pids().values())


def test_an_update_goes_through_units(system, echo):
    before = system.pids()
    run("mpactl", "update", timeout=60)
    echo.check()
    after = system.up().pids()
    assert after[WORKER0] != before[WORKER0] and after[WORKER1] != before[WORKER1]
    run("mpactl", "update", "--frontend", timeout=60)
    echo.check()
    assert system.up().pids()[FRONTEND] != before[FRONTEND]
    wait_until(lambda: not is_active("mpa-worker@2.service"), "the end of the spare")


def test_units_come_and_go_with_the_number_of_workers(system, echo):
    before = system.pids()
    for n in (4, 1, 2):
        run("mpactl", "scale", str(n), timeout=60)
        echo.check()
        wait_until(lambda: [is_active(f"mpa-worker@{slot}.service") for slot in range(5)] == [slot < n for slot in range(5)],
                   f"{n} active units")
    run("mpactl", "restart", "0", timeout=60)
    echo.check()
    after = system.up().pids()
    assert after[WORKER0] != before[WORKER0] and after[FRONTEND] == before[FRONTEND]


def test_only_the_users_of_the_configuration_may_attach(system):
    worker = ("/usr/local/bin/mpa-worker", "--config", CONFIG, "--runtime-dir", "/run/mpa", "--slot", "9")
    outsider = subprocess.run(("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *worker),
                              capture_output=True, text=True, timeout=20)
    assert outsider.returncode == 1 and "Permission denied" in outsider.stderr
    in_group = subprocess.run(("setpriv", "--reuid=nobody", "--regid=mpa", "--clear-groups", *worker),
                              capture_output=True, text=True, timeout=20)
    assert in_group.returncode == 1 and "its user may not be a worker" in in_group.stderr


def test_controld_may_manage_its_own_units_only(system):
    def call(method, *words):
        return subprocess.run(("runuser", "-u", "mpa", "--", "busctl", "call", "org.freedesktop.systemd1",
                               "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", method, *words),
                              capture_output=True, text=True, timeout=20)
    assert call("StopUnit", "ss", "dbus.service", "replace").returncode != 0
    assert call("RestartUnit", "ss", WORKER0, "replace").returncode != 0
    assert call("StartUnit", "ss", "mpa-worker@16.service", "replace").returncode != 0
    assert call("StartUnit", "ss", WORKER0, "replace").returncode == 0


def test_metrics_come_from_a_socket_of_systemd_though_controld_has_no_network(system):
    run("systemctl", "stop", CONTROLD)  # a socket cannot be given to a service that runs
    run("systemctl", "start", "mpa-metrics.socket")
    try:
        run("systemctl", "start", CONTROLD)
        page = "http://127.0.0.1:9464/"

        def is_ready():
            """A controld that found processes of before is started earlier than they serve again."""
            try:
                with urllib.request.urlopen(page + "readyz", timeout=10) as answer:
                    return answer.read() == b"ready\n"
            except urllib.error.HTTPError as error:
                print("readyz:", error.read().decode().strip())
                return False
        wait_until(is_ready, "readiness")
        with urllib.request.urlopen(page + "metrics", timeout=10) as answer:
            assert b"\nmpa_frontend_up 1\n" in answer.read()
    finally:
        run("systemctl", "stop", "mpa-metrics.socket", CONTROLD)
        run("systemctl", "start", CONTROLD)


def test_a_wrong_configuration_is_not_tried_again(system):
    system.stop()
    text = pathlib.Path(CONFIG).read_text()
    try:
        pathlib.Path(CONFIG).write_text("nic:\n  mtu: 3\n")
        assert run("systemctl", "start", CONTROLD, check=False).returncode != 0
        assert show(CONTROLD, "ActiveState") == "failed"
        assert show(CONTROLD, "NRestarts") == "0"
    finally:
        pathlib.Path(CONFIG).write_text(text)


def test_a_mistake_in_the_file_keeps_nobody_from_coming_back(system, echo):
    """Not the worker, which is another user's, and not mpa-controld itself; a reload in between is refused."""
    before = system.up().pids()
    text = pathlib.Path(CONFIG).read_text()
    try:
        pathlib.Path(CONFIG).write_text("nic:\n  mtu: 3\n")
        for unit in (FRONTEND, WORKER0, CONTROLD):
            kill(unit)
            new_pid(unit, before[unit])
            echo.check()
        wait_until(lambda: "'nic.mtu'" in json.loads(run("mpactl", "--json", "status").stdout)["config_error"], "the mistake")
    finally:
        pathlib.Path(CONFIG).write_text(text)
    run("systemctl", "reload", CONTROLD, timeout=30)
    assert json.loads(run("mpactl", "--json", "status").stdout)["config_error"] == ""
    system.up()
    echo.check()


def test_a_reload_takes_what_can_change_and_refuses_what_is_wrong(system):
    """`systemctl reload` waits for the answer and fails with it; SIGHUP does the same without one."""
    before = system.up().pids()
    text = pathlib.Path(CONFIG).read_text()

    def said(words):
        return any(words in it["MESSAGE"] for it in journal(f"_SYSTEMD_UNIT={CONTROLD}"))

    def levels():
        return {it["level"] for it in json.loads(run("mpactl", "--json", "log", "level").stdout)["processes"]}
    try:
        pathlib.Path(CONFIG).write_text(text.replace("\ncontrol:\n", "\ncontrol:\n  log_level: debug\n"))
        run("systemctl", "reload", CONTROLD, timeout=30)
        wait_until(lambda: levels() == {"debug"}, "debug for all")
        pathlib.Path(CONFIG).write_text("nic:\n  mtu: 3\n")
        assert run("systemctl", "reload", CONTROLD, check=False).returncode != 0
        assert said("refused: /") and said("'nic.mtu': '3'")
        kill(CONTROLD, signal.SIGHUP)
        wait_until(lambda: said('config_refused by="signal"'), "the refusal of the signal's reload")
        wait_until(lambda: show(CONTROLD, "ActiveState") == "active", "the end of the reload")
        assert levels() == {"debug"}
    finally:
        pathlib.Path(CONFIG).write_text(text)
    kill(CONTROLD, signal.SIGHUP)
    wait_until(lambda: levels() == {"info"}, "info for all")
    assert system.pids() == before


def test_the_source_has_no_unit_that_is_not_installed(installed):
    names = {name.removesuffix(".in") for name in os.listdir(os.path.join(SOURCE_DIR, "systemd"))
             if name.removesuffix(".in").endswith((".service", ".socket", ".target"))}
    assert names <= set(os.listdir("/usr/local/lib/systemd/system"))
