# SPDX-License-Identifier: BSD-3-Clause
"""Ordinary traffic of every kind is served right, over IPv4 and IPv6, and looks on the wire as it should."""
import json
import os
import re
import socket
import subprocess

import pytest
from scapy.all import IP, TCP, Dot1Q, Ether, IPv6

import hand_tcp
import netlab
import stacks
import wire

FAMILIES = pytest.mark.parametrize("family", [4, 6])
ADDRESS = {4: stacks.ADDRESS4, 6: stacks.ADDRESS6}
URL = {4: f"http://{stacks.ADDRESS4}", 6: f"http://[{stacks.ADDRESS6}]"}
MTU, HEADER_BYTES = 1500, {4: 40, 6: 60}


def curl(stack, *words):
    return stack.space.run("curl", "-gsS", "-m", 10, *words)


def asked(stack, family, request, timeout=5):
    """Sends raw bytes to the http service. Returns all it sends until it closes."""
    with stack.space.entered():
        connection = socket.create_connection((ADDRESS[family], 80), timeout)
    with connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@FAMILIES
def test_curl_gets_a_page(shared, family):
    assert curl(shared, URL[family] + "/") == "x" * 512


@FAMILIES
def test_a_large_page_arrives_byte_for_byte(shared, family, tmp_path):
    copy = tmp_path / "copy"
    curl(shared, "-o", copy, URL[family] + "/random")
    with open(os.path.join(shared.lab.dir, "www", "random"), "rb") as original:
        assert copy.read_bytes() == original.read()


@FAMILIES
def test_head_has_the_length_and_no_body(shared, family):
    reply = asked(shared, family, b"HEAD /random HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    head, _, body = reply.partition(b"\r\n\r\n")
    assert b"200 OK" in head and b"Content-Length: 1048576" in head and body == b""


@FAMILIES
def test_a_connection_is_kept_for_the_next_request(shared, family):
    url = URL[family]
    text = curl(shared, "-w", "%{http_code} %{num_connects} ", "-o", "/dev/null", url + "/", "-o", "/dev/null",
                url + "/random", "-o", "/dev/null", url + "/missing")
    assert text == "200 1 200 0 404 0 "


@FAMILIES
def test_connection_close_is_obeyed(shared, family):
    text = curl(shared, "-w", "%{num_connects} ", "-o", "/dev/null", "-H", "Connection: close", URL[family] + "/",
                "-o", "/dev/null", URL[family] + "/")
    assert text == "1 1 "


@FAMILIES
def test_pipelined_requests_are_answered_in_order(shared, family):
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n" * 50
    reply = asked(shared, family, request + b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    statuses = re.findall(rb"HTTP/1.1 (\d+)", reply)
    assert statuses == [b"200", b"404"] * 50 + [b"200"]


@FAMILIES
@pytest.mark.parametrize("size", [56, 20000])
def test_ping_is_answered_also_in_fragments(shared, family, size):
    text = shared.space.run("ping", f"-{family}", "-n", "-q", "-c", 5, "-i", 0.01, "-W", 2, "-s", size,
                            ADDRESS[family])
    assert " 0% packet loss" in text


@FAMILIES
@pytest.mark.parametrize("half_close", [(), ("--half-close",)], ids=["close", "half-close"])
def test_streams_come_back_whole(shared, family, half_close):
    result = stacks.peer(shared.space, "verify", "--to", ADDRESS[family], "-n", 8, "-b", 1_000_001, *half_close)
    assert result["bytes_received"] == 8 * 1_000_001 and result["bad_bytes"] == 0


@FAMILIES
def test_datagrams_of_all_sizes_come_back_also_in_fragments(shared, family):
    before = shared.counters("nic")
    result = stacks.peer(shared.space, "udp", "--to", ADDRESS[family], "-n", 100, "-b", 8192, "-t", 3)
    assert result["bad_datagrams"] == 0
    after = shared.counters("nic")
    # Both ways, each datagram once: cut by the peer and by us.
    for name in ("rx_reassembled", "tx_fragmented"):
        assert 0 < after[name] - before[name] <= 100, name


def test_both_workers_serve(shared):
    def accepted():
        return [worker["counters"]["connections_accepted"] for worker in shared.mpactl("workers")["workers"]]
    before = accepted()
    stacks.peer(shared.space, "verify", "--to", shared.address4, "-n", 64, "-b", 1000)
    netlab.wait_until(lambda: sum(accepted()) >= sum(before) + 64, what="64 connections more")
    assert min(now - then for now, then in zip(accepted(), before)) > 10


def test_wrk_has_no_error(shared):
    text = shared.space.run("wrk", "-t", 1, "-c", 64, "-d", "2s", URL[4] + "/")
    assert "Socket errors" not in text and "Non-2xx" not in text
    assert int(re.search(r"(\d+) requests in", text)[1]) > 1000


def test_two_thousand_connections_are_held_while_others_are_served(shared):
    with stacks.Held(shared, 2000):
        netlab.wait_until(lambda: sum(worker["connections"] for worker in shared.mpactl("workers")["workers"])
                          >= 2000, what="the gauge of connections")
        assert stacks.peer(shared.space, "verify", "--to", shared.address4, "-n", 4)["bad_bytes"] == 0


@FAMILIES
def test_the_handshake_offers_mss_window_scale_timestamps_and_sack(port, family):
    client = hand_tcp.HandTcp(port, family)
    answer = client.open([("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)])
    client.close()
    options = dict(answer[TCP].options)
    assert options["MSS"] == MTU - HEADER_BYTES[family]
    assert options["WScale"] > 0 and "SAckOK" in options and options["Timestamp"][1] == 1


@FAMILIES
def test_nothing_is_offered_that_was_not_asked_for(port, family):
    client = hand_tcp.HandTcp(port, family)
    options = dict(client.open([])[TCP].options)
    client.close()
    assert set(options) <= {"MSS", "NOP", "EOL"}


@FAMILIES
def test_no_segment_is_larger_than_the_peer_said(port, family):
    client = hand_tcp.HandTcp(port, family, port_to=19)
    client.open([("MSS", 700)])
    segment = client.hear(lambda frame: frame.segment_bytes > 0)
    client.close()
    assert segment.segment_bytes == 700


def test_tcp_over_ipv4_has_df_and_no_identification(port):
    client = hand_tcp.HandTcp(port, port_to=19)
    answer = client.open()
    segment = client.hear(lambda frame: frame.segment_bytes > 0)
    client.close()
    for frame in (answer, segment):
        assert frame[IP].flags.DF and frame[IP].id == 0


def test_initial_sequence_numbers_cannot_be_guessed(shared):
    text = shared.space.run("nmap", "-n", "-Pn", "-sS", "-O", "-v", "-T5", "--max-os-tries", 1, "-p",
                            "80,81", shared.address4, timeout=60)
    difficulty = re.search(r"TCP Sequence Prediction: Difficulty=(\d+)", text)
    assert difficulty and int(difficulty[1]) >= 250, text


def test_a_vlan_tagged_frame_is_counted_and_dropped(shared, port):
    before = shared.counters("nic")["rx_drop_vlan"]
    port.send(Ether(src=port.mac, dst=wire.STACK_MAC) / Dot1Q(vlan=5) /
              IP(src=stacks.LOCAL4, dst=stacks.ADDRESS4) / TCP(dport=80))
    netlab.wait_until(lambda: shared.counters("nic")["rx_drop_vlan"] == before + 1, what="rx_drop_vlan")


def test_a_capture_shows_what_comes_and_what_goes(shared):
    words = ("--runtime-dir", shared.runtime_dir, "--json", "capture", "--filter", "tcp port 80", "--count", 20)
    command = shared.space.command(stacks.program("mpactl", shared.programs["mpactl"]), *words)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as capture:
        try:
            # When it has begun is not told: pages until it has enough.
            netlab.wait_until(lambda: curl(shared, URL[4] + "/") and capture.poll() is not None, what="20 frames")
        finally:
            capture.kill()
        frames = [json.loads(line) for line in capture.stdout]
    assert capture.returncode == 0 and len(frames) == 20
    assert {frame["is_out"] for frame in frames} == {True, False}
