"""The programs of examples/h2core: where they are, how they run, and how they must end.

They are in the build folder of the program under test (NGHTTPX_BUILD, or where NGHTTPX lies).
"""

import os
import re
import signal
import subprocess

import pytest

from .h2client import H2Client
from .proxy import BINARY, SANITIZER, environment
from .waiting import wait_for
from .wire import Wire

BUILD = os.environ.get("NGHTTPX_BUILD") or os.path.dirname(os.path.dirname(BINARY))
FOLDER = os.path.join(BUILD, "examples", "h2core")


def program(name):
    path = os.path.join(FOLDER, name)
    assert os.access(path, os.X_OK), f"{path} is missing: ninja -C {BUILD} h2core-examples"
    return path


def run(cmd, status=0, timeout=60, stdin=None, **options):
    """Runs to the end; (stdout, stderr)."""
    done = subprocess.run(
        cmd,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=timeout,
        env=environment(),
        **options,
    )
    err = done.stderr.decode(errors="replace")
    assert not SANITIZER.search(err), err[-6000:]
    assert done.returncode == status, f"{cmd}\nstatus {done.returncode}, not {status}\n{err[-3000:]}"
    return done.stdout, err


class Example:
    """A running server: its port, and how it ends."""

    def __init__(self, name, folder, *args, cwd=None):
        self.name = name
        self.out_file, self.err_file = (os.path.join(folder, f"{name}.{kind}") for kind in ("out", "err"))
        with open(self.out_file, "wb") as out, open(self.err_file, "wb") as err:
            self.process = subprocess.Popen(
                [program(name), *args],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment(),
                cwd=cwd,
            )
        found = wait_for(self._listening, f"{name} to listen", timeout=10)
        self.port = int(found[1])

    def _listening(self):
        assert self.process.poll() is None, f"{self.name} ended: {self.stderr()}"
        return re.search(r"listening on 127\.0\.0\.1:(\d+)\n", self.stdout())

    def stdout(self):
        with open(self.out_file, errors="replace") as out:
            return out.read()

    def stderr(self):
        with open(self.err_file, errors="replace") as err:
            return err.read()

    def url(self, path="/", scheme="http", host="127.0.0.1"):
        return f"{scheme}://{host}:{self.port}{path}"

    def rss(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024

    def spare(self, octets):
        """So many octets, or what they may be with a sanitizer, which keeps what was freed for a while."""
        with open(program(self.name), "rb") as binary:
            return octets * 32 if b"__asan_init" in binary.read() else octets

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait_exit(self, timeout=10):
        status = self.process.wait(timeout)
        assert not SANITIZER.search(self.stderr()), self.stderr()[-6000:]
        assert status == 0, f"{self.name}: status {status}\n{self.stderr()[-3000:]}"

    def stop(self):
        try:
            if self.process.poll() is None:
                self.signal()
            self.wait_exit()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


class Servers:
    def __init__(self, folder, certs):
        self.folder, self.certs, self.started = str(folder), certs, []

    def start(self, name):
        args = ["--port", "0"]
        if name == "server_ev_tls":
            args += [self.certs.front.key_file, self.certs.front.cert_file]
        self.started.append(Example(name, self.folder, *args))
        return self.started[-1]

    def wire(self, server, **options):
        """A connection that speaks HTTP/2, with TLS where the server wants it."""
        if server.name == "server_ev_tls":
            tls = self.certs.client_context(["h2"])
            return Wire(("127.0.0.1", server.port), tls, "localhost", **options)
        return Wire(("127.0.0.1", server.port), **options)

    def honest(self, server, **options):
        scheme = "https" if server.name == "server_ev_tls" else "http"
        return H2Client(self.wire(server), "localhost", scheme, **options)

    def stop(self):
        for server in self.started:
            server.stop()


@pytest.fixture
def servers(tmp_path, certs, clients):
    made = Servers(tmp_path, certs)
    yield made
    clients.close()
    made.stop()


def pattern(n):
    """What server_ev_tls answers /n with."""
    return (b"abcdefghijklmnopqrstuvwxyz\n" * (n // 27 + 1))[:n]
