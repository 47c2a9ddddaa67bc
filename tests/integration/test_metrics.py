# SPDX-License-Identifier: BSD-3-Clause
"""/metrics, /livez and /readyz: what they say, that promtool likes it, and that no client of theirs does harm."""
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest
import yaml
from controlled import BUILD_DIR, FAILED, OK, ROOT, control, wait_until  # noqa: F401

PORT = 9464
PROMTOOL = os.environ.get("PROMTOOL", shutil.which("promtool"))


def ask(request, timeout=5):
    """(status, head, body) of the answer to these bytes."""
    with socket.create_connection(("127.0.0.1", PORT), timeout=timeout) as link:
        link.sendall(request)
        answer = b""
        while True:
            piece = link.recv(65536)
            if not piece:
                break
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    assert request.startswith(b"HEAD ") or int(re.search(rb"Content-Length: (\d+)", head)[1]) == len(body)
    return int(head.split()[1]), head.decode(), body.decode()


def get(path):
    status, _, body = ask(f"GET {path} HTTP/1.1\r\nHost: stack\r\nUser-Agent: test\r\n\r\n".encode())
    return status, body


def samples(page):
    """{"name{labels}": value}"""
    return {name: float(value) for name, value in re.findall(r"^([^#]\S*) (\S+)$", page, re.M)}


def metrics():
    status, page = get("/metrics")
    assert status == 200, page
    return samples(page)


def promtool(*words, text=None):
    assert PROMTOOL, "no promtool: scripts/install-deps.sh brings it"
    done = subprocess.run([PROMTOOL, *words], input=text, text=True, capture_output=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def documented():
    """The names that a query may use: of docs/metrics.md, those of histograms with their endings."""
    names = set()
    with open(os.path.join(ROOT, "docs", "metrics.md")) as page:
        for name, kind in re.findall(r"^\| `(mpa_\w+)` \| (\w+) \|", page.read(), re.M):
            names |= {f"{name}_{ending}" for ending in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    return names


@pytest.fixture
def served(control, tmp_path):
    """A controld over fakes that serves HTTP."""
    def serve(**worker):
        file = tmp_path / "metrics.yaml"
        file.write_text(f'control: {{http: "127.0.0.1:{PORT}"}}\nworker: {json.dumps(worker)}\n')
        return control.start("--config", str(file)).up()
    return serve


def test_the_page_is_clean_and_documented(served):
    control = served()
    status, head, page = ask(b"GET /metrics?x=1 HTTP/1.1\r\n\r\n")
    assert status == 200 and "text/plain; version=0.0.4" in head
    assert promtool("check", "metrics", text=page) == ""
    names = {name.partition("{")[0] for name in samples(page)}
    assert names <= documented(), names - documented()
    now = samples(page)
    assert now["mpa_frontend_up"] == now["mpa_ready"] == 1 and now["mpa_workers_configured"] == 2
    assert now['mpa_state{state="running"}'] == 1 and now['mpa_lane_buckets{worker="1"}'] == 32
    # Figures of now, not of the first time that somebody asked.
    wait_until(lambda: metrics()["mpa_nic_rx_frames_total"] > now["mpa_nic_rx_frames_total"], "newer figures")
    # 16 workers have few enough series, and labels that nobody on the network can choose.
    full = subprocess.run([os.path.join(BUILD_DIR, "tests", "unit", "controld", "print_metrics")], check=True,
                          capture_output=True, text=True).stdout
    assert promtool("check", "metrics", text=full) == ""
    assert 1000 < len(samples(full)) <= 3000
    labels = set(re.findall(r'[{,](\w+)="', full))
    assert labels == {"worker", "reason", "state", "le", "version", "nic", "backend"}
    assert control.mpactl("status").returncode == OK


def test_probes_say_what_is_wrong(served):
    control = served()
    assert get("/livez") == (200, "alive\n")
    assert get("/readyz") == (200, "ready\n")
    frontend = control.frontend()["pid"]
    os.kill(frontend, signal.SIGSTOP)
    try:
        wait_until(lambda: get("/readyz")[0] == 503, "not ready")
        assert re.fullmatch(r"mpa-frontend has not answered for \d+ s\n", get("/readyz")[1])
        assert get("/livez")[0] == 200
        began = time.monotonic()
        assert metrics()["mpa_frontend_up"] == 0 and time.monotonic() - began < 2
    finally:
        os.kill(frontend, signal.SIGCONT)
    wait_until(lambda: get("/readyz")[0] == 200, "ready again")
    wait_until(lambda: metrics()["mpa_frontend_up"] == 1, "the frontend's part")
    # A worker that is drained by order has lost nobody's connections.
    assert control.mpactl("drain", "0").returncode == OK
    wait_until(lambda: metrics()['mpa_lane_is_draining{worker="0"}'] == 1, "the drain")
    assert get("/readyz")[0] == 200


def test_what_is_not_served_is_refused_with_its_status(served):
    served()
    for request, status in (
            (b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405), (b"PUT /livez HTTP/1.1\r\n\r\n", 405),
            (b"GET / HTTP/1.1\r\n\r\n", 404), (b"GET /metricsx HTTP/1.1\r\n\r\n", 404), (b"\x16\x03\x01\x02\x00", 400),
            (b"GET /metrics\r\n\r\n", 400), (b"GET /" + b"a" * 5000, 431),
            (b"GET / HTTP/1.1\r\nX: " + b"a" * 5000, 431)):
        answer = ask(request)
        assert answer[0] == status and answer[2].endswith("\n"), request[:40]
        assert status != 405 or "Allow: GET, HEAD\r\n" in answer[1]


def test_head_is_get_without_the_page(served):
    """Health checks of load balancers ask so."""
    served()
    for path, status in ("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/nothing", 404):
        answers = [ask(f"{method} {path} HTTP/1.1\r\n\r\n".encode()) for method in ("GET", "HEAD")]
        assert [answer[0] for answer in answers] == [status, status] and answers[1][2] == ""
        if path != "/metrics":  # which is another one a moment later
            assert answers[0][1] == answers[1][1]


def test_a_client_that_drips_or_sends_too_much_is_bounded_all_the_same(served):
    """The 3 s for a request are all it has, however busy it is; and what it sends that nobody reads does not take the
    answer from it (a close with bytes unread is a reset, RFC 9112 9.6)."""
    served()
    with socket.create_connection(("127.0.0.1", PORT), timeout=8) as dripping:
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 8:
                dripping.sendall(b"G")
                dripping.settimeout(0.2)
                with contextlib.suppress(TimeoutError):
                    if not dripping.recv(100):
                        break
        assert 2 < time.monotonic() - began < 5
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(5)
        slow.connect(("127.0.0.1", PORT))
        slow.sendall(b"GET /metrics HTTP/1.1\r\nContent-Length: 8000\r\n\r\n" + b"x" * 8000)
        time.sleep(0.3)  # the server has long answered, and the answer does not fit
        answer = b"".join(iter(lambda: slow.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert int(re.search(rb"Content-Length: (\d+)", head)[1]) == len(body) > 10_000


def test_hostile_clients_harm_nobody(served):
    control = served(count=16)
    pid = control.process.pid

    def memory_kib():
        with open(f"/proc/{pid}/status") as text:
            return int(re.search(r"VmRSS:\s+(\d+)", text.read())[1])

    def n_open():
        return len(os.listdir(f"/proc/{pid}/fd"))

    metrics()
    fds, before_kib = n_open(), memory_kib()
    with contextlib.ExitStack() as links:
        for i in range(300):
            link = links.enter_context(socket.socket())
            # A small window: an answer that nobody takes stays with its writer.
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.settimeout(5)
            link.connect(("127.0.0.1", PORT))
            # Whoever came first may have had to go already.
            with contextlib.suppress(OSError):
                link.sendall((b"GET /metr", b"GET /metrics HTTP/1.1\r\n\r\n", b"")[i % 3])
        for _ in range(6):
            began = time.monotonic()
            assert get("/metrics")[0] == 200 and get("/livez")[0] == 200
            assert control.mpactl("status").returncode == OK
            assert time.monotonic() - began < 2
        assert n_open() <= fds + 32
        # 32 answers on their way are one page, not 32; a sanitizer's own memory is not ours.
        assert memory_kib() - before_kib < 32 * 1024
    wait_until(lambda: n_open() <= fds + 2, "the end of all connections")
    assert control.json("status")["state"] == "running"


def test_a_client_that_never_ends_its_request_is_cut_off(served):
    served()
    with socket.create_connection(("127.0.0.1", PORT)) as link:
        link.settimeout(8)
        link.sendall(b"GET /metrics HTTP/1.1\r\n")
        began = time.monotonic()
        assert link.recv(1) == b"" and 2 < time.monotonic() - began < 6


def test_nothing_listens_unless_it_is_asked_for(control):
    control.start().up()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", PORT), timeout=5)


def test_a_place_that_is_taken_is_told(control, tmp_path):
    file = tmp_path / "taken.yaml"
    file.write_text(f'control: {{http: "[::1]:{PORT}"}}\n')
    with socket.socket(socket.AF_INET6) as other:
        other.bind(("::1", PORT))
        other.listen()
        control.start("--config", str(file))
        assert control.process.wait(timeout=20) == FAILED
    assert f'http_failed listen=[::1]:{PORT} error="Address already in use"' in control.log()


def test_counters_of_a_worker_outlive_it_and_hand_overs_are_measured(start):
    stack = start(control={"http": f'"127.0.0.1:{PORT}"'})
    with stack.space.entered():
        wait_until(lambda: get("/readyz")[0] == 200, "ready")
        for _ in range(20):
            with socket.create_connection((stack.address4, 7), timeout=5) as link:
                link.sendall(b"x")
                assert link.recv(1) == b"x"
        wait_until(lambda: sum(value for name, value in metrics().items()
                               if name.startswith("mpa_worker_connections_accepted_total")) >= 20, "the connections")
        before = metrics()
        assert stack.mpactl("kill", "0")
        wait_until(lambda: metrics()["mpa_adoption_seconds_count"] == 1, "the adoption")
        wait_until(lambda: get("/readyz")[0] == 200 and metrics()['mpa_worker_restarts_total{worker="0"}'] == 1,
                   "the next worker 0")
        after = metrics()
    for name, value in before.items():
        if name.startswith("mpa_worker_") and "_total{" in name:
            assert after[name] >= value, name
    assert after['mpa_worker_loop_seconds_count{worker="1"}'] > 0 and after["mpa_frontend_loop_seconds_count"] > 0
    assert after["mpa_handover_stall_seconds_count"] == after["mpa_nic_handovers_total"] + after["mpa_nic_handovers_failed_total"]
    assert after['mpa_lane_rx_ring_depth_slots_count{worker="1"}'] > 0


def test_rules_and_dashboard_ask_for_what_there_is():
    names = documented()
    rules = os.path.join(ROOT, "deploy", "prometheus")
    promtool("check", "config", "--syntax-only", os.path.join(rules, "prometheus.yaml"))
    promtool("check", "rules", os.path.join(rules, "mpa-rules.yaml"))
    promtool("test", "rules", os.path.join(rules, "mpa-rules-test.yaml"))
    with open(os.path.join(rules, "mpa-rules.yaml")) as text:
        queries = [rule["expr"] for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    for path in glob.glob(os.path.join(ROOT, "deploy", "grafana", "*.json")):
        with open(path) as text:
            panels = json.load(text)["panels"]
        queries += [target["expr"] for panel in panels for target in panel.get("targets", ())]
        assert all(panel["type"] == "row" or panel["targets"] for panel in panels)
    assert len(queries) > 20
    for query in queries:
        used = set(re.findall(r"\bmpa_\w+", query))
        assert used <= names and (used or query.startswith("up{")), (query, used - names)
        # Grafana puts a number in place of its own variable; what is left is PromQL.
        promtool("check", "rules", "/dev/stdin", text=json.dumps({"groups": [{"name": "panel", "rules": [
            {"record": "panel:query", "expr": query.replace("$__rate_interval", "1m").replace("$instance", ".*")}]}]}))
