"""The clients of examples/h2core with servers that are not ours, and the commands of the documents in docs/h2core."""

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

from lib.examples import BUILD, Example, pattern, program, run, servers  # noqa: F401 (a fixture)
from lib.origin_h2 import STREAM_WINDOW
from lib.ports import free_port, release_port
from lib.proxy import ROOT, SANITIZER, environment
from lib.servers import Apache, Nghttpd
from lib.waiting import wait_for

DOCS = os.path.join(ROOT, "docs", "h2core")
MB = 1 << 20
BODY = hashlib.sha256(b"a body").digest() * (5 * MB // 32)


def client(name, *args, **options):
    return run([program(name), *args], **options)


@pytest.fixture
def nghttpd(tmp_path, certs):
    server = Nghttpd(tmp_path / "nghttpd", certs).start()
    yield server
    server.stop()


class PeerServer(threading.Thread):
    """A server for one connection on python3-h2, which checks what it gets. What it sends is `left`, on stream 1."""

    def __init__(self):
        super().__init__(daemon=True)
        self.conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.left = self.failure = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        try:
            sock, _ = self.listener.accept()
            with sock:
                sock.settimeout(20)
                self.serve(sock)
        except Exception as exc:  # end() tells it
            self.failure = exc
        finally:
            self.listener.close()

    def on_event(self, event):
        pass

    def send_body(self):
        while self.left and (room := min(len(self.left), self.conn.local_flow_control_window(1), 16384)) > 0:
            self.conn.send_data(1, bytes(self.left[:room]), end_stream=room == len(self.left))
            self.left = self.left[room:]

    def exchange(self, sock, data=b""):
        """Until the client says GOAWAY, or is gone."""
        over = False
        while not over:
            for event in self.conn.receive_data(data) if data else []:
                over = over or isinstance(event, h2.events.ConnectionTerminated)
                self.on_event(event)
            if not over:
                self.send_body()
                sock.sendall(self.conn.data_to_send())
                data = sock.recv(65536)
                over = not data

    def end(self):
        self.join(20)
        assert not self.is_alive() and self.failure is None, repr(self.failure)


class EchoServer(PeerServer):
    """The body comes back when it is complete. The window is as it should be when the client has acknowledged it."""

    def __init__(self, window):
        self.window, self.body = window, b""
        super().__init__()

    def serve(self, sock):
        self.conn.initiate_connection()
        self.conn.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: self.window})
        self.exchange(sock)

    def on_event(self, event):
        if isinstance(event, h2.events.DataReceived):
            self.body += event.data
            for sid in (1, None) if event.data else ():  # by hand: python3-h2 knows no negative windows
                self.conn.increment_flow_control_window(event.flow_controlled_length, sid)
        elif isinstance(event, h2.events.StreamEnded):
            self.conn.send_headers(1, [(":status", "200")])
            self.left = memoryview(self.body)


def test_get_from_nghttpd(nghttpd):
    nghttpd.put("file", BODY)
    url = f"http://127.0.0.1:{nghttpd.port}"
    out, err = client("client_get", f"{url}/file")
    assert out == BODY and err == "status 200\n"
    assert client("client_get", f"{url}/missing")[1] == "status 404\n"
    out, _ = client("client_get", "--head", f"{url}/file")
    assert f"content-length: {len(BODY)}\n" in out.decode() and len(out) < 1000


def test_get_from_python_h2(make_origin):
    origin = make_origin(proto="h2", settings={"INITIAL_WINDOW_SIZE": 0, "MAX_FRAME_SIZE": 16384})
    url = f"http://127.0.0.1:{origin.port}"
    assert client("client_get", f"{url}/hello")[0] == b"hello\n"
    assert hashlib.sha256(client("client_get", f"{url}/big?n=3000000")[0]).hexdigest()
    assert len(client("client_get", f"{url}/big?n=3000000")[0]) == 3000000
    assert client("client_get", f"{url}/early-hints")[1] == "status 200\n"
    assert client("client_get", f"{url}/trailers")[1] == "status 200\n"
    assert b":status: 200\n" in client("client_get", "--head", f"{url}/big?n=5")[0]
    assert not origin.errors


def test_get_says_what_went_wrong(make_origin):
    origin = make_origin(proto="h2")
    url = f"http://127.0.0.1:{origin.port}"
    _, err = client("client_get", f"{url}/die?how=length&now=1&id=x", status=1)
    assert "reset by the server: INTERNAL_ERROR" in err
    _, err = client("client_get", f"{url}/die?how=length&now=1&what=conn&id=x", status=1)
    assert "gone" in err
    h1 = make_origin(proto="h1")
    _, err = client("client_get", f"http://127.0.0.1:{h1.port}/hello", status=1)
    assert "PROTOCOL_ERROR" in err or "gone" in err
    port = free_port()
    _, err = client("client_get", f"http://127.0.0.1:{port}/", status=1)
    assert "refused" in err
    release_port(port)
    client("client_get", "ftp://127.0.0.1/", status=2)
    client("client_get", status=2)


def test_get_into_a_full_disk(make_origin):
    origin = make_origin(proto="h2")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [program("client_get"), f"http://127.0.0.1:{origin.port}/big?n=100000"],
            stdout=full, stderr=subprocess.PIPE, timeout=30, env=environment(),
        )  # fmt: skip
    assert done.returncode == 1 and b"stdout" in done.stderr and not SANITIZER.search(done.stderr.decode())


def test_tls_client(make_origin, certs, nghttpd):
    origin = make_origin(proto="h2", tls=True)
    ca = ["--cacert", certs.ca.file]
    assert client("client_tls", *ca, f"https://localhost:{origin.port}/hello")[0] == b"hello\n"
    assert len(client("client_tls", *ca, f"https://localhost:{origin.port}/big?n=3000000")[0]) == 3000000
    nghttpd.put("file", BODY)
    assert client("client_tls", *ca, f"https://localhost:{nghttpd.tls_port}/file")[0] == BODY


def test_tls_client_trusts_and_speaks_only_what_it_should(make_origin, certs):
    origin = make_origin(proto="h2", tls=True)
    _, err = client("client_tls", "--cacert", certs.other_ca.file, f"https://localhost:{origin.port}/hello", status=1)
    assert "certificate verify failed" in err
    wrong = make_origin(proto="h2", tls=True, pair=certs.back_wrong_name)
    client("client_tls", "--cacert", certs.ca.file, f"https://localhost:{wrong.port}/hello", status=1)
    h1 = make_origin(proto="h1", tls=True)
    _, err = client("client_tls", "--cacert", certs.ca.file, f"https://localhost:{h1.port}/hello", status=1)
    assert "does not speak HTTP/2" in err or "alert" in err
    assert not h1.requests and not origin.requests


@pytest.mark.parametrize("size", [0, 1, 16384, len(BODY)])
@pytest.mark.parametrize("how", ["file", "pipe"])
def test_post_to_nghttpd(nghttpd, tmp_path, how, size):
    (tmp_path / "body").write_bytes(BODY[:size])
    url = f"http://127.0.0.1:{nghttpd.port}/"
    if how == "file":
        out, err = client("client_post", url, str(tmp_path / "body"))
    else:
        out, err = client("client_post", url, stdin=BODY[:size])
    assert (out, err) == (BODY[:size], "status 200\n")


@pytest.mark.parametrize("path", ["/echo", "/duplex"])
def test_post_to_python_h2(make_origin, tmp_path, path):
    origin = make_origin(proto="h2")
    (tmp_path / "body").write_bytes(BODY)
    out, _ = client("client_post", f"http://127.0.0.1:{origin.port}{path}", str(tmp_path / "body"))
    assert out == BODY and not origin.errors
    assert origin.requests[0].get("content-length") == str(len(BODY))


@pytest.mark.parametrize("window, size", [(1, 2000), (100, 90000), (70000, len(BODY))])
def test_post_when_the_window_shrinks(window, size):
    """The server's first SETTINGS may come when 65,535 octets are out: the window is then negative for a while."""
    server = EchoServer(window)
    out, _ = client("client_post", f"http://127.0.0.1:{server.port}/", stdin=BODY[:size])
    server.end()
    assert out == BODY[:size]


def test_post_reads_no_more_than_the_server_takes(make_origin, token):
    """An endless input, and a server that does not read: what is taken off the pipe is bounded by the window."""
    origin = make_origin(proto="h2")
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    most, written = STREAM_WINDOW + 65536, 0  # the window and the pipe
    least = most - 2 * 4096  # pages that are half read are no room
    url = f"http://127.0.0.1:{origin.port}/never-read?id={token}"
    process = subprocess.Popen(
        [program("client_post"), url], stdin=reader, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    os.close(reader)

    def push():
        nonlocal written
        try:
            while True:
                written += os.write(writer, b"x" * 4096)
        except BlockingIOError:
            return written >= least

    wait_for(push, "the window and the pipe to be full")
    for _ in range(5):
        origin.loop.call(turns())
        push()
    assert written <= most
    assert process.poll() is None and len(origin.requests) == 1
    process.terminate()
    _, err = process.communicate(timeout=10)
    os.close(writer)
    assert not SANITIZER.search(err.decode())


async def turns():
    """Some turns of the origins' loop: what has arrived was read."""
    import asyncio

    for _ in range(20):
        await asyncio.sleep(0.001)


def test_post_with_an_early_answer(make_origin):
    """RFC 9113, 8.1: a complete response may come before the request has ended."""
    origin = make_origin(proto="h2")
    out, err = client("client_post", f"http://127.0.0.1:{origin.port}/refuse-body?keep=1", stdin=BODY)
    assert "status 413" in err and out == b"too large"


def test_post_errors(make_origin, tmp_path):
    origin = make_origin(proto="h2")
    url = f"http://127.0.0.1:{origin.port}"
    client("client_post", url + "/echo", str(tmp_path / "missing"), status=1)
    _, err = client("client_post", url + "/echo", str(tmp_path), status=1)
    assert "directory" in err
    _, err = client("client_post", url + "/die?how=length&now=1&id=x", stdin=b"x", status=1)
    assert "reset by the server" in err


# ---------------------------------------------------------------- client_upgrade


class UpgradingServer(PeerServer):
    """HTTP/1.1, 101, then HTTP/2 with the body on stream 1."""

    def __init__(self, body, early=b""):
        self.body, self.early, self.settings = body, early, {}
        super().__init__()

    def serve(self, sock):
        data = b""
        while b"\r\n\r\n" not in data:
            data += sock.recv(65536)
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        fields = {line.split(":")[0].lower(): line.partition(":")[2].strip() for line in lines[1:]}
        assert re.fullmatch(r"GET /\S* HTTP/1\.1", lines[0]), lines[0]
        assert fields["upgrade"] == "h2c" and fields["connection"].lower() == "upgrade, http2-settings"
        self.conn.initiate_upgrade_connection(fields["http2-settings"].encode())
        self.settings = dict(self.conn.remote_settings)
        self.conn.send_headers(1, [(":status", "200")])
        self.left = memoryview(self.body)
        sock.sendall(self.early + b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        self.exchange(sock, rest)


@pytest.mark.parametrize("early", [b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"])
def test_upgrade_client_with_python_h2(early):
    server = UpgradingServer(BODY[:MB], early)
    out, err = client("client_upgrade", f"http://127.0.0.1:{server.port}/some?where")
    assert out == BODY[:MB] and err == "status 200\n"
    server.end()
    assert server.settings[2] == 0 and server.settings[4] == 65535


def test_upgrade_client_with_apache(certs):
    """A small file: behind an upgrade, Apache 2.4 often ends the connection after the first window, as nghttp -u and
    curl --http2 find, too."""
    folder = tempfile.mkdtemp(prefix="ngx-it-")  # one that www-data may go into
    server = Apache(folder, certs)
    server.put("file", BODY[:20000])
    try:
        server.start()
        out, err = client("client_upgrade", f"http://127.0.0.1:{server.port}/file")
        assert out == BODY[:20000] and err == "status 200\n"
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_upgrade_client_takes_no_for_an_answer(make_origin):
    origin = make_origin(proto="h1")
    _, err = client("client_upgrade", f"http://127.0.0.1:{origin.port}/hello", status=3)
    assert err == "no upgrade: status 200 over HTTP/1.1\n"
    _, err = client("client_upgrade", f"http://127.0.0.1:{origin.port}/die?how=length&what=conn&now=1&id=x", status=3)


def test_ours_with_ours(servers):
    """Every client with the server that goes with it."""
    upgrade = servers.start("server_upgrade")
    assert client("client_upgrade", upgrade.url())[0] == b"HTTP/2 by upgrade\n"
    assert client("client_get", upgrade.url())[0] == b"HTTP/2 by prior knowledge\n"
    tls = servers.start("server_ev_tls")
    url = tls.url("/3000000", "https", "localhost")
    assert client("client_tls", "--cacert", servers.certs.ca.file, url)[0] == pattern(3000000)
    poll = servers.start("server_poll")
    assert client("client_post", poll.url(), stdin=BODY)[0] == BODY
    blocking = servers.start("server_blocking")
    assert [":path", "/x"] in json.loads(client("client_get", blocking.url("/x"))[0])["fields"]


def test_hpack_roundtrip():
    """The second block is the smaller one, and a decoder with a small table says what it has left."""
    out, err = run([program("hpack_roundtrip")])
    blocks = [int(n) for n in re.findall(r"(\d+) of the block", out.decode())]
    tables = [int(n) for n in re.findall(r"dynamic table, (\d+) octets", out.decode())]
    assert len(blocks) == 3 and blocks[1] < blocks[0], out
    assert tables[0] > 60 >= tables[1] > 0 and not err, out


# ---------------------------------------------------------------- the commands in the documents


def sessions(name):
    """Each block of commands of a document with the output that is said to come."""
    with open(os.path.join(DOCS, name)) as document:
        text = document.read()
    return re.findall(r"^```sh\n(.*?)^```\n+(?:^```text\n(.*?)^```)?", text, re.DOTALL | re.MULTILINE)


class Shell:
    """Runs a block line by line; what is started with & is waited for, and must end well when it is killed."""

    def __init__(self, folder):
        self.folder, self.server, self.output, self.ports = folder, None, "", {}

    def port(self, found):
        return str(self.ports.setdefault(found[0], free_port()))

    def run(self, line):
        line = re.sub(r"\b8\d{3}\b", self.port, line.replace("build/release", BUILD))
        if line.startswith(("meson ", "ninja ")):
            return  # the programs are there, or this test would not run
        if line == "kill %1":
            self.server.stop()
            self.output += self.server.stdout()
            self.server = None
        elif line.endswith(" &"):
            name, *args = line[:-2].split()
            self.server = Example(os.path.basename(name), self.folder, *args, cwd=self.folder)
        else:
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", line],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=60, cwd=self.folder, env=environment(),
            )  # fmt: skip
            text = done.stdout.decode(errors="replace")
            assert done.returncode == 0 and not SANITIZER.search(text), f"{line}\n{text}"
            self.output += text

    def close(self):
        if self.server is not None:
            self.server.stop()
        for port in self.ports.values():
            release_port(port)


@pytest.mark.parametrize("name", ["getting-started.md", "negotiating.md", "flow-control.md"])
def test_commands_of_the_documents(tmp_path, name):
    found = sessions(name)
    assert any(expected for _, expected in found)
    for at, (commands, expected) in enumerate(found):
        folder = tmp_path / str(at)
        folder.mkdir()
        shell = Shell(str(folder))
        try:
            for line in commands.splitlines():
                shell.run(line)
        finally:
            shell.close()
        lines = {line.rstrip() for line in shell.output.splitlines()}
        for line in expected.splitlines():
            assert line.rstrip() in lines, f"{commands}\n{line!r} is not in\n{shell.output}"
