"""Many at once, and slow ones beside fast ones."""

import time

import pytest
from conftest import pairs_where

from lib import fronts
from lib.behaviours import pattern_bytes
from lib.waiting import wait_for

RATE = 10 * 1024
FAST = 1 << 20
BOUND = 4.0  # seconds for what takes a tenth of one alone


@pairs_where(lambda front, back: fronts.is_h2(front))
def test_100_streams_are_answered_at_the_same_time(pair, token):
    """The backend answers none of them before all have come."""
    client = pair.connect()
    sids = [client.start("GET", f"/barrier?n=100&id={token}&i={i}") for i in range(100)]
    for i, sid in enumerate(sids):
        resp = client.wait(sid, timeout=10)
        assert resp.status == 200 and resp.body == str(i).encode(), resp


@pairs_where(lambda front, back: not fronts.is_h2(front))
def test_40_connections_are_answered_at_the_same_time(pair, token):
    many = [pair.connect() for _ in range(40)]
    for i, client in enumerate(many):
        client.start("GET", f"/barrier?n=40&id={token}&i={i}")
        client.wire.flush()
    for i, client in enumerate(many):
        assert client.finish().body == str(i).encode()


def fast_ones(pair, client=None):
    """Three downloads and three uploads of 1 MB; returns the seconds they took."""
    client = client or pair.connect()
    begun = time.monotonic()
    for _ in range(3):
        resp = client.request("GET", f"/big?n={FAST}", timeout=BOUND)
        assert resp.complete and len(resp.body) == FAST
        resp = client.request("POST", "/dump", body=pattern_bytes(FAST), timeout=BOUND)
        assert resp.status == 200, resp
    return time.monotonic() - begun


@pairs_where()
def test_slow_reader_does_not_slow_others(pair, token):
    """One client takes 10 KB/s of a large response; with h2 the fast ones share its connection."""
    slow = pair.connect()
    if pair.h2_front:
        sid = slow.start("GET", f"/big?n={8 * FAST}&id={token}", held=True)
        slow.wait_body(sid, 1000)
        for _ in range(5):
            slow.give_credit(sid, RATE // 5)
            slow.pump(0)
        took = fast_ones(pair, slow)
        slow.give_credit(sid, RATE)
        assert not slow.streams[sid].done and len(slow.streams[sid].resp.body) < 2 * FAST
        slow.reset(sid)
        assert slow.request("GET", "/hello").status == 200
    else:
        slow.start("GET", f"/big?n={32 * FAST}&id={token}")
        resp = slow.read_final_head()
        slow.read_some(resp, 1000)
        took = fast_ones(pair)
        slow.read_some(resp, RATE)
    assert took < BOUND


@pairs_where()
def test_slow_writer_does_not_slow_others(pair, token):
    """One client sends its body at 10 KB/s while others upload and download."""
    slow = pair.connect()
    body = pattern_bytes(200 * 1024)
    if pair.h2_front:
        sid = slow.start("POST", f"/dump?id={token}", body=body, manual=True)
        for _ in range(5):
            slow.send_piece(sid, RATE // 5)
        took = fast_ones(pair, slow)
        slow.streams[sid].manual = False
        resp = slow.wait(sid)
    else:
        payload = slow.start("POST", f"/dump?id={token}", body=body, expect=True)
        slow.wire.send(payload[:RATE])
        slow.wire.flush()
        wait_for(lambda: pair.origin.find(token), "the slow request at the backend")
        took = fast_ones(pair)
        slow.wire.send(payload[RATE:])
        resp = slow.finish()
    assert took < BOUND
    assert resp.status == 200 and f'"length": {len(body)}' in resp.body.decode()


@pairs_where()
@pytest.mark.parametrize("what", ["slow-send", "slow-read"])
def test_slow_backend_request_does_not_slow_others(pair, what, token):
    """A backend that sends or reads one message at 10 KB/s; with h2 backends the fast ones share its connection."""
    slow = pair.connect()
    n = 4 * FAST
    if what == "slow-send":
        args, wanted = ("GET", f"/slow-send?n={n}&rate={RATE}&id={token}"), {}
    else:
        args, wanted = ("POST", f"/slow-read?rate={RATE}&id={token}"), {"body": pattern_bytes(n)}
    started = slow.start(*args, **wanted)
    if pair.h2_front:
        wait_for(lambda: slow.pump(0.01) or pair.origin.find(token), "the slow request at the backend")
    else:
        slow.wire.pump(0.05)
        wait_for(lambda: slow.wire.pump(0.01) * 0 or pair.origin.find(token), "the slow request at the backend")
    took = fast_ones(pair)
    assert took < BOUND
    assert not pair.origin.one(token).finished
    pair.origin.release(token)
    resp = slow.wait(started, 10) if pair.h2_front else slow.finish(timeout=10)
    assert resp.status == 200 and resp.complete, resp


@pairs_where(lambda front, back: fronts.is_h2(front))
def test_both_directions_flow_at_once(pair):
    """What gRPC needs: each piece of the request is answered before the next is sent."""
    client = pair.connect()
    sid = client.start("POST", "/duplex", body=b"a" * 1000 + b"b" * 1000, use_chunked=True, manual=True)
    stream = client.streams[sid]
    client.send_piece(sid, 1000)
    client.wait_body(sid, 1000)
    assert bytes(stream.resp.body) == b"a" * 1000
    stream.manual = False
    resp = client.wait(sid)
    assert resp.complete and resp.body == b"a" * 1000 + b"b" * 1000
