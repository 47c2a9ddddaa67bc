# SPDX-License-Identifier: BSD-3-Clause
"""A TCP client that does only what a test tells it: it acknowledges nothing and sends nothing again by itself.

It stands at an address of its own, which no kernel answers for, so it also answers who-has and neighbour
solicitations for that address while it waits.
"""
from scapy.all import (ARP, IP, TCP, Ether, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, IPv6)

import netlab
import stacks

ADDRESSES = {4: ("10.77.0.200", stacks.ADDRESS4), 6: ("fd77::200", stacks.ADDRESS6)}


class HandTcp:
    def __init__(self, port, family=4, source_port=40000, port_to=80):
        self.port, self.family = port, family
        self.source_port, self.port_to = source_port, port_to
        self.address, self.stack_address = ADDRESSES[family]
        self.seq, self.ack = 1000, 0

    def ip(self):
        layer = IP if self.family == 4 else IPv6
        return layer(src=self.address, dst=self.stack_address)

    def send(self, flags, payload=b"", **fields):
        """One segment; our sequence number moves on by what it takes up."""
        segment = TCP(sport=self.source_port, dport=self.port_to, flags=flags, seq=self.seq, ack=self.ack,
                      **{"window": 65535, **fields})
        self.port.send_to_stack(self.ip() / segment / payload)
        self.seq += len(payload) + ("S" in flags) + ("F" in flags)

    def _answer_neighbour(self, frame):
        """True if the frame asked for our link address."""
        if ARP in frame and frame[ARP].op == 1 and frame[ARP].pdst == self.address:
            self.port.send(Ether(src=self.port.mac, dst=frame.src) /
                           ARP(op=2, hwsrc=self.port.mac, psrc=self.address, hwdst=frame.src, pdst=frame[ARP].psrc))
            return True
        if ICMPv6ND_NS in frame and frame[ICMPv6ND_NS].tgt == self.address:
            self.port.send_to_stack(IPv6(src=self.address, dst=frame[IPv6].src, hlim=255) /
                                    ICMPv6ND_NA(tgt=self.address, R=0) /
                                    ICMPv6NDOptDstLLAddr(lladdr=self.port.mac))
            return True
        return False

    def hear(self, wanted=lambda frame: True, seconds=3.0):
        """The first segment to us for which wanted(frame) is true, or None."""
        for frame in self.port.hear(seconds):
            if not self._answer_neighbour(frame) and self._is_ours(frame) and wanted(frame):
                return frame
        return None

    def _is_ours(self, frame):
        return TCP in frame and frame[TCP].dport == self.source_port and frame[TCP].sport == self.port_to

    def open(self, options=(("MSS", 1460),), window=65535):
        """The three-way handshake. Returns the SYN-ACK frame."""
        self.send("S", options=list(options), window=window)
        answer = self.hear(lambda frame: frame[TCP].flags.S)
        if answer is None:
            raise netlab.LabError("no SYN-ACK")
        self.ack = answer[TCP].seq + 1
        self.send("A", window=window)
        return answer

    def close(self):
        """Rudely: a test's connection must not live on."""
        self.send("R")
