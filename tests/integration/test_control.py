# SPDX-License-Identifier: BSD-3-Clause
"""The control plane from end to end: the real mpa-controld and mpactl over a fake data plane (fake/), which has
the real control endpoint. Unix sockets in a folder of their own, no network."""
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from controlled import (CONTROLD, FAILED, FAKE_DIR, MPACTL, NO_DAEMON, OK, USAGE, control, events, is_alive,  # noqa: F401
                        next_event, wait_until)


# ---- life ----

def test_starts_everything_and_stop_leaves_nothing(control):
    control.start().up()
    roles = [(p["role"], p["slot"], p["state"]) for p in control.status()["processes"]]
    assert roles == [("controld", 0, "running"), ("frontend", 0, "running"),
                     ("worker", 0, "running"), ("worker", 1, "running")]
    done = control.mpactl("stop")
    assert (done.returncode, done.stdout) == (OK, "stopped\n")
    assert control.end() == 0, control.log()
    assert sorted(f for f in os.listdir(control.dir) if f.endswith((".ipc", ".pid"))) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_workers_before_the_frontend(control, number):
    control.start().up()
    control.process.send_signal(number)
    assert control.end() == 0, control.log()
    ends = [line.split("process=")[1].split()[0] for line in control.log().splitlines() if "process_ended" in line]
    assert ends == ["mpa-worker", "mpa-worker", "mpa-frontend"]


def test_what_ignores_sigterm_is_killed(control):
    control.play("fake-worker-1-hangs")
    control.play("fake-frontend-hangs")
    control.start().up()
    began = time.monotonic()
    assert control.mpactl("stop").returncode == OK
    assert control.end() == 0, control.log()
    assert time.monotonic() - began < 9
    assert control.log().count('reason="did not stop in time"') == 2


def test_a_killed_worker_comes_back_with_its_cause_told(control, events):
    control.start().up()
    reader = events()
    first = control.worker(1)["pid"]
    other = control.worker(0)["pid"]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: control.worker(1)["state"] == "running" and control.worker(1)["pid"] != first, "a new worker")
    assert next_event(reader, "ended", slot=1)["fields"] == {
        "pid": str(first), "cause": "killed by signal 9 (Killed)", "why": "signal", "restart_ms": "100"}
    assert control.worker(1)["last_exit"] == "killed by signal 9 (Killed)"
    assert control.worker(1)["restarts"] == 1
    assert control.worker(0)["pid"] == other
    assert "killed by signal 9 (Killed)" in control.mpactl("status").stdout
    assert 'cause="killed by signal 9 (Killed)" restart_ms=100' in control.log()


def test_a_killed_frontend_comes_back_and_workers_live_on(control):
    control.start().up()
    first, workers = control.frontend()["pid"], {control.worker(s)["pid"] for s in (0, 1)}
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: control.frontend()["pid"] not in (0, first) and control.status()["state"] == "running",
               "a new frontend")
    assert {control.worker(s)["pid"] for s in (0, 1)} == workers


def test_a_frontend_that_stands_still_is_not_told_of_as_well(control):
    control.start().up()
    frontend = control.frontend()["pid"]
    os.kill(frontend, signal.SIGSTOP)
    try:
        status = control.status()
        assert status["state"] == "degraded"
        assert next(p for p in status["processes"] if p["role"] == "frontend")["state"] == "unknown"
        told = control.mpactl("status").stdout
        assert "addresses  not known" in told and "frontend does not answer" in told
        done = control.mpactl("--timeout", "300", "drain", "0")
        assert done.returncode == FAILED and "refused" not in done.stderr
        assert "did not answer in time; whether the command was carried out, or will be, is not known" in done.stderr
    finally:
        os.kill(frontend, signal.SIGCONT)
    control.up()
    assert "not known" not in control.mpactl("status").stdout


def test_a_crash_loop_backs_off(control):
    control.start().up()
    control.play("fake-worker-0-fails")
    os.kill(control.worker(0)["pid"], signal.SIGKILL)
    wait_until(lambda: "restart_ms=800" in control.log(), "a delay of 800 ms")
    assert control.status()["state"] == "degraded"
    assert control.worker(0)["last_exit"] == "exited with status 3"
    control.unplay("fake-worker-0-fails")
    control.up()


def test_a_quarantined_worker_is_killed_and_replaced(control, events):
    control.start().up()
    reader = events()
    first = control.worker(0)["pid"]
    control.play("fake-quarantine-0")
    event = next_event(reader, "quarantined", slot=0)
    assert event["fields"] == {"fault": "fault_index"}
    event = next_event(reader, "killed", slot=0)
    assert event["fields"] == {"pid": str(first), "reason": "quarantined: fault_index"}
    event = next_event(reader, "ended", slot=0)
    assert event["fields"]["cause"] == "killed by signal 9 (Killed): quarantined: fault_index"
    assert event["fields"]["why"] == "quarantined"
    assert next_event(reader, "ready", slot=0)["fields"]["pid"] != str(first)
    assert 'reason="quarantined: fault_index"' in control.log()


def test_workers_and_frontend_outlive_controld_and_are_taken_over(control):
    control.start().up()
    before = {(p["role"], p["slot"]): p["pid"] for p in control.status()["processes"] if p["role"] != "controld"}
    control.process.kill()
    control.process.wait()
    assert all(map(is_alive, before.values()))
    control.start().up()
    after = {(p["role"], p["slot"]): p["pid"] for p in control.status()["processes"] if p["role"] != "controld"}
    assert after == before
    os.kill(after["worker", 1], signal.SIGKILL)
    wait_until(lambda: control.worker(1)["pid"] not in (0, after["worker", 1]), "a new worker")
    control.up()
    assert control.mpactl("stop").returncode == OK
    assert control.end() == 0, control.log()


def test_stop_without_controld_leaves_nothing(control):
    control.start().up()
    control.process.kill()
    control.process.wait()
    assert control.mpactl("stop").returncode == OK
    assert control.end() == -signal.SIGKILL, control.log()
    assert control.mpactl("stop").returncode == NO_DAEMON


def test_systemd_is_told_when_it_is_ready_and_when_it_stops(control, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.settimeout(15)
        notify.bind(os.path.join(control.dir, "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", os.path.join(control.dir, "notify"))
        control.start()
        told = notify.recv(4096)
        while b"READY=1" not in told:
            told = notify.recv(4096)
        assert control.status()["state"] == "running"
        for words, deed in ((b"STATUS=All processes are ready", lambda: os.kill(control.worker(1)["pid"], signal.SIGKILL)),
                            (b"STATUS=Not ready: worker 1", lambda: None),
                            (b"STATUS=All processes are ready", lambda: control.mpactl("degrade", "shed_all")),
                            (b"STATUS=All processes are ready; under pressure: shed_all", lambda: None)):
            while told != words:
                told = notify.recv(4096)
            deed()
        assert control.mpactl("stop").returncode == OK
        while b"STOPPING=1" not in told:
            told = notify.recv(4096)
        assert control.end() == 0, control.log()


# ---- starts that cannot work ----

def test_a_second_instance_is_refused(control):
    control.start().up()
    second = subprocess.run([CONTROLD, "--runtime-dir", control.dir, "--bin-dir", FAKE_DIR], capture_output=True,
                            text=True, timeout=20)
    assert second.returncode == FAILED
    lines = second.stderr.strip().splitlines()
    assert len(lines) == 1 and "already_running" in lines[0]
    assert control.status()["state"] == "running"


def test_a_frontend_that_cannot_start_ends_the_start(control):
    control.play("fake-frontend-fails")
    control.start()
    assert control.end() == FAILED, control.log()
    assert "no permission to open the TAP" in control.log()
    assert 'start_failed process=mpa-frontend slot=0 cause="exited with status 1"' in control.log()


def test_workers_that_cannot_start_end_the_start(control):
    control.play("fake-worker-0-fails")
    control.play("fake-worker-1-fails")
    control.start()
    control.status()
    assert control.end() == FAILED, control.log()
    assert re.search('start_failed process=mpa-worker slot=[01] cause="exited with status 3"', control.log())


def test_a_worker_that_cannot_start_is_missed_while_another_serves(control):
    control.play("fake-worker-1-fails")
    control.start()
    wait_until(lambda: control.status()["state"] == "degraded", "a start with one worker")
    assert "start_failed" not in control.log()
    assert [it["state"] for it in control.status()["processes"] if it["role"] == "worker"] == ["running", "waiting"]
    control.unplay("fake-worker-1-fails")
    control.up()


@pytest.mark.parametrize("words, code, says", [
    (["--bin-dir", "/nonexistent"], FAILED, "/nonexistent/mpa-frontend: no such program"),
    (["--config", "/nonexistent.yaml"], USAGE, "/nonexistent.yaml"),
    (["--log-level", "loud"], USAGE, "allowed: error, warn, info, debug"),
    (["--runtime-dir", "/proc/nowhere"], FAILED, "/proc/nowhere"),
    (["--runtime-dir", "/" + "x" * 200], USAGE, "--runtime-dir"),
    (["surplus"], USAGE, "surplus"),
])
def test_a_start_that_cannot_work_says_why_in_one_line(control, words, code, says):
    done = subprocess.run([CONTROLD, "--runtime-dir", control.dir, "--bin-dir", FAKE_DIR, *words],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == code
    assert says in done.stderr.splitlines()[0]


def test_a_runtime_folder_that_others_may_write_is_refused(control):
    os.chmod(control.dir, 0o777)
    control.start()
    assert control.process.wait(timeout=20) == FAILED
    assert "writable by nobody else" in control.log()


# ---- mpactl ----

def test_every_table_fits_eighty_columns(control):
    control.start().up()
    for command in ("status", "workers", "buckets", "lanes", "nic", "stats", "help"):
        done = control.mpactl(command)
        assert done.returncode == OK, done.stderr
        assert max(map(len, done.stdout.splitlines())) <= 80, command


def test_json_has_what_the_fields_are_called_in_the_proto(control):
    control.start().up()
    assert control.json("status")["addresses"] == ["10.77.0.2/24"]
    workers = control.json("workers")["workers"]
    assert [w["state"] for w in workers] == ["serving", "serving"]
    assert workers[0]["counters"]["rx_frames"] > 0
    buckets = control.json("buckets")
    assert buckets["n_buckets"] == 64 and len(buckets["workers"]) == len(buckets["frames"]) == 64
    assert control.json("lanes")["lanes"][1]["gauges"]["buckets"] == 32
    assert control.json("nic")["mac"] == "02:4d:50:41:00:01"
    scopes = {s["scope"] for s in control.json("stats")["stats"]}
    assert scopes == {"frontend", "nic", "lane0", "lane1", "worker0", "worker1"}
    stats = control.json("stats", "--nonzero", "--scope", "worker0")["stats"]
    assert [s["name"] for s in stats] == ["rx_frames"] and stats[0]["help"]


def test_without_a_daemon_the_exit_code_is_3(control):
    for command in ("status", "workers", "buckets", "lanes", "nic", "stats", "stop", "events"):
        done = control.mpactl(command)
        assert done.returncode == NO_DAEMON, command
        assert control.dir in done.stderr and len(done.stderr.splitlines()) == 1
    assert control.mpactl("capture", "--write", "/dev/null").returncode == NO_DAEMON


@pytest.mark.parametrize("words", [
    [], ["nonsense"], ["status", "surplus"], ["--timeout", "0", "status"], ["--timeout", "x", "status"],
    ["capture", "--lane", "16"], ["capture", "--lane", "-1"], ["capture", "--count", "0"], ["config"],
    ["config", "eat"], ["config", "check"], ["config", "set"], ["config", "set", "x"], ["config", "show", "--dry-run"], ["log"], ["log", "eat"],
    ["log", "level", "info", "--process", "worker:16"], ["balance", "set"], ["help", "nonsense"], ["capture", "--filter", "no such filter"],
])
def test_a_wrong_command_line_has_exit_code_2(control, words):
    done = control.mpactl(*words)
    assert done.returncode == USAGE
    assert done.stderr.startswith("mpactl") and done.stdout == ""


def test_refusals_have_exit_code_1(control):
    control.start().up()
    assert control.mpactl("stats", "--scope", "nowhere").returncode == FAILED


def test_config_check_names_file_and_line(control, tmp_path):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("worker:\n  count: 3\n")
    bad.write_text("worker:\n  count: 99\n")
    assert control.mpactl("config", "check", str(good)).stdout == f"{good}: valid\n"
    done = control.mpactl("config", "check", str(bad))
    assert done.returncode == FAILED and done.stderr.startswith(f"{bad}:2: ")
    done = control.mpactl("--json", "config", "check", str(bad))
    assert done.returncode == FAILED and json.loads(done.stdout)["valid"] is False


def test_config_show_is_a_configuration(control, tmp_path):
    shown = tmp_path / "shown.yaml"
    done = control.mpactl("config", "defaults")
    shown.write_text(done.stdout)
    assert control.mpactl("config", "check", str(shown)).returncode == OK
    assert "worker" in json.loads(control.mpactl("--json", "config", "defaults").stdout)
    assert control.mpactl("config", "show", str(shown)).stdout == done.stdout


def test_config_show_without_a_daemon_says_so(control):
    assert control.mpactl("config", "show").returncode == NO_DAEMON
    assert control.mpactl("config", "reload").returncode == NO_DAEMON
    assert control.mpactl("log", "level").returncode == NO_DAEMON


def test_a_stack_without_a_file_has_nothing_to_reload(control):
    control.start().up()
    assert {it["source"] for it in control.json("config", "show")["entries"]} <= {"default", "command_line"}
    done = control.mpactl("config", "reload")
    assert done.returncode == FAILED and "started without --config" in done.stderr
    assert re.search(r"(?m)^config     [0-9a-f]{12}  no file$", control.mpactl("status").stdout)
    assert len(control.json("log", "level", "warn")["processes"]) == 4
    assert re.search(r"(?m)^config     [0-9a-f]{12}  no file, changed by hand$", control.mpactl("status").stdout)


def test_status_says_which_configuration_is_in_force_and_what_it_waits_for(control, tmp_path):
    file = tmp_path / "mpa.yaml"
    file.write_text("")
    control.start("--config", str(file)).up()

    def line():
        """(hash, the rest of the line); as JSON has it too."""
        found = re.search(r"(?m)^config     ([0-9a-f]{12})  (.*)$", control.mpactl("status").stdout)
        status = control.status()
        assert (status["config_hash"], status["config_file"]) == (found[1], str(file))
        return found[1], found[2].removeprefix(str(file)), status["config_waits"]

    first, text, waits = line()
    assert (text, waits) == (", all in force", [])
    file.write_text("worker: {burst_frames: 16}\nfrontend: {park_frames: 99}\n")
    assert line() == (first, text, waits)  # nobody has read it
    assert control.mpactl("config", "reload").returncode == OK
    assert line() == (first, ", waits for: mpactl update, mpactl update --frontend", ["workers", "frontend"])
    for words in (["update"], ["update", "--frontend"]):
        assert control.mpactl(*words).returncode == OK
        control.up()
    second, text, waits = line()
    assert second != first and (text, waits) == (", all in force", [])
    assert control.mpactl("balance", "set", "weight_cpu=7").returncode == OK
    third, text, waits = line()
    assert third not in (first, second) and (text, waits) == (", waits for: mpactl config reload", ["nothing"])
    assert control.mpactl("config", "reload").returncode == OK
    assert line() == (second, ", all in force", [])


def test_the_number_of_workers_comes_from_the_file(control, tmp_path):
    file = tmp_path / "three.yaml"
    file.write_text("worker:\n  count: 3\n")
    control.start("--config", str(file)).up()
    assert len(control.json("workers")["workers"]) == 3


# ---- capture ----

def test_capture_writes_what_the_filter_lets_through(control, tmp_path):
    control.start().up()
    file = tmp_path / "out.pcap"
    done = control.mpactl("capture", "--filter", "udp port 7", "--count", "5", "--write", str(file))
    assert done.returncode == OK and "5 frames captured" in done.stderr
    seen = subprocess.run(["tshark", "-r", str(file), "-T", "fields", "-e", "udp.dstport", "-e", "ip.dst"],
                          capture_output=True, text=True, timeout=60)
    assert seen.stdout.split() == ["7", "10.77.0.2"] * 5


def test_capture_of_a_lane_pipes_into_a_reader(control):
    control.start().up()
    with subprocess.Popen([MPACTL, "--runtime-dir", control.dir, "capture", "--lane", "1"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as capture:
        # A file header and one frame of 60 bytes; then the reader has seen enough and goes.
        assert len(capture.stdout.read(24 + 16 + 60)) == 100
        capture.stdout.close()
        assert capture.wait(timeout=20) == OK
    assert control.mpactl("capture", "--count", "1", "--write", "/dev/null").returncode == OK


def test_capture_as_json_is_a_frame_a_line(control):
    control.start().up()
    done = control.mpactl("--json", "capture", "--lane", "1", "--count", "2", "--snaplen", "14")
    frames = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(f["lane"], f["len_bytes"], len(f["data"])) for f in frames] == [(1, 60, 28)] * 2


def test_there_is_one_capture_at_a_time_and_ctrl_c_ends_it(control, tmp_path):
    control.start().up()
    file = tmp_path / "out.pcap"
    with subprocess.Popen([MPACTL, "--runtime-dir", control.dir, "capture", "--write", str(file)],
                          stderr=subprocess.PIPE, text=True) as capture:
        wait_until(lambda: file.exists() and file.stat().st_size > 24, "frames")
        second = control.mpactl("capture", "--write", "/dev/null")
        assert second.returncode == FAILED and "another capture is running" in second.stderr
        capture.send_signal(signal.SIGINT)
        assert capture.wait(timeout=20) == OK


def test_a_capture_whose_reader_died_ends_by_itself(control, tmp_path):
    control.start().up()
    file = tmp_path / "out.pcap"
    with subprocess.Popen([MPACTL, "--runtime-dir", control.dir, "capture", "--write", str(file)]) as capture:
        wait_until(lambda: file.exists() and file.stat().st_size > 24, "frames")
        capture.kill()
    wait_until(lambda: control.mpactl("capture", "--count", "1", "--write", "/dev/null").returncode == OK,
               "the end of the lease")


# ---- hostile clients ----

HELLO = b"\0SP\0\0\x30\0\0"  # nng's greeting of a REQ socket


def raw_request(control, name, body):
    """A connection that has sent `body` as a request by hand."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(os.path.join(control.dir, name))
    client.sendall(HELLO)
    assert len(client.recv(8)) == 8
    message = b"\x80\0\0\x01" + body
    client.sendall(b"\x01" + len(message).to_bytes(8, "big") + message)
    return client


def raw_reply(client):
    """The body of the reply."""
    head = b""
    while len(head) < 9:
        head += client.recv(9 - len(head))
    left, body = int.from_bytes(head[1:], "big"), b""
    while len(body) < left:
        body += client.recv(left - len(body))
    return body[4:]


@pytest.mark.parametrize("name", ["control.ipc", "frontend.ipc"])
@pytest.mark.parametrize("body, says", [
    (b"\xff\xff\xff\0\x07", b"the bytes are no request"),
    (b"", b"no command"),
    (b"\x08\x05\xe2\x12\0", b"no command"),
    (b"\0" * 100_000, b"at most 65536 are allowed"),
], ids=["garbage", "empty", "unknown command", "too long"])
def test_bytes_that_are_no_request_get_an_error(control, name, body, says):
    control.start().up()
    with raw_request(control, name, body) as client:
        assert says in raw_reply(client)
    assert control.status()["state"] == "running"


def test_an_endless_message_is_cut_off(control):
    control.start().up()
    for name in ("control.ipc", "frontend.ipc"):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(os.path.join(control.dir, name))
            client.sendall(HELLO)
            client.recv(8)
            client.sendall(b"\x01" + (1 << 40).to_bytes(8, "big"))
            try:
                assert client.recv(1) == b""
            except ConnectionResetError:
                pass
    assert control.status()["state"] == "running"


def memory_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


@pytest.mark.parametrize("name, who", [("control.ipc", "controld"), ("frontend.ipc", "frontend")])
def test_clients_that_never_read_hold_up_nobody(control, name, who):
    """Each asks for all there is, many times, and reads nothing: the answers must not pile up."""
    control.start().up()
    pid = next(p["pid"] for p in control.status()["processes"] if p["role"] == who)
    get_stats = b"\x7a\x02\x08\x01"
    clients = [raw_request(control, name, get_stats) for _ in range(12)]
    for client in clients:
        client.setblocking(False)
    before = memory_kib(pid)
    message = b"\x80\0\0\x01" + get_stats
    frame = b"\x01" + len(message).to_bytes(8, "big") + message
    for _ in range(200):
        for client in clients:
            try:
                client.send(frame)
            except BlockingIOError:
                pass
    began = time.monotonic()
    assert control.mpactl("--timeout", "20000", "lanes").returncode == OK
    assert time.monotonic() - began < 15
    assert memory_kib(pid) - before < 64 << 10
    for client in clients:
        client.close()
    assert control.status()["state"] == "running"


# ---- confinement ----

def test_controld_is_confined_and_its_helper_holds_no_lock(control):
    control.start().up()
    with open(f"/proc/{control.process.pid}/status") as status:
        fields = dict(line.split(":\t", 1) for line in status.read().splitlines() if ":\t" in line)
    assert fields["Seccomp"].strip() == "2" and fields["NoNewPrivs"].strip() == "1"
    assert int(fields["CapEff"], 16) in (0, 1 << 5)
    with open(f"/proc/{control.process.pid}/task/{control.process.pid}/children") as children:
        helper = int(children.read().split()[0])
    assert len(os.listdir(f"/proc/{helper}/fd")) == 4
    with open(f"/proc/{control.frontend()['pid']}/status") as status:
        assert "Seccomp:\t0" in status.read()
