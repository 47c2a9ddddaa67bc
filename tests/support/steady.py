# SPDX-License-Identifier: BSD-3-Clause
"""Verified traffic that goes on beside what a test does to the stack: echo connections in a thread."""
import os
import socket
import threading
import time

import netlab

BLOCK_BYTES = 50_000
TRIES = 12  # connections opened for each one wanted


def open_served(space, address, n, seconds=0.4):
    """Opens TRIES * n connections to echo at once. Returns those that answer soon, at least n; the others are closed.

    With a worker that does not answer, those are the connections of all others; so many that by chance alone
    fewer than n of two workers' connections are the living one's only once in some hundred million runs."""
    sockets = []
    with space.entered():
        for _ in range(TRIES * n):
            sockets.append(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET))
    for it in sockets:
        it.setblocking(False)
        it.connect_ex((address, 7))
    deadline = time.monotonic() + seconds
    served = []
    while len(served) < len(sockets) and time.monotonic() < deadline:
        served = [it for it in sockets if is_open(it)]
        time.sleep(0.01)
    for it in sockets:
        if it not in served:
            it.close()
    if len(served) < n:
        raise netlab.LabError(f"only {len(served)} of {len(sockets)} connections were answered")
    return served


def is_open(connection):
    try:
        connection.getpeername()
        return True
    except OSError:
        return False


class Steady:
    """A context manager. `blocks` grows as long as all is well; leaving it raises what went wrong."""

    def __init__(self, space, address, n=3, timeout=10):
        self.sockets = open_served(space, address, n)
        self.timeout, self.blocks, self.error = timeout, 0, None
        self.is_ending = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            for it in self.sockets:
                it.settimeout(self.timeout)
            while not self.is_ending.is_set():
                for it in self.sockets:
                    self._exchange(it, os.urandom(BLOCK_BYTES))
                    self.blocks += 1
        except (OSError, netlab.LabError) as error:
            self.error = error

    @staticmethod
    def _exchange(connection, block):
        """One block there and back. It fits the buffers on the way, so sending it cannot wait for our reading."""
        connection.sendall(block)
        answer = bytearray()
        while len(answer) < len(block):
            part = connection.recv(len(block) - len(answer))
            if not part:
                raise netlab.LabError("the stack closed a connection")
            answer += part
        if answer != block:
            raise netlab.LabError("wrong bytes came back")

    def goes_on(self, n_blocks=20):
        """Waits until so many blocks more have come back."""
        target = self.blocks + n_blocks
        netlab.wait_until(lambda: self.blocks >= target or self.error, timeout=20, what=f"{n_blocks} blocks")
        if self.error:
            raise self.error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_error):
        self.is_ending.set()
        self.thread.join(self.timeout + 5)
        for it in self.sockets:
            it.close()
        if kind is None and self.error:
            raise self.error
