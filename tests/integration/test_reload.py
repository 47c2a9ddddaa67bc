# SPDX-License-Identifier: BSD-3-Clause
"""The configuration of a stack that runs: read again as a whole or not at all, every changed key told, live keys
acted on by all processes, and nothing lost meanwhile."""
import os
import re
import signal
import subprocess

import pytest

import crowd as crowds
import netlab
import stacks
import survivor

PROCESSES = {"controld", "frontend", "worker:0", "worker:1"}


class Reloaded(survivor.Survivor):
    """A stack whose file is edited."""

    def edit(self, **sections):
        """The file as it was started with, these keys over it."""
        merged = {name: dict(keys) for name, keys in self.sections.items()}
        for name, keys in sections.items():
            merged.setdefault(name, {}).update(keys)
        self.write_config(512, merged)

    def start(self, **sections):
        self.sections = sections
        return super().start(**sections)

    def changes(self, *words):
        """{key: (old, new, text)} of a reload."""
        return {it["key"]: (it["old"], it["new"], it["text"])
                for it in self.mpactl("config", "reload", *words)["changes"]}

    def config(self):
        return {it["key"]: it for it in self.mpactl("config", "show")["entries"]}

    def levels(self, *words):
        return {it["role"] + (f":{it['slot']}" if it["role"] == "worker" else ""): it["level"]
                for it in self.mpactl("log", "level", *words)["processes"]}

    def wait_levels(self, *exceptions, **levels):
        """Everybody has this level, but for the exceptions: what the frontend is told comes a moment later."""
        wanted = dict.fromkeys(PROCESSES, levels["all"]) | dict(exceptions)
        netlab.wait_until(lambda: self.levels() == wanted, 10, what=f"the levels {wanted}")

    def ask(self, *words):
        return subprocess.run(
            self.space.command(stacks.program("mpactl", self.programs["mpactl"]), "--runtime-dir", self.runtime_dir,
                               *words), text=True, capture_output=True, timeout=10)

    def said(self, *patterns):
        """True when there is a line of the log for each of them."""
        return all(re.search(pattern, self.log()) for pattern in patterns)

    def wait_said(self, *patterns):
        netlab.wait_until(lambda: self.said(*patterns), 5, what=f"a log line for each of {patterns}")

    def wait_workers_said(self, n, text):
        """So many processes, one after the other: each looks when it wakes up."""
        netlab.wait_until(lambda: len(set(re.findall(rf"mpa-worker\[(\d+)\] info: {text}", self.log()))) == n, 5,
                          what=f"'{text}' of {n} workers")


@pytest.fixture(scope="module")
def stack(nothing_is_left):
    """Once for all tests of the module; each edits the file from the start and reloads."""
    with netlab.Lab() as lab:
        yield Reloaded(lab, lab.ns("reload")).start(control={"balance": "false", "restart_delay_ms": 10}).ready()


@pytest.fixture(autouse=True)
def as_it_was(stack):
    stack.all_serve()
    yield
    stack.edit()
    stack.changes()


def level_lines(level):
    """What each process says when its level changes."""
    return [rf"{name}\[\d+\] info: log_level_set level={level}" for name in
            ("mpa-controld", "mpa-frontend", "mpa-worker")]


def test_a_reload_of_the_same_file_changes_nothing(stack):
    assert stack.changes() == {}


def test_the_log_level_reaches_all_processes_and_goes_back(stack):
    stack.wait_levels(all="info")
    assert stack.levels("debug") == dict.fromkeys(PROCESSES, "debug")
    stack.wait_said(*level_lines("debug"))
    stack.wait_workers_said(2, "log_level_set level=debug")
    # A worker that is started now reads "info" in the file, and is told what the others were.
    stack.mpactl("kill", "1")
    stack.all_serve()
    stack.wait_levels(all="debug")
    stack.wait_workers_said(3, "log_level_set level=debug")
    stack.levels("warn", "--process", "worker:1")
    stack.wait_levels(("worker:1", "warn"), all="debug")
    changes = stack.changes()
    assert changes == {"control.log_level": ("debug", "info", "changed"),
                       "control.log_level of worker 1": ("warn", "info", "changed")}
    stack.wait_levels(all="info")
    stack.wait_said(*level_lines("info"))


def test_a_file_that_is_wrong_is_refused_by_its_line_and_changes_nothing(stack):
    before = stack.config()
    stack.edit(control={"balance_ms": 300, "balance_weight_cpu": 7}, nic={"mtu": 12})
    done = stack.ask("config", "reload")
    with open(os.path.join(stack.lab.dir, "mpa.yaml")) as file:
        line = 1 + [text.strip() for text in file].index("mtu: 12")
    assert done.returncode == 1 and done.stdout == ""
    assert f"mpa.yaml:{line}: " in done.stderr and "'nic.mtu': '12'" in done.stderr and "1280..9000" in done.stderr
    assert stack.config() == before
    os.unlink(os.path.join(stack.lab.dir, "mpa.yaml"))
    assert "No such file" in stack.ask("config", "reload").stderr
    os.mkfifo(os.path.join(stack.lab.dir, "mpa.yaml"))
    assert "not a regular file" in stack.ask("config", "reload").stderr
    os.unlink(os.path.join(stack.lab.dir, "mpa.yaml"))
    assert stack.config() == before


def test_live_keys_act_and_others_say_what_they_need(stack):
    stack.edit(control={"balance": "true", "balance_weight_cpu": 80, "balance_factor_permille": 3000,
                        "heartbeat_ms": 2000, "manager": "external"},
               worker={"orphan_s": 7, "burst_frames": 16, "count": 2}, frontend={"park_frames": 99})
    wanted = {"control.balance": ("false", "true", "changed"), "control.balance_weight_cpu": ("50", "80", "changed"),
              "control.balance_factor_permille": ("1500", "3000", "changed"),
              "control.heartbeat_ms": ("1000", "2000", "changed"), "worker.orphan_s": ("60", "7", "changed"),
              "control.manager": ("direct", "external", "needs: mpactl stop, and a new start"),
              "worker.burst_frames": ("32", "16", "needs: mpactl update"),
              "frontend.park_frames": ("256", "99", "needs: mpactl update --frontend")}
    before = stack.config()
    assert stack.changes("--dry-run") == wanted
    assert stack.config() == before
    assert stack.changes() == wanted
    explained = stack.mpactl("explain")
    assert explained["on"] and explained["weight_cpu"] == 80 and explained["factor_permille"] == 3000
    config = stack.config()
    assert config["worker.orphan_s"]["value"] == "7" and config["worker.orphan_s"]["source"] == "file"
    assert config["worker.burst_frames"]["value"] == "32" and config["worker.burst_frames"]["waiting"] == "16"
    # What waits comes with the next life of the process, and what differs until all have it is told.
    stack.mpactl("kill", "1")
    stack.all_serve()
    assert stack.config()["worker.burst_frames"]["differs"] == "worker 1: 16"
    stack.mpactl("kill", "0")
    stack.all_serve()
    entry = stack.config()["worker.burst_frames"]
    assert (entry["value"], entry["waiting"], entry["differs"]) == ("16", "", "")
    # So it is a change again to go back.
    stack.edit()
    assert stack.changes()["worker.burst_frames"] == ("16", "32", "needs: mpactl update")
    stack.mpactl("update")
    stack.all_serve()
    assert stack.config()["worker.burst_frames"]["value"] == "32"


def test_another_number_of_workers_is_started_and_ended(stack):
    stack.edit(worker={"count": 3, "max": 3})
    assert stack.changes() == {"worker.count": ("2", "3", "changed"), "worker.max": ("16", "3", "changed")}
    netlab.wait_until(lambda: set(stack.slots()) == {0, 1, 2}, 10, what="three workers")
    stack.edit()
    # At once: the workers that are on their way count.
    assert stack.changes() == {"worker.count": ("3", "2", "changed"), "worker.max": ("3", "16", "changed")}
    netlab.wait_until(lambda: set(stack.slots()) == {0, 1}, 10, what="two workers")


def test_what_is_set_by_hand_is_held_to_the_rules_of_the_file(stack):
    stack.mpactl("balance", "set", "weight_cpu=10", "factor_permille=2000", "ms=400")
    explained = stack.mpactl("explain")
    assert (explained["weight_cpu"], explained["factor_permille"], explained["interval_ms"]) == (10, 2000, 400)
    assert stack.config()["control.balance_ms"]["source"] == "hand"
    done = stack.ask("balance", "set", "weight_cpu=11", "factor_permille=3")
    assert done.returncode == 1 and "balance_factor_permille" in done.stderr and "1200..100000" in done.stderr
    done = stack.ask("config", "set", "nic.mtu=1400")
    assert done.returncode == 1 and "nic.mtu" in done.stderr
    done = stack.ask("config", "set", "nic.colour=red")
    assert done.returncode == 1 and "no key 'nic.colour'" in done.stderr
    assert stack.mpactl("explain")["weight_cpu"] == 10
    stack.mpactl("balance", "on")
    assert stack.config()["control.balance"]["source"] == "hand"
    assert set(stack.changes()) == {"control.balance", "control.balance_ms", "control.balance_weight_cpu",
                                    "control.balance_factor_permille"}
    assert not stack.mpactl("explain")["on"]


def test_sighup_reloads_and_a_new_frontend_hears_what_was_changed(stack):
    stack.edit(control={"log_level": "debug"})
    os.kill(stack.process.pid, signal.SIGHUP)
    stack.wait_levels(all="debug")
    stack.edit(control={"log_level": "loud"})
    os.kill(stack.process.pid, signal.SIGHUP)
    stack.wait_said(r"config_refused by=\"signal\" error=\".*mpa.yaml:\d+: key 'control.log_level': 'loud'")
    netlab.wait_until(lambda: [event["fields"]["text"] for event in stack.events("reload")][-1:] ==
                      ["signal: refused, nothing has changed"], 5, what="the event")
    # Its file says "info"; what was set by hand is sent to it again.
    stack.edit()
    stack.changes()
    stack.levels("debug")
    os.kill(stack.frontend(), signal.SIGKILL)
    stack.all_serve()
    stack.wait_levels(all="debug")
    stack.levels("info")


def test_reloads_under_a_crowd_lose_nothing(stack):
    with crowds.Crowd(stack.space) as crowd:
        crowd.carry("bulk", 8, 32768)
        for i in range(30):
            stack.edit(control={"balance": "true" if i % 2 else "false", "balance_weight_cpu": 10 + i,
                                "log_level": "debug" if i % 3 else "info", "heartbeat_ms": 1000 + i},
                       worker={"orphan_s": 30 + i})
            assert stack.changes()
            crowd.goes_on()
        crowd.clean()


def test_whoever_comes_back_while_the_file_has_a_mistake_goes_by_what_was_loaded_last(stack):
    """Somebody edits the file, and just then processes die."""
    stack.edit(worker={"orphan_s": 33})
    stack.changes()
    with crowds.Crowd(stack.space) as crowd:
        crowd.carry("bulk", 8, 32768)
        stack.edit(worker={"orphan_s": "many"})
        for pid in (stack.frontend(), stack.slots()[0]):
            os.kill(pid, signal.SIGKILL)
            netlab.wait_until(lambda: pid not in (stack.frontend(), *stack.slots().values()), 10, what="another one")
            stack.all_serve()
            crowd.goes_on()
        stack.wait_said(*(rf"{name}\[\d+\] warn: config_bad .*orphan_s" for name in
                          ("mpa-controld", "mpa-frontend", "mpa-worker")))
        stack.kill_controld()
        stack.start_again().all_found()
        stack.listen()
        stack.wait_said(r"mpa-controld\[\d+\] warn: config_bad .*orphan_s.*begins with what was loaded last")
        crowd.goes_on()
        crowd.clean()
    status = stack.mpactl("status")
    assert "orphan_s" in status["config_error"] and status["config_waits"] == []
    assert re.search(r"the file has a mistake, .*orphan_s", stack.ask("status").stdout)
    assert stack.config()["worker.orphan_s"]["value"] == "33"
    stack.edit()
    assert "worker.orphan_s" in stack.changes() and stack.mpactl("status")["config_error"] == ""
