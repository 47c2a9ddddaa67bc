# SPDX-License-Identifier: BSD-3-Clause
"""What the network says about itself is heeded when it may be believed: path MTU, DHCP, router advertisements."""
import pytest
from scapy.all import (BOOTP, DHCP, ICMP, IP, TCP, UDP, Ether, ICMPv6ND_RA, ICMPv6NDOptPrefixInfo,
                       ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig, IPv6, Raw)

import hand_tcp
import netlab
import stacks
import wire

FAMILIES = pytest.mark.parametrize("family", [4, 6])
HEADER_BYTES = {4: 40, 6: 60}
LOW_MTU = {4: 1000, 6: 1300}
MSS = 1400
ROUTER = {4: "10.77.0.1", 6: "fd77::1"}


def too_big(client, segment, seq=None):
    """The message of a router that a segment of the stack was too big; with another sequence number if given."""
    ip = segment[IP] if client.family == 4 else segment[IPv6]
    quoted = bytearray(bytes(ip)[:68 if client.family == 6 else 48])
    if seq is not None:
        at = len(bytes(ip)) - len(bytes(ip.payload)) + 4
        quoted[at:at + 4] = (seq % 2**32).to_bytes(4, "big")
    if client.family == 4:
        return (IP(src=ROUTER[4], dst=client.stack_address) /
                ICMP(type=3, code=4, nexthopmtu=LOW_MTU[4]) / Raw(bytes(quoted)))
    return IPv6(src=ROUTER[6], dst=client.stack_address) / ICMPv6PacketTooBig(mtu=LOW_MTU[6]) / Raw(bytes(quoted))


@pytest.fixture
def streaming(port):
    """streaming(family, source_port): a client of chargen that has acknowledged nothing yet, and a segment."""
    clients = []

    def open_one(family, source_port):
        client = hand_tcp.HandTcp(port, family, source_port, port_to=19)
        clients.append(client)
        client.open([("MSS", MSS)], window=20000)
        segment = client.hear(lambda frame: frame.segment_bytes > 0)
        assert segment.segment_bytes == MSS
        return client, segment
    yield open_one
    for client in clients:
        client.close()


@FAMILIES
def test_a_routers_word_lowers_the_segments_of_that_flow_only(shared, port, streaming, family):
    client, segment = streaming(family, 41000 + family)
    other, other_segment = streaming(family, 42000 + family)
    before = shared.counters("worker")["rx_pmtu"]
    port.send_to_stack(too_big(client, segment))
    again = client.hear(lambda frame: frame[TCP].seq == segment[TCP].seq)
    assert again.segment_bytes == LOW_MTU[family] - HEADER_BYTES[family]
    netlab.wait_until(lambda: shared.counters("worker")["rx_pmtu"] == before + 1, what="rx_pmtu")
    # The other flow sends at its old size, also when it has to send again.
    other_again = other.hear(lambda frame: frame[TCP].seq == other_segment[TCP].seq, seconds=5)
    assert other_again.segment_bytes == MSS


@FAMILIES
def test_a_word_about_bytes_that_were_never_sent_is_not_believed(shared, port, streaming, family):
    client, segment = streaming(family, 43000 + family)
    before = shared.counters("worker")["rx_drop_icmp"]
    port.send_to_stack(too_big(client, segment, seq=segment[TCP].seq + 2**30))
    netlab.wait_until(lambda: shared.counters("worker")["rx_drop_icmp"] == before + 1, what="rx_drop_icmp")
    again = client.hear(lambda frame: frame[TCP].seq == segment[TCP].seq, seconds=5)
    assert again.segment_bytes == MSS


class DhcpServer:
    """Leases one address to whoever asks."""

    def __init__(self, port, address):
        self.port, self.address = port, address

    def _answer(self, asked, kind):
        reply = (IP(src=stacks.LOCAL4, dst="255.255.255.255") / UDP(sport=67, dport=68) /
                 BOOTP(op=2, xid=asked[BOOTP].xid, yiaddr=self.address, siaddr=stacks.LOCAL4,
                       chaddr=asked[BOOTP].chaddr, flags=asked[BOOTP].flags) /
                 DHCP(options=[("message-type", kind), ("server_id", stacks.LOCAL4), ("lease_time", 600),
                               ("subnet_mask", "255.255.255.0"), ("router", stacks.LOCAL4), "end"]))
        self.port.send(Ether(src=self.port.mac, dst="ff:ff:ff:ff:ff:ff") / reply)

    def serve(self, seconds=10):
        """Until a request was granted."""
        for frame in self.port.hear(seconds):
            if DHCP not in frame:
                continue
            kind = dict(option for option in frame[DHCP].options if isinstance(option, tuple))["message-type"]
            if kind == 1:
                self._answer(frame, "offer")
            elif kind == 3:
                self._answer(frame, "ack")
                return
        raise netlab.LabError("nobody asked for a lease")


def test_a_lease_is_asked_for_and_served(lab):
    space = lab.ns("peer")
    stack = stacks.Ours(lab, space).start(host={"dhcp": "true", "addresses": "[]"})
    with wire.Port(space) as port:
        DhcpServer(port, "10.77.0.42").serve()
    # The address is checked for duplicates before it is used.
    stacks.peer(space, "ready", "--to", "10.77.0.42", "-t", 15, timeout=20)
    assert stacks.peer(space, "verify", "--to", "10.77.0.42", "-n", 8, "-b", 100_000)["bad_bytes"] == 0
    assert "10.77.0.42" in str(stack.mpactl("status")["addresses"])


def test_a_router_advertisement_gives_an_address_that_the_workers_serve(lab, start):
    stack = start(host={"slaac": "true"})
    assert stacks.peer(stack.space, "verify", "--to", stack.address4, "-n", 4)["bad_bytes"] == 0
    stack.space.address(stacks.TAP, "fd99::1/64")
    with wire.Port(stack.space) as port:
        port.send(Ether(src=port.mac, dst="33:33:00:00:00:01") /
                  IPv6(src="fe80::1", dst="ff02::1", hlim=255) / ICMPv6ND_RA(routerlifetime=600) /
                  ICMPv6NDOptSrcLLAddr(lladdr=port.mac) /
                  ICMPv6NDOptPrefixInfo(prefix="fd99::", prefixlen=64, validlifetime=600, preferredlifetime=600))
    # The link address 02:4d:50:41:00:01 as an interface identifier (RFC 4291 appendix A).
    address = "fd99::4d:50ff:fe41:1"
    stacks.peer(stack.space, "ready", "--to", address, "-t", 10, timeout=15)
    assert stacks.peer(stack.space, "verify", "--to", address, "-n", 8, "-b", 100_000)["bad_bytes"] == 0
    assert address in str(stack.mpactl("status")["addresses"])
