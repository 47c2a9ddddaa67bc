# SPDX-License-Identifier: BSD-3-Clause
"""The control wire by hand: protobuf as fields and numbers, requests over nng's REQ/REP on a Unix socket (SP 1.0
framing), for tests that say what no well-made client would."""
import os
import socket

HELLO_REQ = b"\0SP\0\0\x30\0\0"  # nng's greeting of a REQ socket
HELLO_SUB = b"\0SP\0\0\x21\0\0"
HELLO_REP = b"\0SP\0\0\x31\0\0"

# Numbers of fields in control.proto.
GET_STATUS, GET_STATS, STOP, DRAIN, UNDRAIN, GET_FLOWS, SET_BALANCE, EXPLAIN = (10, 15, 19, 21, 22, 24, 28, 29)
GET_CONFIG, RELOAD_CONFIG, SET_LOG_LEVEL, GET_SNAPSHOT = (32, 33, 34, 36)
MALFORMED, TOO_LARGE, UNSUPPORTED, INVALID, BUSY, NOT_FOUND, UNAVAILABLE, DEADLINE, FAILED, DENIED, DUPLICATE = range(1, 12)


def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number, value):
    """One field: of a number, or of bytes (text, a message)."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def request(command, body=b"", ident=1, deadline_ms=0):
    return field(1, ident) + (field(2, deadline_ms) if deadline_ms else b"") + field(command, body)


def take_varint(data, at):
    number = shift = 0
    while True:
        byte, at = data[at], at + 1
        number, shift = number | (byte & 127) << shift, shift + 7
        if byte < 128:
            return number, at


def fields(data):
    """{number: [values]} of a message; what is a message in it stays bytes."""
    found, at = {}, 0
    while at < len(data):
        key, at = take_varint(data, at)
        if key & 7 == 0:
            value, at = take_varint(data, at)
        elif key & 7 == 1:
            value, at = data[at:at + 8], at + 8
        else:
            assert key & 7 == 2, "no group and no fixed32 in control.proto"
            size, at = take_varint(data, at)
            value, at = data[at:at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


class Reply:
    """A reply taken apart: id, error as (code, text, field) or None, the body's number and fields."""

    def __init__(self, data):
        parts = fields(data)
        self.id = parts.get(1, [0])[0]
        self.error, self.command, self.body = None, None, {}
        if 2 in parts:
            error = fields(parts[2][0])
            self.error = (error[1][0], error.get(2, [b""])[0].decode(), error.get(3, [b""])[0].decode())
        for number in parts:
            if number >= 10:
                self.command, self.body = number, fields(parts[number][0])


def frame(message):
    return b"\x01" + len(message).to_bytes(8, "big") + message


class Client:
    """A connection to a control socket of nng; with hello=HELLO_SUB to one of events."""

    def __init__(self, folder, name="control.ipc", hello=HELLO_REQ, timeout=10):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(os.path.join(folder, name))
        self.socket.sendall(hello)
        self.greeting = self.read(8)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise ConnectionResetError("cut off")
            data += more
        return data

    def send(self, body, number=1):
        self.socket.sendall(frame((0x80000000 | number).to_bytes(4, "big") + body))

    def message(self):
        """The next one, without its frame."""
        return self.read(int.from_bytes(self.read(9)[1:], "big"))

    def reply(self):
        return Reply(self.message()[4:])

    def ask(self, command, body=b"", ident=1, deadline_ms=0):
        self.send(request(command, body, ident, deadline_ms))
        return self.reply()
