"""Where requests go, compared with the original: the same backends and patterns, the same requests, the same answers.

Needs Debian's nghttpx (package nghttp2-proxy); NGHTTPX_REFERENCE names another one. sni-fwd is not compared: the original
1.52 takes it and goes by the authority all the same."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess

import pytest

from lib.h2client import H2Client
from lib.processes import connects
from lib.proxy import BINARY, environment
from lib.waiting import wait_for
from lib.wire import Wire

REFERENCE = os.environ.get("NGHTTPX_REFERENCE") or "/usr/sbin/nghttpx"

pytestmark = pytest.mark.skipif(not os.access(REFERENCE, os.X_OK), reason=f"needs the original to compare with ({REFERENCE})")

HOSTS = ["", "a.test", "A.Test", "b.test", "*.test", "*a.test", "*.a.test", "*test", "c.b.a.test"]
# A path as it is written in a pattern, and what it means.
PATHS = {
    "": "/", "/": "/", "/*": "/*", "/b/..": "/", "/a": "/a", "/a/": "/a/", "/a/.": "/a/", "/a*": "/a*", "/a/*": "/a/*",
    "/ab/": "/ab/", "/%61b": "/ab", "/A": "/A", "/a/b": "/a/b", "/a/b/": "/a/b/", "/a/b*": "/a/b*", "/a/b/c/": "/a/b/c/",
    "/a/../b/": "/b/", "/b/./c": "/b/c", "/a%2Fb": "/a%2Fb", "/a%2fb*": "/a%2Fb*", "/%3A": "/:", "/b%20c": "/b%20c",
    "/~a": "/~a", "/%7ea*": "/~a*",
}  # fmt: skip
ASKED_HOSTS = ["a.test", "A.TEST", "b.test", "b.a.test", "c.b.a.test", "a.test:80", "xa.test", ".test", "test", "x.test", "zz",
               "[::1]", "[::1]:80", "127.0.0.1", "b.test:8080"]  # fmt: skip
ASKED_PATHS = ["/", "/a", "/a/", "/ab", "/ab/", "/abc", "/a/b", "/a/b/", "/a/bc", "/a/b/c", "/a/b/c/d", "/A", "/a/.b", "/a/...",
               "/%61", "/%61%62", "/a%2Fb", "/a%2fb", "/a%2Fbc", "/a/./b", "/a/../b/x", "/a/x/../b", "/b/", "/b/c", "/b/.",
               "/b/..", "/../a", "/a/..", "/%2e%2e/a", "/a/%2e%2e/b/", "/a?x=/b", "/a/?/../b", "/:", "/%3a", "/b%20c", "/a;x",
               "/~a", "/%7Ea", "/~ab", "/%", "/%zz", "/%00"]  # fmt: skip


class Backends:
    """A server for each pattern, at a UNIX socket, that answers its number, the method and the target."""

    def __init__(self, origin_loop, folder, n):
        self.loop = origin_loop
        self.paths = [os.path.join(folder, f"compare{i}.sock") for i in range(n)]
        self.servers = [origin_loop.call(self._start(i)) for i in range(n)]

    async def _start(self, number):
        return await asyncio.start_unix_server(lambda r, w: self._serve(number, r, w), self.paths[number])

    async def _serve(self, number, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                method, target, _ = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)
                body = b"%d %s %s" % (number, method, target)
                status = 403 if method == b"CONNECT" else 200
                writer.write(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
                await writer.drain()
        writer.close()

    async def _close(self):
        for server in self.servers:
            server.close()

    def stop(self):
        self.loop.call(self._close())
        for path in self.paths:
            os.unlink(path)


@pytest.fixture(scope="module")
def backends(origin_loop, workdir):
    made = Backends(origin_loop, workdir, 40)
    yield made
    made.stop()


@pytest.fixture
def start_both(backends, tmp_path, free_ports):
    """start_both(patterns) -> the ports of the original and of ours."""
    started = []

    def start(patterns):
        ports = free_ports(2)
        lines = [f"backend=unix:{path};{pattern}" for path, pattern in zip(backends.paths, patterns)]
        for binary, port in zip((REFERENCE, BINARY), ports):
            conf = tmp_path / f"conf{port}"
            conf.write_text("\n".join([f"frontend=127.0.0.1,{port};no-tls", "workers=1", *lines, ""]))
            with open(tmp_path / f"log{port}", "wb") as log:
                started.append(subprocess.Popen([binary, f"--conf={conf}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment()))
        for port in ports:
            wait_for(lambda port=port: connects(port), f"the start of {conf.parent}/log{port}")
        return ports

    yield start
    for process in started:
        process.send_signal(signal.SIGQUIT)
    for process in started:
        try:
            process.wait(10)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == 0, process.args


def ask(port, method, target, host):
    """The status and, if a backend has answered, its number and what it was asked."""
    fields = "" if host is None else f"Host: {host}\r\n"
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(f"{method} {target} HTTP/1.1\r\n{fields}Connection: close\r\n\r\n".encode("latin-1"))
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    return status, "" if body.startswith(b"<!DOCTYPE") else body.decode("latin-1")


def random_patterns(rnd):
    """As they are written; each means something else."""
    chosen = {"/": "/"}
    for _ in range(30):
        host, path = rnd.choice(HOSTS), rnd.choice(list(PATHS))
        if host + path:
            chosen.setdefault(host.lower() + PATHS[path], host + path)
    return list(chosen.values())


def random_requests(rnd):
    asked = rnd.sample([("GET", path, host) for path in ASKED_PATHS for host in ASKED_HOSTS], 250)
    asked += [("OPTIONS", "*", host) for host in ASKED_HOSTS]
    asked += [("CONNECT", "a.test:443", "a.test:443"), ("CONNECT", "[::1]:443", "b.test"), ("OPTIONS", "http://a.test", "b.test")]
    asked += [("GET", f"{scheme}://{host}{path}", "other.test") for scheme in ("http", "HTTP") for host in ASKED_HOSTS[:6]
              for path in ("", "?x", *ASKED_PATHS[:5])]  # fmt: skip
    return asked + [("GET", "/a", None), ("GET", "a", "a.test"), ("FOO", "/a", "a.test")]


@pytest.mark.parametrize("seed", range(8))
def test_requests_go_where_the_original_sends_them(start_both, seed):
    rnd = random.Random(seed)
    patterns = random_patterns(rnd)
    theirs, ours = start_both(patterns)
    different = {}
    for request in random_requests(rnd):
        answers = ask(theirs, *request), ask(ours, *request)
        if answers[0] != answers[1]:
            different[request] = answers
    assert different == {}, patterns


def test_requests_over_http2_too(start_both):
    rnd = random.Random("h2")
    patterns = random_patterns(rnd)
    clients = [H2Client(Wire(("127.0.0.1", port)), "", "http") for port in start_both(patterns)]
    different = {}
    try:
        for path in ASKED_PATHS:
            for host in ASKED_HOSTS:
                answers = [c.request("GET", path, host=host) for c in clients]
                theirs, ours = [(a.status, bytes(a.body)) for a in answers]
                if theirs != ours:
                    different[host, path] = theirs, ours
    finally:
        for c in clients:
            c.close()
    assert different == {}, patterns


# What differs, and is said in docs/compatibility.md: patterns, request, answers there and here.
DIFFERENT = [
    (["/", "a.test/"], ("GET", "/", "a.test."), (200, "0 GET /"), (200, "1 GET /")),
    (["/", "a.test./"], ("GET", "/", "a.test"), (200, "0 GET /"), (200, "1 GET /")),
    (["/", "/a/b", "/a/"], ("GET", "/a//b", "a.test"), (200, "1 GET /a/b"), (200, "2 GET /a//b")),
    (["/", "/a/"], ("GET", "//a/b", "a.test"), (200, "1 GET /a/b"), (200, "0 GET //a/b")),
    (["/", "*/a/"], ("GET", "/a/", "a.test"), (200, "0 GET /a/"), (200, "1 GET /a/")),
    (["/", "/a"], ("GET", "/a", ""), (200, "1 GET /a"), (400, "")),
    (["/"], ("GET", "*", "a.test"), (200, "0 GET *"), (400, "")),
    (["/"], ("GET", "/a#b", "a.test"), (200, "0 GET /a"), (400, "")),
    (["/"], ("GET", "/", "%61.test"), (200, "0 GET /"), (400, "")),
    (["/"], ("GET", "/", "user@a.test"), (200, "0 GET /"), (400, "")),
    (["/"], ("GET", "/", "a.test:99999"), (200, "0 GET /"), (400, "")),
    (["/"], ("GET", "/", "1.2.3"), (200, "0 GET /"), (400, "")),
    (["/"], ("GET", "ftp://a.test/", "a.test"), (200, "0 GET /"), (400, "")),
    (["/"], ("CONNECT", "a.test", "a.test"), (403, "0 CONNECT a.test"), (400, "")),
]  # fmt: skip


@pytest.mark.parametrize("patterns,request_,theirs,ours", DIFFERENT, ids=[f"{r[1]}-{r[2]}" for _, r, _, _ in DIFFERENT])
def test_what_differs_on_purpose(start_both, patterns, request_, theirs, ours):
    ports = start_both(patterns)
    assert [ask(port, *request_) for port in ports] == [theirs, ours]
