"""Clients that do everything at once and leave at any moment; what is left behind must be nothing.

The steps are random but follow from the seed, which is the test's parameter. With a sanitized program this looks for
what is freed too early or never.
"""

import random
import signal

import pytest
from conftest import BACKS, host_of

from lib import fronts
from lib.behaviours import pattern_bytes
from lib.wire import Closed

FRONTS = ["h2-tls", "h1-tls", "h1", "h2-prior"]
STEPS = 120


def paths(rng, token):
    """(method, target, body) of something to ask for."""
    n = rng.choice([0, 1, 1000, 16384, 70000, 400000])
    return rng.choice(
        [
            ("GET", "/hello", None),
            ("GET", f"/big?n={n}", None),
            ("HEAD", f"/big?n={n}", None),
            ("GET", "/chunked", None),
            ("GET", "/trailers", None),
            ("GET", "/early-hints", None),
            ("GET", f"/close?n={n}", None),
            ("GET", "/status?code=304", None),
            ("GET", f"/never?id={token}", None),
            ("GET", f"/hold-open?id={token}", None),
            ("GET", f"/slow-send?n=3000&rate=100000&id={token}", None),
            ("GET", f"/die?now=1&how={rng.choice(['length', 'chunked', 'head'])}&what={rng.choice(['stream', 'conn'])}&id=x", None),
            ("POST", "/echo", pattern_bytes(n)),
            ("POST", "/duplex", pattern_bytes(n)),
            ("POST", "/dump", pattern_bytes(n)),
            ("POST", "/refuse-body?keep=1", pattern_bytes(n)),
            ("POST", f"/never-read?id={token}", pattern_bytes(n)),
        ]
    )


def h1_step(rng, client, token):
    """One request, finished or not. True: the connection may go on."""
    method, target, body = paths(rng, token)
    client.start(method, target, body=body, use_chunked=rng.random() < 0.5, version=rng.choice(["HTTP/1.1"] * 4 + ["HTTP/1.0"]))
    if "/never" in target or "/hold" in target or rng.random() < 0.4:
        for _ in range(rng.randrange(4)):
            client.wire.pump(0.003, limit=rng.choice([1, 1000, 1 << 18]))
        client.wire.reset() if rng.random() < 0.5 else client.close()
        return False
    try:
        resp = client.finish(method)
    except Closed:
        return False
    return resp.complete and resp.get("connection") is None and not client.wire.eof


def h2_step(rng, client, token):
    """Some streams at once; some are reset, some are left behind."""
    sids = []
    for _ in range(rng.randrange(1, 12)):
        method, target, body = paths(rng, token)
        trailers = [("x-t", "1")] if body and rng.random() < 0.2 else ()
        sids.append((client.start(method, target, body=body, trailers=trailers, held=rng.random() < 0.2), target))
        if rng.random() < 0.3:
            client.pump(0.002)
    for sid, target in sids:
        stream = client.streams[sid]
        if stream.done:
            continue
        if "/never" in target or "/hold" in target or stream.held or rng.random() < 0.3:
            client.pump(rng.choice([0, 0.002]))
            if not stream.done and not client.wire.eof:
                client.reset(sid)
                stream.done = True
        else:
            client.wait(sid, 8)
    return rng.random() < 0.7 and not client.wire.eof


def chaos(rng, clients, proxy, token, steps):
    open_ones = {}
    for _ in range(steps):
        front, back = rng.choice(FRONTS), rng.choice(list(BACKS))
        client = open_ones.pop((front, back), None) or clients.connect(front, proxy, host_of(back))
        step = h2_step if fronts.is_h2(front) else h1_step
        try:
            go_on = step(rng, client, token)
        except Closed:
            go_on = False
        if go_on:
            open_ones[front, back] = client
        elif not client.wire.eof:
            client.wire.reset() if rng.random() < 0.5 else client.close()


@pytest.mark.parametrize("seed", range(6))
def test_clients_that_come_and_go(grid, clients, token, seed):
    chaos(random.Random(seed), clients, grid.proxy, token, STEPS)
    clients.close()
    for origin in grid.origins.values():
        origin.release(token)
        # Backends die here on purpose, and streams are reset while the origins answer.
        origin.errors.clear()
    for front in FRONTS:
        for back in BACKS:
            client = clients.connect(front, grid.proxy, host_of(back))
            assert client.request("GET", "/hello").body == b"hello\n", f"{front} to {back} is broken"


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM], ids=["SIGQUIT", "SIGTERM"])
@pytest.mark.parametrize("seed", range(3))
def test_ending_in_the_middle_of_it(start_proxy, _grid, clients, token, seed, number):
    """Everything is in some state when the signal comes; the clients then leave one after the other."""
    rng = random.Random(1000 + seed)
    proxy = start_proxy(_grid.backs(), args=["--workers=2"])
    busy = []
    for _ in range(25):
        front, back = rng.choice(FRONTS), rng.choice(list(BACKS))
        client = clients.connect(front, proxy, host_of(back))
        method, target, body = paths(rng, token)
        started = client.start(method, target, body=body)
        busy.append((client, started))
        client.pump(0.002) if fronts.is_h2(front) else client.wire.pump(0.002)
    proxy.signal(number)
    for client, _ in busy:
        for _ in range(3):
            client.pump(0.002) if client.protocol == "h2" else client.wire.pump(0.002)
        client.close()
    for origin in _grid.origins.values():
        origin.release(token)
    assert proxy.wait_exit() == 0


def test_idle_clients_of_every_kind_leave_at_once(grid, clients):
    """A hundred connections in every state that has no request, closed together."""
    rng = random.Random(7)
    for _ in range(100):
        front = rng.choice(FRONTS)
        wire = clients.wire(front, grid.proxy)
        wire.send(rng.choice([b"", b"G", b"GET / HTTP/1.1\r\n", b"PRI * HTT", b"\x00" * 9]))
        wire.pump(0)
    clients.close()
    assert clients.connect("h1", grid.proxy, host_of("h1")).request("GET", "/hello").status == 200
