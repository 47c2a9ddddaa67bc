# SPDX-License-Identifier: BSD-3-Clause
"""Frames by hand: a port on an interface of a namespace that sends any bytes and hears all that pass.

scapy builds and reads the frames; the port is a packet socket of ours, so that a burst of thousands is sent
in a moment. What is sent at the kernel's end of a TAP goes straight to the stack, past the kernel's own TCP/IP.
Each frame that is heard carries `segment_bytes`: the payload of each TCP segment it stands for, offload or not.
"""
import errno
import socket
import struct
import time

from scapy.all import TCP, Ether

import netlab
import stacks

STACK_MAC = "02:4d:50:41:00:01"  # the configuration's default
ETH_P_ALL = 3
SO_RCVBUFFORCE, SOL_PACKET, PACKET_VNET_HDR, VNET_BYTES = 33, 263, 15, 10


class Port:
    """A packet socket on `interface`; a context manager."""

    def __init__(self, space, interface=stacks.TAP):
        with space.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        # What a test looks for must not be lost because the stack sent a burst before it.
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.socket.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        self.socket.bind((interface, ETH_P_ALL))
        self.mac = ":".join(f"{byte:02x}" for byte in self.socket.getsockname()[4])

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.socket.close()

    def send(self, *frames):
        """Sends frames: bytes, or scapy packets."""
        for frame in frames:
            self._send_one(bytes(VNET_BYTES) + bytes(frame))

    def _send_one(self, data):
        # The queue in front of the TAP is bounded: wait for room as often as it is full.
        for _ in range(2000):
            try:
                self.socket.send(data)
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                time.sleep(0.001)
        raise netlab.LabError("the TAP takes no frame: is the frontend still reading?")

    def send_to_stack(self, *packets):
        """Sends packets (scapy, from the IP header on) in a link header from us to the stack."""
        self.send(*(Ether(src=self.mac, dst=STACK_MAC) / packet for packet in packets))

    def hear(self, seconds=2.0):
        """Yields the frames (scapy) that the stack sends, until the time is up."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(VNET_BYTES + 65600)
            except TimeoutError:
                return
            frame = Ether(data[VNET_BYTES:])
            if frame.src == STACK_MAC:
                gso_bytes = struct.unpack_from("=H", data, 4)[0]
                frame.segment_bytes = gso_bytes or (payload_bytes(frame) if TCP in frame else 0)
                yield frame

    def first(self, wanted, seconds=2.0):
        """The first frame of the stack for which wanted(frame) is true, or None."""
        return next((frame for frame in self.hear(seconds) if wanted(frame)), None)


def payload_bytes(frame):
    """Bytes of TCP payload of a frame, without the padding of a short one."""
    ip = frame.payload
    total = ip.len if ip.version == 4 else 40 + ip.plen
    return total - (len(ip) - len(frame[TCP])) - frame[TCP].dataofs * 4
