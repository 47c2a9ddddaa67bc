# SPDX-License-Identifier: BSD-3-Clause
"""NIC backends on real interfaces: frames of every kind cross whole, and each failure says what to do."""
import os
import subprocess

import pytest

import stacks

PROBE = stacks.program("nic_probe", "tests/integration")


def with_device(script):
    """Runs what follows with a /dev/net of its own, made by the script."""
    return ["unshare", "-m", "sh", "-c", f'mount -t tmpfs none /dev/net && {script} && exec "$@"', "sh"]


def nobody(device_mode):
    """Runs what follows without privilege and with a /dev/net/tun of that mode."""
    return [*with_device(f"mknod -m {device_mode} /dev/net/tun c 10 200"),
            "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for network namespaces")


class Namespace:
    """A network namespace without IPv6 chatter; everything in it goes with it."""

    def __init__(self, name):
        self.name = name
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1", "net.ipv6.conf.all.disable_ipv6=1")

    def command(self, *words):
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, *words):
        subprocess.run(self.command(*words), check=True, timeout=20)

    def probe(self, *words, before=()):
        return subprocess.run(self.command(*before, PROBE, *words), capture_output=True, text=True, timeout=60)

    def close(self):
        subprocess.run(["ip", "netns", "del", self.name], check=True)


@pytest.fixture
def net():
    namespace = Namespace(f"mpa-nic-{os.getpid()}")
    yield namespace
    namespace.close()


@pytest.fixture
def veth(net):
    net.run("ip", "link", "add", "left", "type", "veth", "peer", "name", "right")
    net.run("ip", "link", "set", "left", "up")
    net.run("ip", "link", "set", "right", "up")
    return net


def ok(result):
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(result, *words):
    """One line on stderr that names each of the words."""
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1, result.stderr
    # It becomes error="..." of a log line, and names keys as the configuration does.
    assert '"' not in result.stderr and "nic.mtu_bytes" not in result.stderr
    for word in words:
        assert word in result.stderr


def test_frames_up_to_64k_cross_a_veth(veth):
    ok(veth.probe("send", "packet:left", "packet:right"))


def test_frames_up_to_64k_go_from_the_kernel_to_a_tap(net):
    net.run("ip", "tuntap", "add", "dev", "tap0", "mode", "tap")
    net.run("ip", "link", "set", "tap0", "up")
    ok(net.probe("send", "packet:tap0", "tap:tap0"))


def test_frames_up_to_64k_go_from_a_tap_to_the_kernel(net):
    net.run("ip", "tuntap", "add", "dev", "tap0", "mode", "tap")
    ok(net.probe("send", "tap:tap0", "packet:tap0"))


def test_the_kernel_cuts_as_we_do(net):
    net.run("ip", "tuntap", "add", "dev", "tap0", "mode", "tap")
    net.run("ip", "link", "set", "tap0", "up")
    ok(net.probe("cut", "packet:tap0", "tap:tap0:1500:plain"))


def test_a_vlan_tag_is_seen(veth):
    ok(veth.probe("vlan", "packet:left", "packet:right"))


def test_a_tap_is_made_brought_up_and_removed(net):
    holder = subprocess.Popen(net.command(PROBE, "open", "tap:tap0:1400", "hold"), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        assert "mac=02:4d:50:41:00:01 mtu=1400 caps=7" in holder.stdout.readline()
        shown = subprocess.run(net.command("ip", "-d", "link", "show", "tap0"), capture_output=True, text=True)
        assert "mtu 1400" in shown.stdout and ",UP" in shown.stdout and "gso_max_size 65000" in shown.stdout
    finally:
        holder.communicate(timeout=20)
    assert holder.returncode == 0
    assert subprocess.run(net.command("ip", "link", "show", "tap0"), capture_output=True).returncode != 0


def test_a_packet_nic_has_the_interfaces_mac_and_the_smaller_mtu(veth):
    veth.run("ip", "link", "set", "left", "address", "02:00:00:00:00:42", "mtu", "1400")
    assert "mac=02:00:00:00:00:42 mtu=1400" in ok(veth.probe("open", "packet:left"))


def test_a_user_may_have_a_tap_made_for_it(net):
    net.run("ip", "tuntap", "add", "dev", "tap0", "mode", "tap", "user", "65534")
    net.run("ip", "link", "set", "tap0", "up")
    ok(net.probe("open", "tap:tap0", before=nobody(666)))
    refused(net.probe("open", "tap:tap0:9000", before=nobody(666)), "nic tap0: MTU 9000 cannot be set", "ip link set")


@pytest.mark.parametrize("backend", ["tap", "packet"])
def test_a_second_instance_is_refused(veth, backend):
    side = "tap:tap0" if backend == "tap" else "packet:left"
    holder = subprocess.Popen(veth.command(PROBE, "open", side, "hold"), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline().startswith("ok")
        refused(veth.probe("open", side), "in use by another process", "stop the other instance")
    finally:
        holder.communicate(timeout=20)
    ok(veth.probe("open", side))


def test_no_permission_is_said(veth):
    refused(veth.probe("open", "tap:tap0", before=nobody(600)), "no permission to open /dev/net/tun")
    refused(veth.probe("open", "tap:tap0", before=nobody(666)), "no permission", "ip tuntap add dev tap0")
    refused(veth.probe("open", "packet:left", before=nobody(600)), "no permission", "CAP_NET_RAW")


def test_a_missing_device_is_said(net):
    refused(net.probe("open", "tap:tap0", before=with_device("true")), "/dev/net/tun is missing", "modprobe tun")


def test_a_missing_interface_is_said(net):
    refused(net.probe("open", "packet:nowhere"), "nic nowhere: no such interface")


def test_a_name_too_long_is_said(net):
    refused(net.probe("open", "tap:abcdefghijklmnop"), "too long: at most 15")


def test_an_interface_of_another_kind_is_said(veth):
    refused(veth.probe("open", "tap:left"), "no single-queue TAP")
    refused(veth.probe("open", "packet:lo"), "not an Ethernet interface")


def test_an_mtu_that_cannot_carry_ipv6_is_said(veth):
    veth.run("ip", "link", "set", "left", "mtu", "1000")
    refused(veth.probe("open", "packet:left"), "MTU 1000 is below 1280")


@pytest.mark.parametrize("side", ["tap:tap0", "packet:left"])
def test_only_a_removed_interface_is_gone(veth, side):
    name = side.split(":")[1]
    watcher = subprocess.Popen(veth.command(PROBE, "watch", side), stdout=subprocess.PIPE, text=True)
    try:
        assert watcher.stdout.readline() == "ok\n"
        veth.run("ip", "link", "set", name, "down")
        veth.run("ip", "link", "set", name, "up")
        assert watcher.poll() is None
        veth.run("ip", "link", "del", name)
        assert watcher.communicate(timeout=20)[0] == "gone\n"
    finally:
        watcher.kill()
        watcher.wait()
