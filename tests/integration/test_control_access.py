# SPDX-License-Identifier: BSD-3-Clause
"""Who may ask mpa-controld what: roles by user and group, ids of changes, errors that say what and where. The real
mpa-controld and mpactl over the fake data plane of fake/; clients are this test as other users."""
import contextlib
import json
import os
import shutil
import subprocess
import tempfile

import pytest

import protowire
from controlled import FAILED, MPACTL, OK, Control, wait_until
from protowire import Client

READER, ADMIN, STRANGER, GROUP = 61001, 61002, 61003, 61004


@contextlib.contextmanager
def reachable_control():
    """In a folder that other users can reach; pytest's own they cannot."""
    folder = tempfile.mkdtemp(prefix="mpa-access-", dir="/tmp")
    os.chmod(folder, 0o755)
    it = Control(folder)
    try:
        yield it
    finally:
        it.clean()
        shutil.rmtree(folder)


def configure(control, text):
    path = os.path.join(control.dir, "mpa.yaml")
    with open(path, "w") as file:
        file.write(text)
    return control.start("--config", path)


@pytest.fixture
def control():
    with reachable_control() as it:
        yield it


@pytest.fixture(scope="module")
def guests(nothing_is_left):
    """The same with a reader, an admin, and a group of admins, once for all tests: they leave it as it was."""
    with reachable_control() as it:
        yield configure(it, f"control: {{admins: '{ADMIN} %{GROUP}', readers: '{READER}'}}\n").up()


@pytest.fixture(scope="module")
def mpactl():
    """mpactl(control, user, *words, group=None): where another user can run it, whatever the build tree's mode."""
    with tempfile.TemporaryDirectory(prefix="mpa-bin-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        program = shutil.copy(MPACTL, folder)

        def run(control, user, *words, group=None):
            return subprocess.run([program, "--runtime-dir", control.dir, *words], capture_output=True, text=True,
                                  timeout=30, user=user, group=user if group is None else group, extra_groups=[])
        yield run


def test_a_reader_looks_and_changes_nothing(guests, mpactl):
    assert json.loads(mpactl(guests, READER, "--json", "status").stdout)["state"] == "running"
    for words in (["workers"], ["flows"], ["stats"], ["explain"], ["log", "level"], ["degrade"], ["config", "show"]):
        assert mpactl(guests, READER, *words).returncode == OK, words
    for words in (["stop"], ["drain", "0"], ["kill", "0"], ["update"], ["balance", "off"], ["rebalance", "--dry-run"],
                  ["log", "level", "debug"], ["degrade", "auto"],
                  ["capture", "--count", "1", "--write", "/dev/null"]):
        done = mpactl(guests, READER, *words)
        assert done.returncode == FAILED, words
        assert "role read may not" in done.stderr and "needs the role admin" in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert guests.status()["state"] == "running"


def test_a_reader_sees_the_log_levels_that_an_admin_has_set(guests, mpactl):
    """Of all processes, and looking sets none back."""
    def levels(user):
        return {(it["role"], it["slot"]): it["level"]
                for it in json.loads(mpactl(guests, user, "--json", "log", "level").stdout)["processes"]}
    before = levels(READER)
    assert {role for role, _ in before} == {"controld", "frontend", "worker"} and len(before) == 4
    assert mpactl(guests, ADMIN, "log", "level", "debug", "--process", "worker:1").returncode == OK
    wait_until(lambda: levels(ADMIN)[("worker", 1)] == "debug", "worker 1 at debug")
    assert levels(READER) == {**before, ("worker", 1): "debug"} == levels(ADMIN)
    assert mpactl(guests, ADMIN, "log", "level", before[("worker", 1)]).returncode == OK
    assert levels(READER) == before


def test_an_admin_by_user_or_group_does_everything(guests, mpactl):
    assert mpactl(guests, ADMIN, "balance", "off").returncode == OK
    assert mpactl(guests, STRANGER, "balance", "on", group=GROUP).returncode == OK


def test_a_stranger_is_told_what_is_needed(guests, mpactl):
    done = mpactl(guests, STRANGER, "status")
    assert done.returncode == FAILED
    assert "this user has no role here" in done.stderr and "control.readers" in done.stderr
    assert "control.admins" in mpactl(guests, STRANGER, "stop").stderr
    # Events have no requests that could be answered: the connection is cut off.
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        os.seteuid(STRANGER)
        try:
            client = Client(guests.dir, "events.ipc", protowire.HELLO_SUB)
        finally:
            os.seteuid(0)
        client.read(1)


def test_without_guests_the_sockets_are_closed_to_others(control, mpactl):
    control.start().up()
    done = mpactl(control, STRANGER, "status")
    assert done.returncode == FAILED and "permission denied" in done.stderr
    for name in ("control.ipc", "events.ipc", "frontend.ipc", "frontend-events.ipc"):
        assert os.stat(os.path.join(control.dir, name)).st_mode & 0o777 == 0o600, name


def test_the_frontend_answers_only_root_and_its_own_user(guests):
    os.chmod(os.path.join(guests.dir, "frontend.ipc"), 0o666)
    os.seteuid(ADMIN)
    try:
        client = Client(guests.dir, "frontend.ipc")
    finally:
        os.seteuid(0)
    with client:
        code, text, field = client.ask(protowire.GET_STATUS).error
        assert (code, field) == (protowire.DENIED, "request") and "only root and the user of mpa-frontend" in text
    with Client(guests.dir, "frontend.ipc") as client:
        assert client.ask(protowire.GET_STATUS).error is None


def test_a_user_that_does_not_exist_ends_the_start(control):
    configure(control, "control: {admins: no-such-user}\n")
    assert control.process.wait(timeout=20) == FAILED
    assert "access_unknown name=no-such-user key=control.admins" in control.log()


def test_a_change_that_comes_twice_is_done_once(guests):
    with Client(guests.dir) as client:
        assert client.ask(protowire.SET_BALANCE, ident=7).error is None
        code, text, field = client.ask(protowire.SET_BALANCE, protowire.field(1, 1), ident=7).error
        assert (code, field) == (protowire.DUPLICATE, "id") and "id 7 was used" in text
        assert client.ask(protowire.EXPLAIN, ident=7).body.get(1) is None  # still off
        assert client.ask(protowire.SET_BALANCE, ident=0).error[::2] == (protowire.INVALID, "id")
        assert client.ask(protowire.SET_BALANCE, protowire.field(1, 1), ident=8).error is None
    with Client(guests.dir) as client:
        assert client.ask(protowire.SET_BALANCE, protowire.field(1, 1), ident=7).error is None


@pytest.mark.parametrize("name", ["control.ipc", "frontend.ipc"])
def test_every_refusal_has_code_text_and_field(guests, name):
    with Client(guests.dir, name) as client:
        for command, body, code, field in (
                (protowire.DRAIN, protowire.field(1, 99), protowire.INVALID, "slot"),
                (protowire.UNDRAIN, protowire.field(1, 99), protowire.INVALID, "slot"),
                (18, protowire.field(1, 4711), protowire.NOT_FOUND, "capture_id"),
                (25, protowire.field(1, 4711), protowire.NOT_FOUND, "operation_id"),
                (2000, b"", protowire.UNSUPPORTED, "request")):
            reply = client.ask(command, body, ident=command)
            assert reply.id == command and reply.error is not None, command
            assert code in (None, reply.error[0]) and reply.error[1] and reply.error[2] == field, reply.error
        client.send(b"\xff\xff")
        assert client.reply().error[::2] == (protowire.MALFORMED, "request")


def test_a_refused_change_of_settings_says_what_it_is_about(guests):
    path = os.path.join(guests.dir, "mpa.yaml")
    with open(path) as file:
        good = file.read()
    with open(path, "w") as file:
        file.write("nic: {mtu: x}\n")
    try:
        with Client(guests.dir) as client:
            code, text, field = client.ask(protowire.RELOAD_CONFIG).error
            assert (code, field) == (protowire.INVALID, "reload_config") and f"{path}:1: key 'nic.mtu'" in text
            for ident, role, field in ((2, 99, "role"), (3, 3, "slot")):
                body = protowire.field(1, b"debug") + protowire.field(2, role) + protowire.field(3, 15)
                assert client.ask(protowire.SET_LOG_LEVEL, body, ident).error[::2] == (protowire.INVALID, field)
    finally:
        with open(path, "w") as file:
            file.write(good)
