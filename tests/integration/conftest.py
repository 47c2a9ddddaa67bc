# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the integration tests: see README.md. The whole run stands in namespaces of its own, which the
kernel takes away with everything in them when pytest ends, however it ends."""
import os
import sys

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, folder) for folder in ("support", "chaos")]

import leftovers  # noqa: E402
import netlab  # noqa: E402
import stacks  # noqa: E402
import wire  # noqa: E402


def pytest_configure(config):
    if not config.option.collectonly:
        netlab.isolate()


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left():
    """After each module: no process, no shared memory, no namespace, no file. Whatever else lives as long as a
    module names this fixture, so that it ends before the check."""
    yield
    leftovers.wait_for_none()


@pytest.fixture
def lab():
    """Namespaces, links and processes of one test."""
    with netlab.Lab() as it:
        yield it


@pytest.fixture(scope="module")
def shared(nothing_is_left):
    """Our stack in the namespace "shared", once for all tests of a module: they must leave it as it was."""
    with netlab.Lab() as it:
        os.mkdir(os.path.join(it.dir, "www"))
        with open(os.path.join(it.dir, "www", "random"), "wb") as page:
            page.write(os.urandom(1 << 20))
        stack = stacks.Ours(it, it.ns("shared")).start().ready()
        # Over IPv6 it answers only when duplicate address detection is through.
        stacks.peer(stack.space, "ready", "--to", stack.address6, "--timeout", 10)
        yield stack


@pytest.fixture
def port(shared):
    """A hand on the shared stack's TAP: see wire.py."""
    with wire.Port(shared.space) as it:
        yield it


@pytest.fixture
def start(lab):
    """start(name="ours", space=None, **options): a stack that answers, by default in the namespace "peer"."""
    def start_stack(name="ours", space=None, **options):
        return stacks.STACKS[name](lab, space or lab.ns("peer")).start(**options).ready()
    return start_stack


@pytest.fixture
def stack(start):
    """Our stack with two workers, at 10.77.0.2 and fd77::2, in the namespace "peer"."""
    return start()


@pytest.fixture
def peer(lab):
    """peer(*words, space=None): runs mpa-peer to its end; returns its JSON, raises LabError with its line."""
    def run_peer(*words, space=None, **options):
        return stacks.peer(space or lab.ns("peer"), *words, **options)
    return run_peer


@pytest.fixture
def bad_path(lab):
    """bad_path(*wirefilter options): the namespaces (router, peer) with a bad cable between them. A stack that is
    started in the router with routed=True is then reached from the peer over that cable."""
    def make(*options):
        router, far = lab.ns("router"), lab.ns("peer")
        lab.bad_cable(far, "wire0", router, "wire1", *options)
        far.address("wire0", "10.88.0.2/24", "fd88::2/64")
        router.address("wire1", "10.88.0.1/24", "fd88::1/64")
        far.route("10.77.0.0/24", "10.88.0.1")
        far.route("fd77::/64", "fd88::1")
        router.sysctl("net.ipv4.ip_forward", 1)
        router.sysctl("net.ipv6.conf.all.forwarding", 1)
        return router, far
    return make
