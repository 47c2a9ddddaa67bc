# SPDX-License-Identifier: BSD-3-Clause
"""Malformed frames of every kind are dropped under the name of what is wrong with them; the stack goes on."""
import random

import pytest
from scapy.all import (ARP, ICMP, IP, TCP, UDP, Ether, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS,
                       ICMPv6NDOptSrcLLAddr, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, Raw)

import netlab
import stacks
import steady
import wire

US4, US6 = "10.77.0.200", "fd77::200"
STACK4, STACK6 = stacks.ADDRESS4, stacks.ADDRESS6
SOLICITED = "ff02::1:ff00:2"


def ip4(**fields):
    return IP(**{"src": US4, "dst": STACK4, **fields})


def ip6(**fields):
    return IPv6(**{"src": US6, "dst": STACK6, **fields})


def syn(**fields):
    return TCP(sport=40000, dport=80, flags="S", **fields)


def udp(**fields):
    return UDP(sport=40000, dport=7, **fields)


def solicitation(*options, **fields):
    return IPv6(src=US6, dst=SOLICITED, **{"hlim": 255, **fields}) / ICMPv6ND_NS(tgt=STACK6) / Raw(b"".join(options))


def fragment4(offset_bytes, data, more=True, **fields):
    return ip4(proto=17, id=77, flags="MF" if more else 0, frag=offset_bytes // 8, **fields) / Raw(data)


def fragment6(offset_bytes, data, more=True):
    return ip6() / IPv6ExtHdrFragment(nh=17, offset=offset_bytes // 8, m=int(more), id=77) / Raw(data)


def to_us(mac, **fields):
    return Ether(src=mac, dst=wire.STACK_MAC, **fields)


def arp(mac, **fields):
    return Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / ARP(**{"hwsrc": mac, **fields})


# Whole link frames where the link header is the lie; packets otherwise. A list is sent in its order.
LIES = {
    "an ethertype nobody serves": ("rx_drop_ethertype",
        lambda mac: to_us(mac, type=0x88b5) / Raw(b"x" * 60)),
    "LLC instead of an ethertype": ("rx_drop_ethertype",
        lambda mac: to_us(mac, type=60) / Raw(b"x" * 60)),
    "a group as link source": ("rx_drop_spoofed",
        lambda mac: Ether(src="01:00:5e:00:00:01", dst=wire.STACK_MAC) / ip4() / syn()),
    "our own link source": ("rx_drop_spoofed",
        lambda mac: Ether(src=wire.STACK_MAC, dst=wire.STACK_MAC) / ip4() / syn()),
    "IPv6 under the ethertype of IPv4": ("rx_drop_ip_version",
        lambda mac: to_us(mac, type=0x800) / ip6() / syn()),
    "an IPv4 header of 16 bytes": ("rx_drop_ip_header", ip4(ihl=4) / syn()),
    "an IPv4 header longer than the packet": ("rx_drop_ip_header", ip4(ihl=15) / Raw(b"")),
    "an IPv4 packet longer than its frame": ("rx_drop_ip_header", ip4(len=200) / syn()),
    "an IPv6 packet longer than its frame": ("rx_drop_ip_header", ip6(plen=200) / syn()),
    "a wrong IPv4 header checksum": ("rx_drop_ip_checksum", ip4(chksum=1) / syn()),
    "an IPv4 option of length 0": ("rx_drop_ip_options", ip4(options=[Raw(b"\x07\x00\x00\x00")]) / syn()),
    "an IPv6 extension header past the end": ("rx_drop_ip6_extension",
        ip6() / IPv6ExtHdrDestOpt(nh=6, len=200, autopad=0) / syn()),
    "a protocol nobody serves": ("rx_drop_protocol", ip4(proto=99) / Raw(b"x" * 20)),
    "a TCP header of 16 bytes": ("rx_drop_tcp_header", ip4() / syn(dataofs=4)),
    "a TCP header longer than the packet": ("rx_drop_tcp_header", ip6() / syn(dataofs=15)),
    "a TCP option of length 0": ("rx_drop_tcp_option_malformed", ip4() / syn(dataofs=6) / Raw(b"\x02\x00\x05\xb4")),
    "a TCP option past the header": ("rx_drop_tcp_option_malformed",
        ip6() / syn(dataofs=6) / Raw(b"\x01\x01\x03\x0a")),
    "a UDP length below its header": ("rx_drop_udp_header", ip4() / udp(len=7)),
    "a UDP length past the packet": ("rx_drop_udp_header", ip6() / udp(len=100)),
    "UDP over IPv6 without a checksum": ("rx_drop_udp_header", ip6() / udp(chksum=0) / Raw(b"x")),
    "our own IPv4 address as source": ("rx_drop_spoofed", ip4(src=STACK4) / syn()),
    "our own IPv6 address as source": ("rx_drop_spoofed", ip6(src=STACK6) / syn()),
    "an IPv4 group as source": ("rx_drop_spoofed", ip4(src="224.0.0.1") / syn()),
    "an IPv6 group as source": ("rx_drop_spoofed", ip6(src="ff02::1") / syn()),
    "IPv4 loopback as source": ("rx_drop_spoofed", ip4(src="127.0.0.1") / syn()),
    "IPv6 loopback as source": ("rx_drop_spoofed", ip6(src="::1") / syn()),
    "IPv4 broadcast as source": ("rx_drop_spoofed", ip4(src="255.255.255.255") / syn()),
    "a destination that is not ours": ("rx_drop_not_ours", ip4(dst="10.77.0.99") / syn()),
    "TCP to a group": ("rx_drop_not_ours", ip4(dst="224.0.0.1") / syn()),
    "ICMP with a wrong checksum": ("rx_drop_icmp", ip4() / ICMP(chksum=1)),
    "ICMPv6 with a wrong checksum": ("rx_drop_icmp", ip6() / ICMPv6EchoRequest(cksum=1)),
    "ARP that claims our address": ("rx_drop_arp",
        lambda mac: arp(mac, op=2, psrc=STACK4, pdst=STACK4)),
    "ARP with a group as sender": ("rx_drop_arp",
        lambda mac: arp(mac, hwsrc="01:00:5e:00:00:01", psrc=US4, pdst=STACK4)),
    "ARP of another hardware": ("rx_drop_arp",
        lambda mac: arp(mac, hwtype=6, psrc=US4, pdst=STACK4)),
    "ND from beyond a router": ("rx_drop_nd", solicitation(hlim=64)),
    "an ND option of length 0": ("rx_drop_nd_option", solicitation(b"\x01\x00" + b"x" * 6)),
    "an ND option past the end": ("rx_drop_nd_option", solicitation(b"\x01\x09" + b"x" * 6)),
    "ND that claims our address": ("rx_drop_nd",
        IPv6(src=US6, dst="ff02::1", hlim=255) / ICMPv6ND_NA(tgt=STACK6, S=0, O=1)),
    "a first fragment without the whole TCP header": ("rx_drop_fragment_tiny",
        ip4(proto=6, flags="MF", id=5) / Raw(b"x" * 8)),
    "overlapping IPv4 fragments": ("rx_drop_fragment_overlap", [fragment4(0, b"a" * 64), fragment4(32, b"b" * 64)]),
    "overlapping IPv6 fragments": ("rx_drop_fragment_overlap", [fragment6(0, b"a" * 64), fragment6(32, b"b" * 64)]),
    "a fragment past 64 KiB": ("rx_drop_fragment_overlap", fragment4(65528, b"a" * 64)),
    "two ends of one datagram": ("rx_drop_fragment_overlap",
        [fragment4(128, b"a" * 64, more=False, src="10.77.0.201"),
                                                              fragment4(256, b"a" * 64, more=False, src="10.77.0.201")]),
}


def frames_of(port, lie):
    made = lie(port.mac) if callable(lie) else lie
    made = made if isinstance(made, list) else [made]
    return [it if isinstance(it, Ether) else Ether(src=port.mac, dst=wire.STACK_MAC) / it for it in made]


def still_serves(stack):
    for address in (stack.address4, stack.address6):
        assert stacks.peer(stack.space, "verify", "--to", address, "-n", 2, "-b", 5000)["bad_bytes"] == 0


@pytest.mark.parametrize("name", LIES)
def test_it_is_counted_by_its_reason(shared, port, name):
    counter, lie = LIES[name]
    before = shared.counters("nic")[counter]
    port.send(*frames_of(port, lie))
    netlab.wait_until(lambda: shared.counters("nic")[counter] > before, timeout=3, what=counter)
    still_serves(shared)


@pytest.mark.parametrize("packet", [ip4() / syn(chksum=1), ip6() / syn(chksum=1)], ids=["IPv4", "IPv6"])
def test_a_wrong_tcp_checksum_is_counted_by_the_worker(shared, port, packet):
    before = shared.counters("worker")["rx_drop_tcp_checksum"]
    port.send_to_stack(packet)
    netlab.wait_until(lambda: shared.counters("worker")["rx_drop_tcp_checksum"] == before + 1, timeout=3,
                      what="rx_drop_tcp_checksum")


def test_a_datagram_with_a_wrong_checksum_is_not_echoed(shared, port):
    port.send_to_stack(ip4() / udp(chksum=1) / Raw(b"bad"), ip4() / udp() / Raw(b"good"))
    for frame in port.hear(2):
        if ARP in frame and frame[ARP].pdst == US4:
            port.send(Ether(src=port.mac, dst=frame.src) / ARP(op=2, hwsrc=port.mac, psrc=US4, pdst=frame[ARP].psrc))
        elif UDP in frame and frame[UDP].dport == 40000:
            assert bytes(frame[UDP].payload)[:4] == b"good"
            return
    pytest.fail("the good datagram was not echoed")


def drops(stack):
    return sum(n for name, n in stack.counters("nic").items() if name.startswith("rx_drop"))


WHOLE = {
    "SYN": ip4() / syn(options=[("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("WScale", 7)]),
    "SYN over IPv6": ip6() / syn(options=[("MSS", 1460), ("WScale", 7)]),
    "datagram": ip4() / udp() / Raw(b"x" * 40),
    "ND message": solicitation(bytes(ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:99"))),
    "fragment": fragment4(0, b"x" * 64, src="10.77.0.202"),
    "IPv6 fragment": fragment6(0, b"x" * 64),
    "ping": ip4() / ICMP() / Raw(b"x" * 40),
}


@pytest.mark.parametrize("name", WHOLE)
def test_cut_off_after_any_byte_it_is_dropped(shared, port, name):
    whole = bytes(Ether(src=port.mac, dst=wire.STACK_MAC) / WHOLE[name])
    before = drops(shared)
    port.send(*(whole[:n] for n in range(14, len(whole))))
    netlab.wait_until(lambda: drops(shared) >= before + len(whole) - 14, timeout=3, what="a drop for each frame")
    still_serves(shared)


def noise(port, seed, n):
    """Frames of random bytes behind a link header of any kind, and good frames with a few bytes changed."""
    source = random.Random(seed)
    good = [bytes(Ether(src=port.mac, dst=wire.STACK_MAC) / packet) for packet in WHOLE.values()]
    good += [bytes(frame) for _, lie in LIES.values() for frame in frames_of(port, lie)]
    for _ in range(n):
        if source.random() < 0.3:
            link = bytes.fromhex(wire.STACK_MAC.replace(":", "")) + source.randbytes(6)
            yield link + source.choice((b"\x08\x00", b"\x86\xdd", b"\x08\x06", source.randbytes(2))) + \
                source.randbytes(source.randrange(1400))
            continue
        frame = bytearray(source.choice(good))
        for _ in range(source.randrange(1, 5)):
            frame[source.randrange(12, len(frame))] = source.randrange(256)
        yield bytes(frame)


def test_twenty_thousand_random_frames_do_not_touch_a_stream_beside_them(shared, port):
    processes = shared.processes()
    with steady.Steady(shared.space, shared.address4) as beside:
        for number in range(20):
            port.send(*noise(port, number, 1000))
            beside.goes_on(1)
    assert shared.processes() == processes
    still_serves(shared)


def test_one_source_of_endless_fragments_fills_its_share_only(shared, port):
    before = shared.counters("nic")["rx_drop_fragment_source"]
    endless = [fragment4(0, b"x" * 64, src="10.77.0.203") for _ in range(200)]
    for number, packet in enumerate(endless):
        packet.id = number
    port.send_to_stack(*endless)
    netlab.wait_until(lambda: shared.counters("nic")["rx_drop_fragment_source"] >= before + 100, what="the share")
    assert stacks.peer(shared.space, "udp", "--to", STACK4, "-n", 20, "-b", 8192)["bad_datagrams"] == 0


def test_endless_fragments_of_all_sources_leave_other_traffic_alone(shared, port):
    """The last test here: reassembly stays full until its time-out."""
    before = shared.counters("nic")["rx_drop_fragment_full"]
    port.send_to_stack(*(fragment4(0, b"x" * 64, src=f"10.77.{1 + n // 200}.{1 + n % 200}") for n in range(1500)))
    netlab.wait_until(lambda: shared.counters("nic")["rx_drop_fragment_full"] > before, what="the limit")
    still_serves(shared)
