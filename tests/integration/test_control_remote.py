# SPDX-License-Identifier: BSD-3-Clause
"""Control from elsewhere, by TLS with certificates on both sides: who has a good one is served in his role, everybody
else ends in the handshake, and neither the loop nor anybody at control.ipc notices. On the loopback of the tests'
own network namespace."""
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import warnings

import pytest

from controlled import FAILED, MPACTL, NO_DAEMON, OK, USAGE, Control, wait_until
from terminals import terminal  # noqa: F401

NAME = "mpa.test"


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=30)


def make_authority(folder, name):
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")


def make_certificate(folder, name, authority="ca", subject=NAME, days=2):
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={subject}",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
            "-CAcreateserial", "-days", str(days), "-out", f"{name}.pem")


@pytest.fixture(scope="module")
def certificates():
    with tempfile.TemporaryDirectory(prefix="mpa-tls-") as folder:
        for name in ("ca", "other"):
            make_authority(folder, name)
        make_certificate(folder, "server")
        make_certificate(folder, "client")
        make_certificate(folder, "stranger", authority="other")
        make_certificate(folder, "expired", days=-1)
        yield folder


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Remote(Control):
    """With a listener for clients from elsewhere, who are played from here."""

    def serve(self, certificates, role="read", server="server"):
        self.certificates, self.port = certificates, free_port()
        config = os.path.join(self.dir, "mpa.yaml")
        with open(config, "w") as file:
            file.write(f"control: {{remote: '127.0.0.1:{self.port}', remote_role: {role}, tls_ca: {certificates}/ca.pem, "
                       f"tls_cert: {certificates}/{server}.pem, tls_key: {certificates}/{server}.key}}\n")
        return self.start("--config", config)

    def far_command(self, *words, client="client", authority="ca", name=NAME):
        path = os.path.join(self.certificates, "")
        return [MPACTL, "--remote", f"127.0.0.1:{self.port}", "--tls-cert", f"{path}{client}.pem", "--tls-key",
                f"{path}{client}.key", "--tls-ca", f"{path}{authority}.pem", "--tls-name", name, *words]

    def far(self, *words, timeout=30, **who):
        return subprocess.run(self.far_command(*words, **who), capture_output=True, text=True, timeout=timeout)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=15)


def remote_control(tmp_path_factory, certificates, role):
    it = Remote(str(tmp_path_factory.mktemp("remote")))
    os.chmod(it.dir, 0o755)
    return it.serve(certificates, role).up()


@pytest.fixture(scope="module")
def remote(nothing_is_left, tmp_path_factory, certificates):
    it = remote_control(tmp_path_factory, certificates, "read")
    yield it
    # Whatever the clients did: it is still confined, and still the one that was started.
    assert it.process.poll() is None
    it.clean()


def test_a_good_client_is_served_in_its_role(remote):
    assert json.loads(remote.far("--json", "status").stdout)["state"] == "running"
    for words in (["workers"], ["stats"], ["explain"]):
        assert remote.far(*words).returncode == OK
    for words in (["stop"], ["drain", "0"]):
        done = remote.far(*words)
        assert done.returncode == FAILED and "role read may not" in done.stderr, done.stderr
    assert remote.status()["state"] == "running"


def test_events_come_from_elsewhere_too(remote):
    with subprocess.Popen(remote.far_command("--json", "events", "--count", "2", "--seconds", "20"),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
        assert reader.stderr.readline().startswith("listening")
        os.kill(remote.worker(1)["pid"], 9)
        first, second = (json.loads(reader.stdout.readline()) for _ in range(2))
        assert second["sequence"] == first["sequence"] + 1
        assert reader.wait(timeout=20) == OK
    remote.up()


def test_top_from_elsewhere_shows_events_as_they_come_and_those_before(remote, terminal):
    it = terminal(120, 30, " ".join(remote.far_command("top", "--interval", "0.3", "--page", "events")))
    it.shows(r"running +up .* 2 workers")
    assert "ended worker slot=0" not in it.screen()
    pid = remote.worker(0)["pid"]
    os.kill(pid, 9)
    it.shows(rf"\d\d:\d\d:\d\d ended worker slot=0 .*{pid}")
    # In every round it asks for what is new: nothing comes twice.
    it.shows(r"ready worker slot=0")
    remote.up()
    assert len(re.findall(rf"ended worker slot=0 .*{pid}", it.screen())) == 1
    it.key("q")
    assert it.ended() == OK
    assert f"{pid}" in remote.far("top", "--once", "--page", "events", "--interval", "0.25").stdout


@pytest.mark.parametrize("client, authority, name", [
    ("stranger", "ca", NAME), ("expired", "ca", NAME), ("client", "other", NAME), ("client", "ca", "another.test"),
], ids=["client of another authority", "expired client", "server of another authority", "server of another name"])
def test_a_bad_certificate_ends_in_the_handshake(remote, client, authority, name):
    done = remote.far("status", client=client, authority=authority, name=name)
    assert done.returncode == FAILED and "the TLS handshake failed" in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert remote.status()["state"] == "running"


def test_a_client_without_a_certificate_is_cut_off(remote):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(os.path.join(remote.certificates, "ca.pem"))
    context.check_hostname = False
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with remote.connect() as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        with context.wrap_socket(plain) as client:
            client.sendall(b"\0SP\0\0\x30\0\0")
            assert client.recv(8) == b"not for you"
    assert remote.status()["state"] == "running"


def test_old_versions_of_tls_are_refused(remote):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is old is the point
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    path = os.path.join(remote.certificates, "client")
    context.load_cert_chain(path + ".pem", path + ".key")
    with remote.connect() as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(plain)


@pytest.mark.parametrize("greeting", [b"\0SP\0\0\x30\0\0", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 70000,
                                      os.urandom(4096)], ids=["plain nng", "http", "endless hello", "random"])
def test_a_plaintext_client_is_cut_off(remote, greeting):
    with remote.connect() as client:
        try:
            client.sendall(greeting)
            while client.recv(4096):
                pass
        except ConnectionError:
            pass
    assert remote.far("status").returncode == OK


def test_clients_that_dawdle_in_the_handshake_hold_up_nobody(remote):
    dawdlers = [remote.connect() for _ in range(100)]
    began = time.monotonic()
    assert remote.status()["state"] == "running"
    assert remote.far("status").returncode == OK
    print(f"status, local and remote, beside 100 dawdlers: {time.monotonic() - began:.3f} s")
    for dawdler in dawdlers:
        dawdler.close()
    assert remote.far("status").returncode == OK


def hello_bytes():
    """A ClientHello."""
    outgoing = ssl.MemoryBIO()
    try:
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=NAME).do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()


def test_hanging_up_in_the_handshake_keeps_nobody_out(remote):
    """In every stage of it, with and without a reset: see lib/hangup."""
    hello = hello_bytes()
    context = ssl.create_default_context(cafile=os.path.join(remote.certificates, "ca.pem"))
    path = os.path.join(remote.certificates, "client")
    context.load_cert_chain(path + ".pem", path + ".key")
    for number in range(200):
        with remote.connect() as client:
            if number % 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if number % 5 == 4:
                with context.wrap_socket(client, server_hostname=NAME) as inside:
                    inside.send(b"\0SP\0\0\x30\0\0"[:number % 8])
            else:
                client.send(hello[:number % 5 * len(hello) // 3])
    assert remote.far("status").returncode == OK
    assert remote.status()["state"] == "running"


def test_an_admin_from_elsewhere_may_stop(tmp_path_factory, certificates):
    control = remote_control(tmp_path_factory, certificates, "admin")
    try:
        assert control.far("balance", "off").returncode == OK
        done = control.far("stop")
        assert (done.returncode, done.stdout) == (OK, "stopping\n"), done.stderr
        assert control.end() == 0, control.log()
        assert control.far("status").returncode == NO_DAEMON
    finally:
        control.clean()


def test_certificates_that_cannot_be_used_end_the_start(tmp_path_factory, certificates):
    for server, text in (("nobody", "No such file"), ("ca", "remote_failed")):
        control = Remote(str(tmp_path_factory.mktemp("remote")))
        os.chmod(control.dir, 0o755)
        if server == "ca":
            os.symlink(os.path.join(certificates, "client.key"), os.path.join(certificates, "mixed.key"))
            os.symlink(os.path.join(certificates, "ca.key"), os.path.join(certificates, "mixed.pem"))
            server = "mixed"
        control.serve(certificates, server=server)
        assert control.process.wait(timeout=20) == FAILED
        assert "remote_failed key=control.tls_" in control.log() and text in control.log()
        control.clean()


def test_a_command_line_without_certificates_says_which_are_missing():
    done = subprocess.run([MPACTL, "--remote", "127.0.0.1:1", "status"], capture_output=True, text=True, timeout=20)
    assert done.returncode == USAGE and "--tls-cert is missing" in done.stderr
    done = subprocess.run([MPACTL, "--remote", "nowhere", "status"], capture_output=True, text=True, timeout=20)
    assert done.returncode == USAGE and "not HOST:PORT" in done.stderr


def test_without_the_key_nobody_listens(tmp_path_factory):
    control = Control(str(tmp_path_factory.mktemp("local")))
    os.chmod(control.dir, 0o755)
    try:
        control.start().up()
        with open(f"/proc/{control.process.pid}/net/tcp") as tcp:
            listening = [line for line in tcp.read().splitlines()[1:] if line.split()[3] == "0A"]
        inodes = {os.stat(f"/proc/{control.process.pid}/fd/{fd}").st_ino
                  for fd in os.listdir(f"/proc/{control.process.pid}/fd")}
        assert not [line for line in listening if int(line.split()[9]) in inodes]
    finally:
        control.clean()
