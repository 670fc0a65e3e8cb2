"""Does nginx see the messages that the proxy saw? Valid HTTP/1 requests, mutated at random, go through the proxy to
nginx, and to nginx directly; what h1parser makes of them (tests/h1parser/h1_peer, in the build folder) is the measure.

Behind the proxy nothing else may arrive than what h1parser accepted: the same requests, with bodies as long. Nginx by
itself may refuse what we accept, but must not see other requests in it, nor more.
"""

import json
import os
import socket
import subprocess
import sys

import pytest

from lib.proxy import BINARY, ROOT
from lib.servers import Server
from lib.waiting import wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "h1parser"))
from h1_mutate import streams  # noqa: E402

BUILD = os.environ.get("NGHTTPX_BUILD") or os.path.dirname(os.path.dirname(BINARY))
PEER = os.path.join(BUILD, "tests", "h1parser", "h1_peer")
COUNT = 1500  # streams a seed


class LoggingNginx(Server):
    """Answers every request when it has read its body, and writes a line about it."""

    def start(self):
        self.log_path = os.path.join(self.folder, "requests")
        conf = self.conf(
            "nginx.conf",
            f"""
daemon off; master_process off; worker_processes 1; pid {self.folder}/pid; error_log {self.folder}/error.log;
events {{ worker_connections 512; }}
http {{
  log_format seen escape=json '{{"method":"$request_method","body":"$request_body","status":$status,"uri":"$uri"}}';
  default_type text/plain; keepalive_requests 100000; client_body_buffer_size 64k;
  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
  server {{
    listen 127.0.0.1:{self.port}; access_log {self.log_path} seen; client_body_timeout 2s; client_header_timeout 2s;
    location / {{
      proxy_pass http://127.0.0.1:{self.tls_port}; proxy_method GET; proxy_ignore_client_abort on;
      proxy_set_header Connection ""; proxy_intercept_errors on;
    }}
  }}
  server {{ listen 127.0.0.1:{self.tls_port}; access_log off; location / {{ return 200 "nginx\\n"; }} }}
}}
""",
        )
        self.run(["/usr/sbin/nginx", "-c", conf, "-p", self.folder], self.port)
        return self

    def seen(self):
        """One for each whole line of the log; octets over 0x7f are in it as they came."""
        with open(self.log_path, "rb") as log:
            return [json.loads(line.decode("latin-1")) for line in log.read().split(b"\n")[:-1]]


@pytest.fixture
def nginx(tmp_path, certs):
    folder = tmp_path / "nginx"
    folder.mkdir()
    server = LoggingNginx(folder, certs).start()
    yield server
    server.stop()


@pytest.fixture
def peer():
    process = subprocess.Popen([PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(octets):
        """[(method, body length)] and how it ended."""
        process.stdin.write(f"request GET {octets.hex()}\n")
        process.stdin.flush()
        *messages, end = process.stdout.readline().rstrip("\n").split("|")
        made = []
        for message in messages:
            start, head_end, _end, _fields, _lengths, body, _framing = message.split()
            line = octets[int(start) : int(head_end)].lstrip(b"\r\n")
            made.append((line.split(b" ")[0].decode(), int(body)))
        return made, end

    yield read
    process.stdin.close()
    assert process.wait(10) == 0


def exchange(port, octets):
    """Everything that comes back until the other side closes, which it does because ours has no more to send."""
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        got = b""
        try:
            sock.sendall(octets)
            sock.shutdown(socket.SHUT_WR)
            while data := sock.recv(65536):
                got += data
        except ConnectionError:
            pass  # it closed in the middle of what it refused
    return got


def mutated(seed):
    """Streams without the asterisk form, which nginx does not know and answers with 400."""
    return (octets for octets in streams("request", COUNT, seed) if octets and b"* HTTP" not in octets)


class Watch:
    """What nginx sees of one stream: the lines of its log up to a request that comes behind it."""

    def __init__(self, nginx):
        self.nginx, self.lines, self.fences = nginx, 0, 0

    def of(self, port, octets):
        answer = exchange(port, octets)
        self.fences += 1
        fence = f"/fence-{self.fences}"
        exchange(port, f"GET {fence} HTTP/1.1\r\nHost: fence\r\nConnection: close\r\n\r\n".encode())

        def lines():
            seen = self.nginx.seen()[self.lines :]
            return seen if any(s["uri"] == fence for s in seen) else None

        seen = wait_for(lines, f"{fence} in nginx's log", timeout=10)
        self.lines += len(seen)
        # A request that was not complete is logged too, sometimes later; it was not answered with 200.
        good = [s for s in seen if s["status"] == 200 and not s["uri"].startswith("/fence-")]
        return [(s["method"], len(s["body"])) for s in good], answer


def is_prefix(a, b):
    return a == b[: len(a)]


@pytest.mark.parametrize("seed", [11, 12])
def test_behind_the_proxy_nginx_sees_what_the_parser_saw(nginx, start_proxy, peer, seed):
    proxy = start_proxy([f"127.0.0.1,{nginx.port}"], fronts=("clear",))
    watch, faults = Watch(nginx), []
    through = refused = 0
    for octets in mutated(seed):
        ours, end = peer(octets)
        seen, answer = watch.of(proxy.clear_port, octets)
        forwarded = [m for m in ours if m[0] != "CONNECT"]
        if not is_prefix(seen, forwarded):
            faults.append(f"nginx {seen}, h1parser {ours} ({end}): {octets!r}")
        # All of it goes through where nobody objects: each answer is a 200 then.
        elif len(seen) < len(forwarded) and answer.count(b"HTTP/1.1 ") == answer.count(b"HTTP/1.1 200 "):
            # Behind an Upgrade nothing is read before its answer, and after a refusal nothing at all (RFC 9931).
            stops = b"lose" in octets.lower() or b"HTTP/1.0" in octets or b"pgrade" in octets
            if not stops and end in ("end", "more"):
                faults.append(f"lost: nginx {seen}, h1parser {ours} ({end}): {octets!r}: {answer!r}")
        through += len(seen)
        refused += end not in ("end", "more", "tunnel")
    assert not faults, "\n".join(faults[:10])
    assert through > COUNT // 4 and refused > COUNT // 10


def test_nginx_alone_sees_no_other_messages(nginx, peer):
    watch, faults = Watch(nginx), []
    agreed = stricter = fewer = 0
    for octets in mutated(13):
        ours, end = peer(octets)
        seen, _ = watch.of(nginx.port, octets)
        count = min(len(seen), len(ours))
        if seen[:count] != ours[:count]:
            faults.append(f"nginx {seen}, h1parser {ours} ({end}): {octets!r}")
        elif len(seen) > len(ours):
            # Only where ours refused the next one, or has not seen its end.
            if end in ("end", "more", "tunnel"):
                faults.append(f"nginx sees more: {seen}, h1parser {ours} ({end}): {octets!r}")
            stricter += 1
        elif len(seen) < len(ours):
            fewer += 1
        else:
            agreed += 1
    assert not faults, "\n".join(faults[:10])
    assert agreed > COUNT // 4, (agreed, stricter, fewer)
