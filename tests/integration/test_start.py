# SPDX-License-Identifier: BSD-3-Clause
"""Starting and stopping: what cannot start says why in one line and leaves nothing; every choice of the
configuration that changes how the stack runs carries verified streams; stopping is clean."""
import os
import re
import signal
import subprocess

import pytest

import netlab
import stacks

FRONTEND, WORKER, CONTROLD = "mpa-frontend", "mpa-worker", "mpa-controld"
ALL = pytest.mark.parametrize("name", [FRONTEND, WORKER, CONTROLD])
# What stays on purpose: keys outlive a restart, a lock's file is never removed (runtime.c says why), the list of lanes
# and the accused frames are for whoever comes next.
KEPT = {"keys", "controld.lock", "frontend.lock", "lanes", "suspects"}


def path_of(name):
    return stacks.program(name, stacks.Ours.programs[name])


@pytest.fixture
def space(lab):
    return lab.ns("peer")


@pytest.fixture
def runtime_dir(lab):
    path = os.path.join(lab.dir, "runtime")
    os.mkdir(path)
    return path


def run(space, name, *words, before=()):
    """Runs a program that should end by itself."""
    words = [*words, "--bin-dir", stacks.BUILD_DIR] if name == CONTROLD else words
    return subprocess.run(space.command(*before, path_of(name), *words), stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=10)


def complaints(done):
    """The lines that say what is wrong; controld tells besides what it has started and stopped."""
    return [line for line in done.stderr.splitlines() if not re.search(r"\] info: |^Try ", line)]


def refused(done, *words, status=1):
    assert done.returncode == status and done.stdout == ""
    lines = complaints(done)
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0]


def refused_by_controld(done, *words):
    """One line of the process that could not start, one of controld that it gives up."""
    assert done.returncode == 1
    first, last = complaints(done)
    for word in words:
        assert word in first
    assert "start_failed process=mpa-frontend" in last


def nothing_is_left(runtime_dir):
    assert set(os.listdir(runtime_dir)) <= KEPT
    # pytest is pid 1 here, so whoever loses its parent is ours. The helper of controld ends just after it.
    ours = (FRONTEND, WORKER, CONTROLD, "mpa-spawner")
    netlab.wait_until(lambda: not set(ours) & set(stacks.descendants(os.getpid()).values()), timeout=2,
                      what="the end of all processes")


@ALL
def test_a_bad_value_is_named_with_its_file_line_and_what_is_allowed(lab, space, runtime_dir, name):
    path = os.path.join(lab.dir, "bad.yaml")
    with open(path, "w") as config:
        config.write("host:\n  dhcp: false\nnic:\n  mtu: 12\n")
    refused(run(space, name, "--config", path, "--runtime-dir", runtime_dir),
            f"{path}:4: ", "nic.mtu", "'12'", "1280..9000", status=2)
    nothing_is_left(runtime_dir)


@ALL
def test_a_missing_configuration_is_named(space, runtime_dir, name):
    refused(run(space, name, "--config", "/none.yaml", "--runtime-dir", runtime_dir),
            "/none.yaml: No such file", status=2)
    nothing_is_left(runtime_dir)


@ALL
@pytest.mark.parametrize("words, said", [
    (("--nonsense",), "unrecognized option '--nonsense'"),
    (("word",), "unexpected argument 'word'"),
    (("--log-level", "loud"), "--log-level loud (allowed: error, warn, info, debug)"),
], ids=["option", "argument", "value"])
def test_a_bad_argument_is_named(space, runtime_dir, name, words, said):
    refused(run(space, name, "--runtime-dir", runtime_dir, *words), said, status=2)
    nothing_is_left(runtime_dir)


def test_a_slot_that_there_is_not_is_refused_with_the_range(space, runtime_dir):
    refused(run(space, WORKER, "--runtime-dir", runtime_dir, "--slot", "16"), "--slot 16", "0..15", status=2)


def test_a_worker_without_a_frontend_says_so(space, runtime_dir):
    refused(run(space, WORKER, "--runtime-dir", runtime_dir, "--slot", "0"), "attach.sock", "is mpa-frontend running?")


@ALL
def test_a_runtime_folder_that_cannot_be_is_named(space, name):
    words = ("--slot", "0") if name == WORKER else ()
    refused(run(space, name, "--runtime-dir", "/proc/none", *words), "/proc/none")


@pytest.mark.parametrize("name", [FRONTEND, CONTROLD])
def test_a_runtime_folder_of_somebody_else_is_refused(space, runtime_dir, name):
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    os.chmod(os.path.dirname(runtime_dir), 0o755)
    refused(run(space, name, "--runtime-dir", runtime_dir, before=nobody), runtime_dir)
    nothing_is_left(runtime_dir)


def with_device(script):
    """Runs what follows with a /dev/net of its own, made by the script."""
    return ["unshare", "-m", "sh", "-c", f'mount -t tmpfs none /dev/net && {script} && exec "$@"', "sh"]


def test_a_missing_tun_device_is_said_with_what_to_do(space, runtime_dir):
    before = with_device("true")
    refused(run(space, FRONTEND, "--runtime-dir", runtime_dir, before=before),
            "/dev/net/tun is missing", "modprobe tun")
    refused_by_controld(run(space, CONTROLD, "--runtime-dir", runtime_dir, before=before), "/dev/net/tun is missing")
    nothing_is_left(runtime_dir)


def test_no_permission_is_said_with_what_to_do(space, runtime_dir):
    before = [*with_device("mknod -m 666 /dev/net/tun c 10 200"),
              "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    os.chmod(os.path.dirname(runtime_dir), 0o755)
    os.chown(runtime_dir, 65534, 65534)
    refused(run(space, FRONTEND, "--runtime-dir", runtime_dir, before=before), "no permission", "CAP_NET_ADMIN")
    refused_by_controld(run(space, CONTROLD, "--runtime-dir", runtime_dir, before=before), "no permission")
    nothing_is_left(runtime_dir)


def test_a_second_instance_is_refused_and_the_first_goes_on(stack, tmp_path):
    space, busy = stack.space, stack.runtime_dir
    refused(run(space, CONTROLD, "--runtime-dir", busy), "already_running", "controld.lock")
    refused(run(space, FRONTEND, "--runtime-dir", busy), "already_running", "frontend.lock")
    refused(run(space, WORKER, "--runtime-dir", busy, "--slot", "0"), "the worker slot is taken")
    # The same NIC from another runtime folder.
    refused(run(space, FRONTEND, "--runtime-dir", tmp_path), "in use by another process")
    refused_by_controld(run(space, CONTROLD, "--runtime-dir", tmp_path), "in use by another process")
    assert set(os.listdir(tmp_path)) <= KEPT
    assert stacks.peer(space, "verify", "--to", stack.address4, "-n", 4)["bad_bytes"] == 0


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "mpactl stop"])
def test_the_stack_stops_cleanly(lab, how):
    # Its own TAP, so that it has to take it away as well.
    stack = stacks.Ours(lab, lab.ns("peer"))
    stack.make_tap = lambda vnet_hdr: None
    stack.start()
    netlab.wait_until(lambda: stack.log().count("process_ready process=mpa-worker") == 2, what="two workers")
    if how == "mpactl stop":
        stack.mpactl("stop")
    else:
        stack.process.send_signal(getattr(signal, how))
    assert stack.process.wait(10) == 0
    assert " error: " not in stack.log() and " warn: " not in stack.log()
    nothing_is_left(stack.runtime_dir)
    assert stacks.TAP not in stack.space.run("ip", "link")


@pytest.fixture
def by_hand(lab, space, runtime_dir):
    """mpa-frontend and one mpa-worker, started without controld."""
    frontend = space.start(path_of(FRONTEND), "--runtime-dir", runtime_dir)
    netlab.wait_until(lambda: " serving " in open(frontend.log_path).read(), what="the frontend")
    space.address(stacks.TAP, f"{stacks.LOCAL4}/24")
    worker = space.start(path_of(WORKER), "--runtime-dir", runtime_dir, "--slot", 0)
    stacks.peer(space, "ready", "--to", stacks.ADDRESS4, "-t", 5)
    return frontend, worker


def test_sigterm_ends_a_worker_cleanly_and_the_frontend_goes_on(lab, space, runtime_dir, by_hand):
    frontend, worker = by_hand
    assert lab.stop(worker) == 0
    netlab.wait_until(lambda: "worker_gone slot=0" in open(frontend.log_path).read(), what="worker_gone")
    space.start(path_of(WORKER), "--runtime-dir", runtime_dir, "--slot", 0)
    stacks.peer(space, "ready", "--to", stacks.ADDRESS4, "-t", 5)


def test_sigterm_ends_the_frontend_cleanly_and_takes_its_tap_away(lab, space, runtime_dir, by_hand):
    frontend, worker = by_hand
    assert lab.stop(worker) == 0
    assert lab.stop(frontend) == 0
    assert stacks.TAP not in space.run("ip", "link")
    assert set(os.listdir(runtime_dir)) <= KEPT


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_frontend_that_ends_before_its_workers_leaves_them_the_tap(lab, space, runtime_dir, by_hand, end):
    frontend, worker = by_hand
    frontend.send_signal(end)
    frontend.wait(10)
    assert stacks.LOCAL4 in space.run("ip", "address", "show", stacks.TAP)
    second = space.start(path_of(FRONTEND), "--runtime-dir", runtime_dir)
    stacks.peer(space, "ready", "--to", stacks.ADDRESS4, "-t", 10)
    assert lab.stop(worker) == 0
    assert lab.stop(second) == 0
    assert stacks.TAP not in space.run("ip", "link")


def test_a_tap_that_was_there_before_stays(lab, space, runtime_dir):
    space.tap(stacks.TAP, f"{stacks.LOCAL4}/24", vnet_hdr=True)
    for n in (1, 2):
        frontend = space.start(path_of(FRONTEND), "--runtime-dir", runtime_dir)
        netlab.wait_until(lambda: open(frontend.log_path).read().count(" serving ") == n, what="the frontend")
        assert lab.stop(frontend) == 0
    assert stacks.TAP in space.run("ip", "link")
    assert set(os.listdir(runtime_dir)) <= KEPT


def streams_are_whole(stack):
    for address in (stack.address4, stack.address6):
        stacks.peer(stack.space, "ready", "--to", address, "-t", 10)
        result = stacks.peer(stack.space, "verify", "--to", address, "-n", 8, "-b", 1_000_000)
        assert result["bytes_received"] == 8_000_000 and result["bad_bytes"] == 0
        assert stacks.peer(stack.space, "udp", "--to", address, "-n", 30, "-b", 8192, "-t", 3)["bad_datagrams"] == 0


@pytest.mark.parametrize("sections", [
    {"frontend": {"split_threads": "true"}},
    {"frontend": {"spin_us": 200}, "worker": {"spin_us": 200}},
    {"nic": {"offload": "false"}},
    {"nic": {"mtu": 1280}},
    {"frontend": {"burst_frames": 1}, "worker": {"burst_frames": 1}},
    {"frontend": {"pool_chunks": 2048, "pool_large_chunks": 128, "n_buckets": 64}},
    {"worker": {"ring_slots": 64, "urgent_ring_slots": 64, "tx_arena_kib": 256, "urgent_arena_kib": 256}},
], ids=lambda sections: " ".join(f"{key}={value}" for keys in sections.values() for key, value in keys.items()))
def test_streams_are_whole_with(start, sections):
    streams_are_whole(start(**sections))


def test_the_smallest_pool_still_reassembles(start):
    """Frames to come must not hold every large chunk."""
    stack = start(frontend={"pool_chunks": 512, "pool_large_chunks": 16, "burst_frames": 256})
    result = stacks.peer(stack.space, "udp", "--to", stack.address4, "-n", 30, "-b", 8192, "-t", 3)
    assert result["bad_datagrams"] == 0


def test_huge_pages_that_are_missing_are_a_warning(start):
    stack = start(frontend={"hugepages": "true"}, worker={"hugepages": "true"})
    assert re.search(r"warn: hugepages_missing segment=pool", stack.log())
    assert re.search(r"warn: hugepages_missing segment=records", stack.log())
    streams_are_whole(stack)


@pytest.mark.parametrize("offload", ["true", "false"])
def test_streams_are_whole_over_a_veth(lab, offload):
    space, far = lab.ns("peer"), lab.ns("nic")
    lab.veth(space, "wire", far, "eth0")
    space.address("wire", f"{stacks.LOCAL4}/24", f"{stacks.LOCAL6}/64")
    if offload == "false":
        space.offload_off("wire")
        far.offload_off("eth0")
    stack = stacks.Ours(lab, far).start(nic={"backend": "packet", "name": "eth0", "offload": offload})
    stack.space = space  # from here on: where its peer stands
    streams_are_whole(stack)
