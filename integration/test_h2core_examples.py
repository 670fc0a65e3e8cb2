"""The servers of examples/h2core with clients that are not ours: curl, nghttp, h2load, Python's h2, and bad ones."""

import base64
import hashlib
import json
import re
import signal

import pytest

from lib import rawh2
from lib.examples import pattern, run, servers  # noqa: F401 (a fixture)
from lib.h2client import H2Client
from lib.rawh2 import RawH2
from lib.waiting import wait_for
from lib.wire import Wire

MB = 1 << 20
BODY = hashlib.sha256(b"a body").digest() * (5 * MB // 32)
WINDOW = 65535  # server_poll's, per stream


def curl(server, path="/", *args, **options):
    return run(["curl", "-sS", "--max-time", "30", "--http2-prior-knowledge", *args, server.url(path)], **options)[0]


ALL = ["server_blocking", "server_poll", "server_upgrade", "server_ev_tls"]
STEPS = ["step2_events", "step3_answer"]


def alive(servers, server):
    """It still answers, and rightly so."""
    path, body = {
        "server_blocking": ("/", None),
        "server_poll": ("/", b"alive"),
        "server_upgrade": ("/", None),
        "server_ev_tls": ("/1000", None),
    }[server.name]
    peer = servers.honest(server)
    try:
        resp = peer.request("POST" if body else "GET", path, body=body, timeout=10)
        assert resp.complete and resp.status == 200, (resp, server.stderr())
        if server.name == "server_poll":
            assert resp.body == body
        if server.name == "server_ev_tls":
            assert resp.body == pattern(1000)
    finally:
        peer.close()


# ---------------------------------------------------------------- server_blocking


def test_blocking_answers_with_the_fields(servers):
    server = servers.start("server_blocking")
    out = json.loads(curl(server, "/a?b=c", "-H", 'x-quoted: a"b\\c', "-H", "x-high: \xe4\xfc"))
    fields = dict(out["fields"])
    assert fields[":method"] == "GET" and fields[":path"] == "/a?b=c"
    assert fields["x-quoted"] == 'a"b\\c'
    assert fields["x-high"].encode("latin-1").decode() == "\xe4\xfc"
    assert [name[0] for name, _ in out["fields"][:4]] == [":"] * 4


def test_blocking_takes_bodies_larger_than_the_window(servers, tmp_path):
    server = servers.start("server_blocking")
    (tmp_path / "body").write_bytes(BODY)
    out = curl(server, "/", "--data-binary", f"@{tmp_path}/body", "-w", "%{http_code} %{size_upload}")
    assert out.endswith(f"200 {len(BODY)}".encode())
    assert ["content-length", str(len(BODY))] in json.loads(out[: out.rindex(b"}") + 1])["fields"]


@pytest.mark.parametrize("bits", [1, 6, 16])
def test_blocking_sends_through_tiny_windows(servers, bits):
    server = servers.start("server_blocking")
    out, _ = run(["nghttp", "-w", str(bits), server.url("/small")])
    assert dict(json.loads(out)["fields"])[":path"] == "/small"


def test_blocking_keeps_answers_apart(servers):
    """Many streams at once, their bodies in pieces between each other's."""
    server = servers.start("server_blocking")
    peer = servers.honest(server, window=50)
    sids = [peer.start("POST", f"/{n}", body=b"x" * n) for n in range(50)]
    for n, sid in enumerate(sids):
        assert dict(json.loads(peer.wait(sid).body)["fields"])[":path"] == f"/{n}"
    peer.close()


def test_blocking_head_has_the_length_and_no_body(servers):
    server = servers.start("server_blocking")
    out = curl(server, "/", "-I").decode().lower()
    assert "http/2 200" in out and re.search(r"content-length: [1-9]\d+", out)


def test_blocking_serves_one_after_another(servers):
    server = servers.start("server_blocking")
    out, _ = run(["h2load", "-n100", "-c4", "-m10", server.url()])
    assert "100 succeeded, 0 failed, 0 errored" in out.decode()


@pytest.mark.parametrize("name", ["server_blocking", "server_poll", "server_upgrade"])
def test_a_head_over_the_limit_is_431(servers, name):
    server = servers.start(name)
    peer = servers.honest(server)
    big = [("x-big", "x" * 8000)] * 9
    assert peer.request("GET", "/", headers=big).status == 431
    resp = peer.request("GET", "/")
    assert resp.status == 200 and resp.complete
    peer.close()


# ---------------------------------------------------------------- server_poll


def test_poll_echoes_large_bodies(servers, tmp_path):
    server = servers.start("server_poll")
    (tmp_path / "body").write_bytes(BODY)
    assert curl(server, "/", "--data-binary", f"@{tmp_path}/body") == BODY
    assert server.rss() < server.spare(20 * MB)


@pytest.mark.parametrize("options", [["-w1", "-W1"], ["-w10"], ["-b", "200"], ["--no-content-length"]])
def test_poll_with_nghttp(servers, tmp_path, options):
    """Windows of an octet, padding in what the client sends, and no length."""
    server = servers.start("server_poll")
    size = 200 if "-w1" in options else 300000
    (tmp_path / "body").write_bytes(BODY[:size])
    assert run(["nghttp", *options, "-d", f"{tmp_path}/body", server.url()])[0] == BODY[:size]


def test_poll_serves_many_clients(servers, tmp_path):
    server = servers.start("server_poll")
    (tmp_path / "body").write_bytes(BODY[:20000])
    out, _ = run(["h2load", "-n1000", "-c50", "-m10", "-d", f"{tmp_path}/body", server.url()])
    assert "1000 succeeded, 0 failed, 0 errored" in out.decode()
    assert re.search(rf"\({20000 * 1000}\) data|{20000 * 1000}", out.decode()), out.decode()


def test_poll_more_clients_than_it_takes_at_once(servers):
    server = servers.start("server_poll")
    peers = [servers.wire(server) for _ in range(300)]
    for peer in peers:
        peer.close()
    alive(servers, server)


def test_poll_a_slow_reader_costs_a_window(servers, clients):
    """The client does not take its echo: the server takes a window of it and no more. Others go on."""
    server = servers.start("server_poll")
    slow = clients.add(servers.honest(server, window=1000))
    sid = slow.start("POST", "/", body=BODY[:MB], held=True)
    slow.wait_until(lambda: slow.h2.local_flow_control_window(sid) == 0, "the window to be used up")
    for _ in range(3):  # round trips: nothing comes back that was not given back
        slow.h2.ping(b"12345678")
        slow.pump(0.05)
    sent = MB - len(slow.streams[sid].out)
    assert len(slow.streams[sid].resp.body) == 1000
    assert sent <= WINDOW + 1000, sent
    alive(servers, server)
    slow.streams[sid].held = False
    slow.give_credit(sid)
    resp = slow.wait(sid, timeout=30)
    assert resp.complete and resp.body == BODY[:MB]


def test_poll_stalled_streams_do_not_stop_others_of_their_connection(servers, clients):
    """And what they have taken of the connection's window comes back when they are reset."""
    server = servers.start("server_poll")
    peer = clients.add(servers.honest(server, window=0))
    stalled = [peer.start("POST", "/", body=BODY[:WINDOW], held=True) for _ in range(15)]
    peer.wait_until(lambda: all(not len(peer.streams[s].out or b"") for s in stalled), "the bodies to be sent")
    other = peer.start("POST", "/", body=b"")
    assert peer.wait(other).complete
    assert peer.h2.outbound_flow_control_window < 1 << 17
    for sid in stalled:
        peer.reset(sid)
    peer.wait_until(lambda: peer.h2.outbound_flow_control_window >= 1 << 19, "the connection's window")
    peer.h2.update_settings({4: 100000})
    again = peer.request("POST", "/", body=BODY[:MB], timeout=30)
    assert again.complete and again.body == BODY[:MB]


def test_poll_does_not_listen_to_who_does_not_read(servers, clients):
    """Requests without end and no reading: the server stops taking them, keeps no more than a little, serves others,
    and has lost none when the client reads at last."""
    server = servers.start("server_poll")
    wire = clients.add(servers.wire(server, recv_buffer=4096))
    peer = RawH2(wire, "localhost").handshake()
    fields = [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/")]
    peer.headers(1, fields)
    assert peer.outcome(1) == ("response", 200)
    block, sid, before = peer.encode(fields), 1, server.rss()
    assert len(block) < 8  # all of it is in the table now

    def stuck():
        """Whether nothing was taken for half a second."""
        left = len(wire.out)
        wire.pump(0.5, read=False)
        return left and len(wire.out) == left

    while not stuck():
        assert sid < 10_000_000, "it takes everything"
        if len(wire.out) < MB:
            wire.send(b"".join(rawh2.frame(rawh2.HEADERS, 5, s, block) for s in range(sid + 2, sid + 50_002, 2)))
            sid += 50_000
    assert server.rss() - before < server.spare(2 * MB)
    alive(servers, server)
    wire.send(rawh2.frame(rawh2.PING, 0, 0, b"the last"))
    ended, last = 0, rawh2.frame(rawh2.PING, 1, 0, b"the last")
    empty = rawh2.frame(rawh2.DATA, 1, 0)[:5]  # how each response ends
    while last not in wire.inbuf:
        assert wire.pump(10), "nothing comes any more"
        keep = len(wire.inbuf) - len(last)
        if keep > 1 << 16 and last not in wire.inbuf:
            ended += wire.inbuf.count(empty, 0, keep)
            del wire.inbuf[: keep - len(empty) + 1]
    ended += wire.inbuf.count(empty)
    assert ended == (sid - 1) // 2


# ---------------------------------------------------------------- server_ev_tls


def tls_curl(servers, server, path, *args, **options):
    cmd = ["curl", "-sS", "--max-time", "30", "--cacert", servers.certs.ca.file, *args]
    return run([*cmd, server.url(path, "https", "localhost")], **options)


@pytest.mark.parametrize("size", [0, 1, 16384, 3000000])
def test_tls_answers_over_h2(servers, size):
    server = servers.start("server_ev_tls")
    out, _ = tls_curl(servers, server, f"/{size}", "-w", "%{http_version} %{http_code}")
    assert out == pattern(size) + b"2 200"


def test_tls_makes_bodies_while_it_sends_them(servers):
    server = servers.start("server_ev_tls")
    before = server.rss()
    out, _ = tls_curl(servers, server, "/200000000", "-o", "/dev/null", "-w", "%{size_download}")
    assert out == b"200000000" and server.rss() - before < server.spare(8 * MB)


def test_tls_head_unknown_path_and_bodies(servers, tmp_path):
    server = servers.start("server_ev_tls")
    assert "content-length: 777" in tls_curl(servers, server, "/777", "-I")[0].decode()
    out, _ = tls_curl(servers, server, "/index.html", "-w", "%{http_code}")
    assert out == b"404"
    (tmp_path / "body").write_bytes(BODY)
    assert tls_curl(servers, server, "/5", "--data-binary", f"@{tmp_path}/body")[0] == b"abcde"


def test_tls_with_nghttp_and_h2load(servers):
    server = servers.start("server_ev_tls")
    out, _ = run(["nghttp", "-w1", server.url("/100", "https", "localhost")])
    assert out == pattern(100)
    out, _ = run(["h2load", "-n1000", "-c20", "-m10", server.url("/20000", "https", "localhost")])
    assert "1000 succeeded, 0 failed, 0 errored" in out.decode()


def test_tls_only_with_h2(servers):
    """No ALPN, ALPN without h2, TLS 1.1, no TLS: refused; the server goes on."""
    server = servers.start("server_ev_tls")
    _, err = tls_curl(servers, server, "/1", "--http1.1", status=35)
    assert "no application protocol" in err
    tls_curl(servers, server, "/1", "--tls-max", "1.1", status=35)
    wire = Wire(("127.0.0.1", server.port), servers.certs.client_context(None), "localhost")
    wire.send(rawh2.PREFACE)
    assert wire.wait_eof() == b""
    wire.close()
    plain = Wire(("127.0.0.1", server.port))
    plain.send(rawh2.PREFACE)
    assert rawh2.PREFACE not in plain.wait_eof()
    plain.close()
    alive(servers, server)


def test_tls_slow_readers_beside_fast_ones(servers, clients):
    server = servers.start("server_ev_tls")
    silent = clients.add(Wire(("127.0.0.1", server.port)))  # never begins its handshake
    slow = clients.add(servers.honest(server, window=5000))
    sid = slow.start("GET", "/100000", held=True)
    slow.wait_body(sid, 5000)
    alive(servers, server)
    assert len(slow.streams[sid].resp.body) == 5000
    slow.streams[sid].held = False
    slow.give_credit(sid)
    assert slow.wait(sid, timeout=20).body == pattern(100000)
    assert not silent.eof


# ---------------------------------------------------------------- server_upgrade


def test_upgrade_with_curl(servers):
    server = servers.start("server_upgrade")
    for option, text, version in [
        ("--http2", b"HTTP/2 by upgrade\n", b"2"),
        ("--http2-prior-knowledge", b"HTTP/2 by prior knowledge\n", b"2"),
        ("--http1.1", b"HTTP/1.1\n", b"1.1"),
    ]:
        out, _ = run(["curl", "-sS", "--max-time", "10", option, "-w", "%{http_version}", server.url()])
        assert out == text + version
    out, _ = run(["curl", "-sSI", "--max-time", "10", "--http2", server.url()])
    assert b"101 Switching" in out and b"HTTP/2 200" in out and b"content-length: 18" in out


def test_upgrade_with_nghttp(servers):
    server = servers.start("server_upgrade")
    assert run(["nghttp", "-u", "-w1", server.url()])[0] == b"HTTP/2 by upgrade\n"
    out, _ = run(["nghttp", "-u", server.url("/1"), server.url("/2"), server.url("/3")])
    assert out == b"HTTP/2 by upgrade\n" * 3


def test_upgrade_with_python_h2(servers, clients):
    server = servers.start("server_upgrade")
    peer = clients.add(H2Client.upgrade(servers.wire(server), "localhost", "/"))
    assert peer.upgraded.status == 200 and peer.upgraded.body == b"HTTP/2 by upgrade\n"
    assert peer.request("GET", "/").body == b"HTTP/2 by upgrade\n"


GOOD = base64.urlsafe_b64encode(rawh2.settings_payload({4: 1000})).rstrip(b"=").decode()


UPGRADES = [
    (["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", f"HTTP2-Settings: {GOOD}"], b"HTTP/1.1 101 "),
    (
        ["Connection: upgrade", "Connection: http2-settings", "Upgrade: x, h2c", f"HTTP2-Settings: {GOOD}"],
        b"HTTP/1.1 101 ",
    ),
    (["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: ?"], b"HTTP/1.1 400 "),
    (["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAQ"], b"HTTP/1.1 400 "),
    (["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"], b"HTTP/1.1 200 "),
    (["Connection: Upgrade", "Upgrade: h2c", f"HTTP2-Settings: {GOOD}"], b"HTTP/1.1 200 "),
    (["Connection: HTTP2-Settings", "Upgrade: h2c", f"HTTP2-Settings: {GOOD}"], b"HTTP/1.1 200 "),
    (["Connection: Upgrade, HTTP2-Settings", "Upgrade: websocket", f"HTTP2-Settings: {GOOD}"], b"HTTP/1.1 200 "),
    (["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"] + [f"HTTP2-Settings: {GOOD}"] * 2, b"HTTP/1.1 200 "),
    (
        ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", f"HTTP2-Settings: {GOOD}", "Content-Length: 3"],
        b"HTTP/1.1 200 ",
    ),
    (["Bad Header: x"], b"HTTP/1.1 400 "),
    (["X: " + "x" * 9000], b"HTTP/1.1 431 "),
]


@pytest.mark.parametrize("pieces", [1, 7])
def test_upgrade_or_not(servers, clients, pieces):
    server = servers.start("server_upgrade")
    for lines, expected in UPGRADES:
        wire = clients.add(servers.wire(server))
        head = "\r\n".join(["GET / HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()
        for at in range(0, len(head), len(head) // pieces + 1):
            wire.send(head[at : at + len(head) // pieces + 1])
            wire.flush()
        wait_for(lambda: wire.pump(0.1) or len(wire.inbuf) > 13, "an answer")
        assert wire.inbuf.startswith(expected), (lines, bytes(wire.inbuf))
        clients.close()
        alive(servers, server)


def test_upgrade_with_the_preface_right_behind_the_request(servers, clients):
    server = servers.start("server_upgrade")
    wire = clients.add(servers.wire(server))
    head = ["GET / HTTP/1.1", "Host: localhost", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"]
    wire.send("\r\n".join(head + [f"HTTP2-Settings: {GOOD}", "", ""]).encode())
    wire.send(rawh2.PREFACE + rawh2.frame(rawh2.SETTINGS))
    wait_for(lambda: wire.pump(0.1) and b"\r\n\r\n" in wire.inbuf, "the 101")
    del wire.inbuf[: wire.inbuf.index(b"\r\n\r\n") + 4]
    peer = RawH2(wire, "localhost")
    assert peer.outcome(1) == ("response", 200)
    assert peer.frames[0].type == rawh2.SETTINGS and not peer.frames[0].flags
    assert peer.wait(lambda f: f.type == rawh2.DATA, "the body").payload == b"HTTP/2 by upgrade\n"


# ---------------------------------------------------------------- bad clients, and the end


def malformed():
    f, settings = rawh2.frame, rawh2.frame(rawh2.SETTINGS)
    return {
        "nothing": b"",
        "a byte": b"P",
        "half a preface": rawh2.PREFACE[:11],
        "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
        "noise": hashlib.sha256(b"noise").digest() * 1000,
        "preface and noise": rawh2.PREFACE + settings + hashlib.sha512(b"noise").digest() * 500,
        "no SETTINGS": rawh2.PREFACE + f(rawh2.PING, 0, 0, b"12345678"),
        "DATA on stream 0": rawh2.PREFACE + settings + f(rawh2.DATA, 0, 0, b"x"),
        "DATA on an idle stream": rawh2.PREFACE + settings + f(rawh2.DATA, 0, 1, b"x"),
        "bad HPACK": rawh2.PREFACE + settings + f(rawh2.HEADERS, 5, 1, b"\xff\xff\xff\xff\xff"),
        "a huge frame": rawh2.PREFACE + settings + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
        "half a frame": rawh2.PREFACE + settings + f(rawh2.HEADERS, 5, 1, b"abc")[:10],
        "an open header block": rawh2.PREFACE + settings + f(rawh2.HEADERS, 0, 1, b"\x82"),
        "no pseudo-header fields": rawh2.PREFACE + settings + f(rawh2.HEADERS, 5, 1, b"\x00\x01a\x01b"),
        "an open request": rawh2.PREFACE + settings + f(rawh2.HEADERS, 4, 1, b"\x82\x86\x84\x41\x01a"),
        "a reset request": rawh2.PREFACE + settings + f(rawh2.HEADERS, 4, 1, b"\x82\x86\x84\x41\x01a")
        + f(rawh2.DATA, 0, 1, b"x" * 1000) + f(rawh2.RST_STREAM, 0, 1, b"\0\0\0\x08"),
        "WINDOW_UPDATE of 0": rawh2.PREFACE + settings + f(rawh2.WINDOW_UPDATE, 0, 0, b"\0\0\0\0"),
    }


@pytest.mark.parametrize("name", ALL)
def test_bad_clients_do_no_harm(servers, name):
    """Each is sent, and the connection ended: by FIN at once, by a reset, or by who has had enough."""
    server = servers.start(name)
    for what, data in malformed().items():
        for ending in ("fin", "reset"):
            wire = servers.wire(server)
            wire.send(data)
            wire.pump(0)
            if ending == "reset" and not wire.tls:
                wire.reset()
            elif not wire.tls:
                try:
                    wire.shutdown_write()
                except OSError:
                    pass  # the server was faster
                wire.pump(0.02)
            wire.close()
            assert server.process.poll() is None, f"{what}, {ending}: {server.stderr()[-3000:]}"
    alive(servers, server)


@pytest.mark.parametrize("name", ["server_blocking", "server_poll", "server_ev_tls"])
def test_an_error_is_told(servers, clients, name):
    server = servers.start(name)
    peer = RawH2(clients.add(servers.wire(server)), "localhost").handshake()
    peer.send(rawh2.DATA, 0, 0, b"x")
    assert peer.goaway_code() == rawh2.PROTOCOL_ERROR
    peer.wire.wait_eof()
    assert "PROTOCOL_ERROR" in server.stderr()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("name", ALL + STEPS + ["step1_bytes"])
def test_it_ends_when_it_is_told_to(servers, name, number):
    server = servers.start(name)
    server.signal(number)
    server.wait_exit(5)


def finish_upload(peer, sid, body):
    peer.streams[sid].manual = False
    return peer.wait(sid, timeout=10)


@pytest.mark.parametrize("name", ["server_blocking", "server_poll"])
def test_open_uploads_are_finished_at_the_end(servers, clients, name):
    server = servers.start(name)
    peer = clients.add(servers.honest(server))
    sid = peer.start("POST", "/", body=b"x" * 100, manual=True)
    peer.send_piece(sid, 50)
    peer.h2.ping(b"12345678")
    peer.wait_until(lambda: peer.streams[sid].resp.status or name == "server_blocking", "the head")
    peer.pump(0.05)
    server.signal()
    peer.wait_until(lambda: peer.goaways, "GOAWAY")
    assert peer.goaways[-1] == (sid, 0)
    resp = finish_upload(peer, sid, b"x" * 100)
    assert resp.complete and resp.status == 200
    assert name != "server_poll" or resp.body == b"x" * 100
    server.wait_exit()


def test_tls_open_downloads_are_finished_at_the_end(servers, clients):
    """First the notice with the highest stream id, after a round trip the last word."""
    server = servers.start("server_ev_tls")
    peer = clients.add(servers.honest(server, window=1000))
    sid = peer.start("GET", "/50000", held=True)
    peer.wait_body(sid, 1000)
    server.signal()
    peer.wait_until(lambda: len(peer.goaways) >= 2, "both GOAWAYs")
    assert peer.goaways == [(2**31 - 1, 0), (sid, 0)]
    peer.streams[sid].held = False
    peer.give_credit(sid)
    assert peer.wait(sid, timeout=10).body == pattern(50000)
    server.wait_exit()


@pytest.mark.parametrize("name", ALL)
def test_it_ends_in_time_with_clients_that_do_not(servers, clients, name):
    server = servers.start(name)
    peer = RawH2(clients.add(servers.wire(server)), "localhost").handshake()
    peer.headers(1, peer.fields("/100", "POST"), flags=rawh2.END_HEADERS)
    peer.ping()
    server.signal()
    server.wait_exit(10)
