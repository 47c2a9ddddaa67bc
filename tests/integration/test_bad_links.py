# SPDX-License-Identifier: BSD-3-Clause
"""Links that lose, double, reorder, delay and damage: every stream still arrives whole, both ways, in time.

The peer sends to echo, so each byte crosses the bad link twice: both ends recover from losses of their own.
"""
import pytest

import stacks

ADDRESSES = (stacks.ADDRESS4, stacks.ADDRESS6)

LINKS = {
    "loss of 1 percent": ("-l", "1"),
    "loss of 5 percent": ("-l", "5"),
    "reordering": ("-d", "3+3", "-N"),
    "duplication": ("-D", "20"),
    "delay and jitter": ("-d", "20+10"),
    # So few that no frame is hit twice: TCP's checksum misses one such pair in 32, the kernel's as well as ours.
    "damage": ("-n", "3"),
    "all at once": ("-l", "1", "-D", "2", "-d", "5+4", "-N"),
}


def streams_come_back(peer, n, n_bytes):
    for address in ADDRESSES:
        result = peer("verify", "--to", address, "-n", n, "-b", n_bytes, "-t", 20)
        assert result["bytes_received"] == n * n_bytes and result["bad_bytes"] == 0


@pytest.mark.parametrize("link", LINKS)
def test_streams_arrive_whole_over(bad_path, start, peer, link):
    router, _ = bad_path(*LINKS[link])
    start(space=router, routed=True)
    peer("ready", "--to", stacks.ADDRESS6, "-t", 10)
    streams_come_back(peer, 4, 150_001)


@pytest.mark.parametrize("percent", [1, 5])
def test_streams_arrive_whole_though_the_peer_loses_super_frames(start, peer, percent):
    """On a TAP with offload a lost frame is up to 64 KiB: the stack cuts what it has sent again."""
    stack = start()
    peer("ready", "--to", stacks.ADDRESS6, "-t", 10)
    stack.space.drop_ingress(stacks.TAP, percent)
    for _ in range(5):  # some hundred frames each: with luck none is lost
        streams_come_back(peer, 4, 2_000_000)
        if stack.space.dropped(stacks.TAP) > 0:
            return
    raise AssertionError("nothing was lost")
