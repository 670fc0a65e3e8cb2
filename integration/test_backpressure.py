"""A slow side stops the fast one, and the proxy keeps next to nothing in between."""

import struct
import time

import pytest

from lib import fronts, rawh2
from lib.proxy import is_sanitized
from lib.waiting import wait_for, wait_stable

MB = 1 << 20
HUGE = 200 * MB
# What the kernel may hold for both connections of an exchange; the rest would be in the proxy.
IN_SOCKETS = 80 * MB
# "A few MB": socket-sized pieces and the allocator's habits. Sanitizers keep freed memory for a while.
GROWTH = 64 * MB if is_sanitized() else 8 * MB

PAIRS = [("h1", "h1"), ("h1", "h2"), ("h2-tls", "h1"), ("h2-tls", "h2"), ("h2-prior", "h2"), ("h1-tls", "h1")]


def warmed_up(start_proxy, clients, origin, front):
    """A proxy that has seen each kind of work once, so that what is measured is the body."""
    proxy = start_proxy([origin])
    client = clients.connect(front, proxy)
    assert client.request("GET", f"/big?n={MB}").complete
    assert client.request("POST", "/dump", body=bytes(MB)).status == 200
    client.close()
    return proxy, proxy.rss()


@pytest.mark.parametrize("front,back", PAIRS)
def test_slow_client_of_a_huge_response(start_proxy, make_origin, clients, token, front, back):
    origin = make_origin(proto=back, send_buffer=256 * 1024)
    proxy, before = warmed_up(start_proxy, clients, origin, front)
    client = clients.connect(front, proxy, recv_buffer=65536)
    started = client.start("GET", f"/big?n={HUGE}&id={token}", **({"held": True} if fronts.is_h2(front) else {}))
    if fronts.is_h2(front):
        client.wait_body(started, MB // 2)
    else:
        resp = client.read_final_head()
        client.read_some(resp, MB // 2)
    record = origin.one(token)
    sent = wait_stable(lambda: record.sent if record.blocked else 0, "the backend is stopped")
    assert sent < IN_SOCKETS, f"the proxy took {sent / MB:.0f} MB that nobody wanted"
    assert proxy.rss() - before < GROWTH
    # And it goes on when the client does.
    if fronts.is_h2(front):
        client.streams[started].held = False
        client.give_credit(started)
        client.wait_body(started, 8 * MB)
    else:
        client.read_some(resp, 8 * MB)
    assert proxy.rss() - before < GROWTH


@pytest.mark.parametrize("front,back", PAIRS)
def test_slow_backend_of_a_huge_upload(start_proxy, make_origin, clients, token, front, back):
    origin = make_origin(proto=back, recv_buffer=65536)
    proxy, before = warmed_up(start_proxy, clients, origin, front)
    client = clients.connect(front, proxy, send_buffer=65536)
    body = bytes(HUGE)
    if fronts.is_h2(front):
        client.start("POST", f"/never-read?id={token}", body=body)
        pump = client.pump
    else:
        client.send_raw(f"POST /never-read?id={token} HTTP/1.1\r\nHost: x.test\r\nContent-Length: {HUGE}\r\n\r\n".encode())
        client.send_raw(body)
        pump = client.wire.pump

    def sent():
        before = -1
        while client.wire.sent > before:
            before = client.wire.sent
            pump(0.02)
        return client.wire.sent

    taken = wait_stable(sent, "the client is stopped", timeout=10)
    assert taken < IN_SOCKETS, f"the proxy took {taken / MB:.0f} MB that the backend did not want"
    assert proxy.rss() - before < GROWTH
    origin.release(token)
    deadline = time.monotonic() + 5
    while client.wire.sent < taken + MB:
        assert time.monotonic() < deadline, "the upload does not go on"
        pump(0.02)
    assert proxy.rss() - before < GROWTH


@pytest.mark.parametrize("back", ["h1", "h2"])
def test_many_stalled_streams(start_proxy, make_origin, clients, token, back):
    """A hundred responses of 20 MB on one connection whose windows stay shut."""
    origin = make_origin(proto=back)
    proxy, before = warmed_up(start_proxy, clients, origin, "h2-tls")
    client = clients.connect("h2-tls", proxy, h2_options={"window": 1000})
    sids = [client.start("GET", f"/big?n={20 * MB}&id={token}", held=True) for _ in range(100)]
    for sid in sids:
        client.wait_body(sid, 1000)
    wait_stable(lambda: sum(r.sent for r in origin.find(token)), "all backends' streams are stopped")
    assert proxy.rss() - before < GROWTH + 100 * 256 * 1024, f"{(proxy.rss() - before) / MB:.1f} MB"


def test_memory_comes_back(start_proxy, make_origin, clients):
    """Connections that are gone leave nothing: 300 of them, then 300 more, and no growth between."""
    origin = make_origin()
    proxy, _ = warmed_up(start_proxy, clients, origin, "h1")

    def round_of(n):
        for _ in range(n):
            client = clients.connect("h2-prior", proxy)
            assert client.request("GET", "/hello").status == 200
            client.close()
        return proxy.rss()

    first = round_of(300)
    assert round_of(300) - first < (GROWTH if is_sanitized() else MB)


def windows_of(frames):
    """(a stream's, the connection's) that these SETTINGS and WINDOW_UPDATE frames make."""
    stream = conn = 65535
    for f in frames:
        if f.type == rawh2.SETTINGS and not f.flags:
            pairs = [struct.unpack_from(">HI", f.payload, at) for at in range(0, len(f.payload), 6)]
            stream = dict(pairs).get(4, stream)
        elif f.type == rawh2.WINDOW_UPDATE and f.sid == 0:
            conn += int.from_bytes(f.payload, "big")
    return stream, conn


@pytest.mark.parametrize("option,wanted", [(None, 65535), ("16K", 16384), ("4M", 4 << 20)])
def test_windows_are_what_the_options_say(start_proxy, make_frame_backend, clients, option, wanted):
    """Whatever the buffers are: over a long way the window decides how fast a body can be."""
    back = make_frame_backend()
    sizes = [f"--{side}-http2-window-size={option}" for side in ("frontend", "backend")] if option else []
    sizes += ["--frontend-http2-connection-window-size=8M", "--backend-http2-connection-window-size=9M"]
    proxy = start_proxy([back.backend()], args=sizes)
    client = clients.raw_h2(proxy)
    client.headers(1, client.fields())
    wait_for(lambda: back.of_type(rawh2.HEADERS), "the request at the backend")
    assert windows_of(client.frames) == (wanted, 8 << 20)
    assert windows_of(back.frames) == (wanted, 9 << 20)
    back.send(rawh2.frame(rawh2.RST_STREAM, 0, 1, bytes(4)))
    client.outcome(1)


@pytest.mark.parametrize("front,back", [("h1", "h1"), ("h2-tls", "h2")])
def test_huge_download_at_full_speed(start_proxy, make_origin, clients, token, front, back):
    origin = make_origin(proto=back)
    proxy, before = warmed_up(start_proxy, clients, origin, front)
    client = clients.connect(front, proxy)
    begun = time.monotonic()
    resp = client.request("GET", f"/big?n={50 * MB}&id={token}", timeout=20)
    assert resp.complete and len(resp.body) == 50 * MB
    assert time.monotonic() - begun < 15
    assert proxy.rss() - before < GROWTH
