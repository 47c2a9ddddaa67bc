# SPDX-License-Identifier: BSD-3-Clause
"""Network namespaces for tests and benchmarks that leave nothing behind.

isolate() moves the whole program into its own pid, mount and network namespace: it forks, the child goes on
as pid 1, the parent only waits. However either of them ends, SIGKILL included, the kernel takes away every
process, interface, namespace and temporary file the program has made. Lab is the part of it that lives for
one test or one run.
"""
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG = 1
WORK_DIR = "/run/netlab"
_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """A command of the lab failed; the text is one line that names it."""


def _wait_for(child):
    """The parent's whole life: pass on how the child ended; a signal ends the child, and with it everything."""
    def stop(number, _frame):
        os.kill(child, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def isolate():
    """Call once, early, before any thread or child. Needs root. Returns in the child only."""
    if os.geteuid() != 0:
        raise LabError("network namespaces need root")
    sys.stdout.flush()
    sys.stderr.flush()
    if _libc.unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET) != 0:
        raise LabError(f"unshare: {os.strerror(ctypes.get_errno())}")
    child = os.fork()
    if child:
        _wait_for(child)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The kernel delivers to pid 1 only what it handles.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _f: os._exit(128 + n))
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "proc", "proc", "/proc")
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    os.makedirs("/run/netns")
    os.makedirs(WORK_DIR)
    run("ip", "link", "set", "lo", "up")


def run(*command, timeout=30, input=None):
    """Runs a command to its end. Returns its output; raises LabError with its first words when it fails."""
    try:
        done = subprocess.run(command, text=True, capture_output=True, timeout=timeout, input=input)
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(command)}: not done after {timeout} s") from None
    except OSError as error:
        raise LabError(f"{command[0]}: {error.strerror}") from None
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise LabError(f"{' '.join(command)}: {words[0] if words else f'exit {done.returncode}'}")
    return done.stdout


def wait_until(condition, timeout=10, what="condition"):
    """Polls until condition() is true; what it waits for has no event to wait on."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {timeout} s")
        time.sleep(0.01)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise LabError(f"setns: {os.strerror(ctypes.get_errno())}")


class Namespace:
    """A network namespace by name. All commands run inside it."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        run("ip", "netns", "add", name)
        self.run("ip", "link", "set", "lo", "up")
        # Addresses are usable at once, and nothing but the test sends router solicitations.
        for key, value in (("net.ipv6.conf.default.accept_dad", 0), ("net.ipv6.conf.all.accept_dad", 0),
                           ("net.ipv6.conf.default.router_solicitations", 0),
                           ("net.ipv4.ip_local_port_range", "1024 65535")):
            self.sysctl(key, value)

    def command(self, *command):
        return ("nsenter", f"--net=/run/netns/{self.name}", "--", *map(str, command))

    def run(self, *command, **options):
        return run(*self.command(*command), **options)

    @contextlib.contextmanager
    def entered(self):
        """Inside it this program stands in the namespace: a socket made there stays there."""
        with open("/proc/self/ns/net") as home, open(f"/run/netns/{self.name}") as there:
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(home.fileno())

    def sysctl(self, key, value):
        self.run("sysctl", "-qw", f"{key}={value}")

    def start(self, *command, log=None, **options):
        """Starts a process that the lab stops at its end; its output goes to the file `log` in lab.dir."""
        path = os.path.join(self.lab.dir, log or os.path.basename(str(command[0])) + ".log")
        with open(path, "a") as output:
            options.setdefault("stdout", output)
            options.setdefault("stderr", output)
            process = subprocess.Popen(self.command(*command), **options)
        process.log_path = path
        self.lab.processes.append(process)
        return process

    def address(self, interface, *addresses):
        for address in addresses:
            self.run("ip", "addr", "add", address, "dev", interface)

    def up(self, *interfaces):
        for interface in interfaces:
            self.run("ip", "link", "set", interface, "up")

    def tap(self, name, *addresses, vnet_hdr=False):
        """A persistent TAP; vnet_hdr as the program that opens it will ask for."""
        self.run("ip", "tuntap", "add", name, "mode", "tap", *(["vnet_hdr"] if vnet_hdr else []))
        self.address(name, *addresses)
        self.up(name)

    def route(self, destination, via):
        self.run("ip", "route", "add", destination, "via", via)

    def offload_off(self, *interfaces):
        for interface in interfaces:
            self.run("ethtool", "-K", interface, "tso", "off", "gso", "off", "gro", "off", "tx", "off")

    def drop_ingress(self, interface, percent):
        """Drops that share of the frames that arrive at `interface`, at random."""
        self.run("nft", "-f", "-", input=f"""
            table netdev loss_{interface} {{
                chain ingress {{
                    type filter hook ingress device "{interface}" priority 0;
                    numgen random mod 1000 < {round(percent * 10)} counter drop
                }}
            }}
            """)

    def dropped(self, interface):
        """Frames drop_ingress() has dropped."""
        rules = json.loads(self.run("nft", "-j", "list", "table", "netdev", f"loss_{interface}"))
        return sum(part["counter"]["packets"] for entry in rules["nftables"] if "rule" in entry
                   for part in entry["rule"]["expr"] if "counter" in part)


class Lab:
    """The namespaces, links, processes and files of one test; leaving the context takes all of them away."""

    def __init__(self):
        self.processes, self.namespaces = [], {}
        self.dir = tempfile.mkdtemp(dir=WORK_DIR)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()

    def ns(self, name):
        if name not in self.namespaces:
            self.namespaces[name] = Namespace(self, name)
        return self.namespaces[name]

    def veth(self, left, left_name, right, right_name):
        """A cable between two namespaces, both ends up."""
        run("ip", "link", "add", left_name, "netns", left.name, "type", "veth",
            "peer", "name", right_name, "netns", right.name)
        left.up(left_name)
        right.up(right_name)

    def bad_cable(self, left, left_name, right, right_name, *options):
        """A cable between two namespaces that mistreats frames. Both ends are TAPs, up; a TAP's frames are no
        larger than its MTU, so there is no offload to switch off.

        The options are wirefilter's, for both directions: "-l" loss %, "-D" duplicates %, "-d" "MS+JITTER",
        "-N" lets jitter reorder, "-n" damaged bits per megabyte."""
        switches = []
        for space, name in ((left, left_name), (right, right_name)):
            switch = os.path.join(self.dir, f"vde-{space.name}-{name}")
            space.start("vde_switch", "-s", switch, stdin=subprocess.PIPE, log="vde.log")
            wait_until(lambda: os.path.exists(f"{switch}/ctl"), what="vde_switch")
            space.tap(name)
            space.start("vde_plug2tap", "-s", switch, name, stdin=subprocess.PIPE, log="vde.log")
            switches.append(switch)
        return left.start("wirefilter", "-v", ":".join(switches), *options, stdin=subprocess.PIPE, log="vde.log")

    def stop(self, process, timeout=5):
        """SIGTERM, then SIGKILL. Returns the exit status."""
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process in self.processes:
            self.processes.remove(process)
        return process.returncode

    def close(self):
        for process in reversed(list(self.processes)):
            self.stop(process)
        for name in self.namespaces:
            run("ip", "netns", "del", name)
        self.namespaces = {}
        shutil.rmtree(self.dir, ignore_errors=True)
