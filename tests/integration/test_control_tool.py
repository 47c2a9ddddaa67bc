# SPDX-License-Identifier: BSD-3-Clause
"""mpactl as people meet it: full screen in a terminal (tmux is the terminal), again and again, completed by a shell,
with colours and without."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

import zsh
from controlled import FAILED, MPACTL, NO_DAEMON, OK, ROOT, USAGE, control, events  # noqa: F401
from terminals import terminal  # noqa: F401

sys.path.insert(0, os.path.join(ROOT, "scripts"))
import wire_schema  # noqa: E402


def top(control, *words):
    return " ".join([MPACTL, "--runtime-dir", control.dir, "top", "--interval", "0.3", *words])


# ---- top ----

def test_top_shows_everything_at_80x24_and_gives_the_terminal_back(control, terminal):
    control.start().up()
    it = terminal(80, 24, top(control))
    it.shows(r"running +up .* 2 workers")
    it.shows(r"(?m)^ 0 serving +\[[#-]+\]")
    it.shows(r"RX/S +TX/S")
    # The fake data plane has traffic: some seconds of it make a rate.
    it.shows(r"(?m)^ 1 serving .*\] +0 +[1-9]\d*")
    it.key("2")
    it.shows(r"BUCKETS \(64, hottest [1-9]")
    it.shows(r"(?m)^    0 [01]{64}$")
    it.key("3")
    it.shows(r"FLOW \(\d+, by rate\)")
    it.key("s")
    it.shows(r"by received")
    it.key("Tab")
    it.shows(r"EVENTS")
    # What was before it came, too.
    it.shows(r"\d\d:\d\d:\d\d ready worker slot=1")
    os.kill(control.worker(0)["pid"], signal.SIGKILL)
    it.shows(r"\d\d:\d\d:\d\d ended worker slot=0 .*cause=")
    it.key("?")
    it.shows(r"sort flows")
    it.key("p")
    it.shows(r"PAUSED")
    it.key("p", "-")
    it.shows(r"every 0\.6s")
    it.key("q")
    assert it.ended() == OK


@pytest.mark.parametrize("columns, rows, term", [(200, 60, "tmux-256color"), (40, 10, "vt100"), (12, 3, "tmux")])
def test_top_fits_any_terminal_and_ends_at_sigterm(control, terminal, columns, rows, term):
    control.start().up()
    it = terminal(columns, rows, top(control), term=term)
    it.shows(r"mpactl top")
    for page in "2341":
        it.key(page)
    if columns >= 40:
        it.shows(r"(?m)^ 1 serving")
    os.kill(it.pid(), signal.SIGTERM)
    assert it.ended() == OK


def test_top_follows_a_new_size(control, terminal):
    control.start().up()
    it = terminal(80, 24, top(control))
    it.shows(r"(?m)^ 1 serving")
    assert "MEMORY" not in it.screen()
    it.tmux("resize-window", "-x", "120", "-y", "30")
    it.shows(r"MEMORY +PID")
    it.key("q")
    assert it.ended() == OK


def test_top_says_when_the_daemon_goes_and_finds_the_next_one(control, terminal):
    control.start().up()
    it = terminal(180, 24, top(control))
    it.shows(r"running")
    control.process.kill()
    control.process.wait()
    it.shows(r"no daemon: .*control\.ipc")
    it.shows(r"(?m)^ 1 serving")
    control.start().up()
    it.shows(r"running +up")
    it.key("q")
    assert it.ended() == OK


def test_top_without_a_terminal_is_a_page_of_text(control):
    control.start().up()
    done = control.mpactl("top", "--interval", "0.3")
    assert done.returncode == OK and done.stderr == ""
    assert re.search(r"(?m)^ 1 serving +\[", done.stdout) and "\033" not in done.stdout
    done = control.mpactl("top", "--interval", "0.3", "--page", "buckets")
    assert re.search(r"(?m)^    0 [01]{64}$", done.stdout)
    assert control.mpactl("--json", "top").returncode == USAGE
    control.mpactl("stop")
    done = control.mpactl("top")
    assert done.returncode == NO_DAEMON and len(done.stderr.splitlines()) == 1


# ---- watch ----

@pytest.mark.parametrize("command", ["status", "workers", "lanes", "flows", "buckets", "nic", "stats"])
def test_watch_repeats_with_rates_and_one_document_a_line(control, command):
    control.start().up()
    done = control.mpactl(command, "--watch", "0.1", "--rounds", "2")
    assert done.returncode == OK and done.stderr == ""
    assert done.stdout.count("every 0.1 s\n") == 2 and "\033" not in done.stdout
    first, second = (part.splitlines() for part in done.stdout.split("every 0.1 s\n")[1:])
    assert not any("/S" in line or "A SECOND" in line for line in first)
    assert any("/S" in line or "A SECOND" in line for line in second)
    done = control.mpactl("--json", command, "--watch=0.1", "--rounds", "3")
    assert done.returncode == OK
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 3


def test_watch_lives_on_without_the_daemon_and_ends_at_ctrl_c(control, terminal):
    control.start().up()
    it = terminal(80, 24, f"{MPACTL} --runtime-dir {control.dir} status --watch=0.2")
    it.shows(r"RX/S")
    control.process.kill()
    control.process.wait()
    it.shows(r"no mpa-controld answers there")
    control.start().up()
    it.shows(r"state +running")
    it.key("C-c")
    assert it.ended() == OK


# ---- tables and colours ----

def test_tables_fit_the_terminal_and_have_colours_only_there(control, terminal):
    control.start().up()
    it = terminal(60, 24, f"{MPACTL} --runtime-dir {control.dir} workers")
    it.shows(r"(?m)^ +1 .*serving")
    assert "ACCEPTED" not in it.screen()
    assert "\033[32mserving" in it.tmux("capture-pane", "-e", "-p")
    assert it.ended() == OK
    assert "\033" not in control.mpactl("workers").stdout
    assert "\033[32mserving" in control.mpactl("--color=always", "workers").stdout
    assert "ACCEPTED" in control.mpactl("workers").stdout
    it = terminal(60, 24, f"env NO_COLOR=1 {MPACTL} --runtime-dir {control.dir} workers")
    it.shows(r"serving")
    assert "\033[32m" not in it.tmux("capture-pane", "-e", "-p")


def test_a_long_operation_has_a_bar_on_a_terminal_and_lines_elsewhere(control, terminal):
    control.start().up()
    control.play("fake-drain-0-waits")
    it = terminal(80, 24, f"{MPACTL} --runtime-dir {control.dir} drain 0")
    it.shows(r"drain.* \[[#-]+\]  \d+/\d+  \d")
    control.unplay("fake-drain-0-waits")
    assert it.ended() == OK
    it.shows(r"done: ")
    assert "[" not in it.screen()


# ---- words ----

@pytest.mark.parametrize("words, says", [
    (["statu"], "did you mean 'status'?"),
    (["drain", "--tto", "1"], "did you mean --to?"),
    (["--jsn", "status"], "did you mean --json?"),
    (["help", "drian"], "did you mean 'drain'?"),
    (["status", "--nonsense"], "try 'mpactl status --help'"),
    (["--nonsense"], "mpactl: unknown option --nonsense (try 'mpactl help')"),
    (["--versoin"], "did you mean --version?"),
    ([], "try 'mpactl help'"),
])
def test_what_is_unknown_brings_what_is_near(control, words, says):
    done = control.mpactl(*words)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert says in done.stderr and len(done.stderr.splitlines()) == 1


def test_mpactl_tells_its_version_as_the_other_programs_do():
    for option in ("--version", "-V", "version"):
        done = subprocess.run([MPACTL, option], stdout=subprocess.PIPE, text=True)
        assert done.returncode == OK and re.fullmatch(r"mpactl \d+\.\d+\.\d+\n", done.stdout), option


def commands():
    return subprocess.run([MPACTL, "man"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()


def test_every_command_has_a_page_with_examples_and_the_same_help(control):
    for name in commands():
        page = control.mpactl("help", name)
        assert page.returncode == OK and page.stderr == ""
        assert page.stdout.startswith(f"usage: mpactl {name}")
        assert max(map(len, page.stdout.splitlines())) <= 80, name
        assert name in ("version", "help") or "\nExamples:\n" in page.stdout, name
        assert control.mpactl(name, "--help").stdout == page.stdout
        manual = control.mpactl("man", name).stdout
        assert manual.startswith(f"mpactl-{name}(8)\n")
        made = subprocess.run(["scdoc"], input=manual, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert made.returncode == 0, f"{name}: {made.stderr}"


def test_every_command_is_in_the_overview_and_the_manual():
    with open(os.path.join(ROOT, "docs/man/mpactl.8.scd")) as manual:
        text = manual.read()
    for name in commands():
        assert re.search(rf"(?m)^\*{name}\b", text) or name in ("help", "version"), name


# ---- completion ----

BASH = """
source {root}/controlplane/mpactl/completion/mpactl.bash
COMP_WORDS=({words}) COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_mpactl
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def complete(control, *words):
    quoted = " ".join(f"'{word}'" for word in (MPACTL, "--runtime-dir", control.dir) + words)
    done = subprocess.run(["bash", "-c", BASH.format(root=ROOT, words=quoted)], capture_output=True, text=True,
                          timeout=10, cwd=control.dir)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands_options_slots_states_and_files(control):
    control.start().up()
    assert complete(control, "sta") == ["status", "stats"]
    assert complete(control, "drain", "") == ["0", "1"]
    assert complete(control, "drain", "0", "--to", "") == ["0", "1"]
    assert complete(control, "drain", "0", "--to", "=", "") == ["0", "1"]
    assert complete(control, "drain", "0", "--no") == ["--no-wait"]
    assert complete(control, "flows", "--state", "est") == ["established"]
    assert complete(control, "--color", "a") == ["auto", "always"]
    assert complete(control, "stats", "--scope", "worker") == ["worker0", "worker1"]
    assert "check" in complete(control, "config", "") and "show" in complete(control, "config", "")
    assert complete(control, "config", "check", "lo") == ["log"]
    assert complete(control, "restart", "") == ["0", "1", "frontend", "all"]
    assert complete(control, "degrade", "sh") == ["shed_congested", "shed_all", "short_idle"]
    assert complete(control, "nonsense", "") == []


@pytest.fixture
def hanging(tmp_path):
    """A folder in which somebody listens who never says a word."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control.ipc"))
        listener.listen()
        yield str(tmp_path)


def test_nobody_waits_long_for_a_daemon_that_hangs(hanging):
    began = time.monotonic()
    done = subprocess.run([MPACTL, "--runtime-dir", hanging, "complete", "drain", ""], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (OK, "")
    assert time.monotonic() - began < 1.5
    began = time.monotonic()
    done = subprocess.run([MPACTL, "--runtime-dir", hanging, "--timeout", "300", "status"], capture_output=True,
                          text=True)
    assert done.returncode == FAILED and "no answer within 300 ms" in done.stderr
    assert time.monotonic() - began < 1.5


FUNCTIONS = os.path.join(ROOT, "controlplane/mpactl/completion")


@pytest.fixture
def shell(control, tmp_path):
    """A zsh in the runtime folder of control, which finds our completion as it finds every other."""
    if not zsh.is_there():
        pytest.skip("zsh is not installed: its completion is not tested (scripts/install-deps.sh all)")
    folder = tmp_path / "zsh"
    folder.mkdir()
    it = zsh.Zsh(folder, FUNCTIONS, os.path.dirname(MPACTL), control.dir)
    yield it
    it.close()


def test_zsh_completes_commands_sub_words_and_options(control, shell):
    """Without a daemon: nothing of this needs one. mpactl stands in PATH, as with everybody."""
    mpactl = f"mpactl --runtime-dir {control.dir} "
    for typed, offered in {
            "sta": {"status", "stats"}, "balance ": {"on", "off", "set"}, "balance o": {"on", "off"},
            "balance on ": set(), "config ": {"check", "show", "defaults", "reload", "set"}, "log ": {"level"},
            "log level ": {"error", "warn", "info", "debug"}, "top --page ": {"workers", "buckets", "flows", "events"},
            "degrade sh": {"shed_congested", "shed_all", "short_idle"}, "--color a": {"auto", "always"},
            "help un": {"undrain"}, "nonsense ": set(), "drain 0 --no": {"--no-wait"}, "status --wat": {"--watch"},
            "flows --state est": {"established"}}.items():
        assert set(shell.complete(mpactl + typed)[0]) == offered, typed
    # What is the only one stands in the line at once.
    assert shell.complete(mpactl + "drain 0 --no")[1] == mpactl + "drain 0 --no-wait "
    assert shell.complete(mpactl + "flows --state=est")[1] == mpactl + "flows --state=established "
    # All commands that there are, none that is only for shells.
    commands = set(shell.complete(mpactl)[0])
    assert commands == set(control.mpactl("man").stdout.split()) and "complete" not in commands
    assert {"--json", "--no-wait", "--help"} <= set(shell.complete(mpactl + "drain 0 --")[0])


def test_zsh_completes_what_is_there_slots_scopes_and_files(control, shell):
    control.start().up()
    os.mkdir(os.path.join(control.dir, "a folder"))
    mpactl = f"{MPACTL} --runtime-dir {control.dir} "
    for typed, offered in {
            "drain ": {"0", "1"}, "drain 0 --to ": {"0", "1"}, "drain 0 --to=": {"0", "1"},
            "restart ": {"0", "1", "frontend", "all"}, "stats --scope worker": {"worker0", "worker1"},
            "log level --process ": {"controld", "frontend", "worker:0", "worker:1"}}.items():
        assert set(shell.complete(mpactl + typed)[0]) == offered, typed
    assert shell.complete(mpactl + "drain 0 --to=1")[1] == mpactl + "drain 0 --to=1 "
    assert shell.complete(mpactl + "log level --process worker:1")[1].endswith("worker:1 ")
    assert shell.complete(mpactl + "config check lo")[1] == mpactl + "config check log "
    assert shell.complete(mpactl + "-r a")[1] == mpactl + "-r a\\ folder/"
    # Words are known as the shell would have them, not as they are typed.
    assert set(shell.complete(f"{MPACTL} --runtime-dir '{control.dir}' drain ")[0]) == {"0", "1"}
    assert set(shell.complete(f"{MPACTL} --runtime-dir={control.dir} drain ")[0]) == {"0", "1"}


# ---- JSON ----

with open(os.path.join(ROOT, wire_schema.SCHEMA_PATH)) as schema_file:
    SCHEMA = json.load(schema_file)


def check_json(command, document):
    found = list(wire_schema.mistakes(document, SCHEMA["commands"][command], SCHEMA))
    assert not found, (command, found)


def test_what_every_command_prints_is_as_the_schema_has_it(control, events, tmp_path):
    valid = tmp_path / "valid.yaml"
    valid.write_text("worker:\n  count: 2\n")
    control.start("--config", str(valid)).up()
    reader = events()
    for command in ("status", "workers", "flows", "buckets", "lanes", "nic", "stats", "explain", "degrade", "version",
                    "config show", "config defaults", "log level", "balance off", "balance on", "rebalance",
                    "degrade auto", "config reload"):
        words = command.split() + (["--dry-run"] if command in ("rebalance", "config reload") else [])
        check_json({"balance off": "balance on"}.get(command, command), control.json(*words))
    check_json("balance set", control.json("balance", "set", "weight_cpu=80"))
    check_json("config set", control.json("config", "set", "control.balance_ms=900"))
    for command in ("drain 0", "undrain 0", "migrate bucket 0 --to 1", "restart 1", "scale 2", "update"):
        check_json(command.split()[0], control.json(*command.split()))
    check_json("kill", control.json("kill", "1"))
    check_json("capture", json.loads(control.mpactl("--json", "capture", "--count", "1").stdout))
    check_json("config check", control.json("config", "check", str(valid)))
    for _ in range(3):
        check_json("events", json.loads(reader.stdout.readline()))
    control.up()
    check_json("stop", control.json("stop"))


def test_the_schema_has_every_command():
    told = {command.split()[0] for command in SCHEMA["commands"]}
    assert told == set(commands()) - {"help", "top"}


def test_the_check_itself_sees_mistakes():
    for wrong in ({}, {"version": 1}, {"version": "1", "more": 2}, [], None):
        assert list(wire_schema.mistakes(wrong, SCHEMA["commands"]["version"], SCHEMA)), wrong
