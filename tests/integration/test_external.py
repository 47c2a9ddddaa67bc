# SPDX-License-Identifier: BSD-3-Clause
"""Processes that somebody else starts, as deploy/compose.yaml does: each in a pid namespace of its own, workers as
another user, nothing shared but the runtime folder. mpa-controld looks on."""
import contextlib
import os
import signal
import socket

import pytest

import netlab
import stacks


class Containers(stacks.Ours):
    """Our stack with an orchestrator's hands: these of the test."""

    def start(self, **sections):
        os.chmod(self.lab.dir, 0o755)
        os.makedirs(self.runtime_dir, exist_ok=True)
        self.make_tap(vnet_hdr=True)
        self.n_workers = 2
        self.config = self.write_config(512, {"worker": {"count": 2}, "frontend": {"worker_user": "65534"},
                                              "control": {"manager": "external"}} | sections)
        self.frontend = self.contain("mpa-frontend")
        self.process = self.contain("mpa-controld")
        self.worker = [self.contain_worker(slot) for slot in range(2)]
        return self

    def ready(self, timeout=10):
        stacks.Stack.ready(self, timeout)
        self.wait_for("running")
        return self

    def contain(self, name, *words, user=()):
        return self.space.start("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--", *user,
                                stacks.program(name, self.programs[name]), "--config", self.config,
                                "--runtime-dir", self.runtime_dir, *words, log=f"{name}.log")

    def contain_worker(self, slot):
        netlab.wait_until(lambda: os.path.exists(f"{self.runtime_dir}/attach.sock"), what="the attach socket")
        return self.contain("mpa-worker", "--slot", slot,
                            user=("setpriv", "--reuid=65534", "--regid=0", "--clear-groups", "--no-new-privs"))

    def end(self, container):
        """As a runtime does it: SIGKILL to its first process, the child of unshare, which ends with it."""
        for pid in stacks.descendants(container.pid).keys() - {container.pid}:
            with contextlib.suppress(ProcessLookupError):  # it ended with the one before
                os.kill(pid, signal.SIGKILL)
        container.wait(10)

    def state(self):
        """"away" while no mpa-controld answers."""
        try:
            return self.mpactl("status")["state"]
        except netlab.LabError:
            return "away"

    def wait_for(self, state):
        netlab.wait_until(lambda: self.state() == state, 15, f"state {state}")


@pytest.fixture
def containers(lab):
    it = Containers(lab, lab.ns("peer"))
    try:
        yield it.start().ready()
    finally:
        for container in (it.process, *it.worker, it.frontend):
            it.end(container)


def echo(connection, text=b"x" * 5000):
    connection.sendall(text)
    got = b""
    while len(got) < len(text):
        part = connection.recv(len(text))
        assert part, "the connection has ended"
        got += part
    assert got == text


@pytest.fixture
def connection(containers):
    with containers.space.entered():
        it = socket.create_connection((stacks.ADDRESS4, 7), 5)
    it.settimeout(10)
    echo(it)
    yield it
    it.close()


def test_what_others_start_is_seen_and_served(containers):
    workers = containers.mpactl("workers")["workers"]
    assert [worker["state"] for worker in workers] == ["serving", "serving"]


def test_a_worker_that_is_replaced_by_others_loses_no_connection(containers, connection):
    for slot in range(2):
        containers.end(containers.worker[slot])
        echo(connection)
        containers.wait_for("degraded")
        containers.worker[slot] = containers.contain_worker(slot)
        containers.wait_for("running")
        echo(connection)


def test_a_frontend_that_is_replaced_by_others_loses_no_connection(containers, connection):
    containers.end(containers.frontend)
    containers.wait_for("degraded")
    containers.frontend = containers.contain("mpa-frontend")
    containers.wait_for("running")
    echo(connection)


def test_the_onlooker_ends_alone(containers, connection):
    controld = next(pid for pid, name in containers.processes().items() if name == "mpa-controld")
    os.kill(controld, signal.SIGTERM)
    assert containers.process.wait(10) == 0
    echo(connection)
    containers.process = containers.contain("mpa-controld")
    containers.wait_for("running")


@pytest.mark.parametrize("command", ["stop", "update"])
def test_what_it_cannot_do_it_refuses_with_the_reason(containers, command):
    with pytest.raises(netlab.LabError, match="external"):
        containers.mpactl(command)
    assert containers.state() == "running"
