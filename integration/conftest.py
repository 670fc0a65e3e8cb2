"""Fixtures of the end-to-end tests. How to run them: README.md.

NGHTTPX names the program under test; the default is build/release/proxy/nghttpx of this checkout.
"""

import os
import re
import shutil
import signal
import tempfile
import uuid

import pytest

from lib import fronts
from lib.certs import Certs
from lib.frame_backend import FrameBackend
from lib.origin import Origin, OriginLoop
from lib.ports import free_port, release_port
from lib.processes import children
from lib.program import Program
from lib.proxy import BINARY, Proxy
from lib.tunnel import TunnelServer

# The backends of the shared proxy: host name -> (protocol, TLS, UNIX socket).
BACKS = {
    "h1": ("h1", False, False),
    "h1tls": ("h1", True, False),
    "h2": ("h2", False, False),
    "h2tls": ("h2", True, False),
    "h1unix": ("h1", False, True),
    "h2unix": ("h2", False, True),
}


def host_of(back):
    return f"{back}.test"


def pytest_configure(config):
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"no program to test: {BINARY} (set NGHTTPX, or build it)", returncode=4)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failing test's report carries what the proxies of the moment have written."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        proxies = list(getattr(item, "proxies", []))
        for proxy in proxies + [p for p in Proxy.running if p not in proxies]:
            try:
                text = proxy.stderr()[proxy.shown :][-4000:]
            except OSError:
                continue
            report.sections.append((f"nghttpx {' '.join(proxy.cmd[1:])}", text or "(no output)"))


@pytest.fixture(scope="session")
def workdir():
    """A short path: UNIX sockets live here, and sun_path is small."""
    folder = tempfile.mkdtemp(prefix="ngx-it-")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def certs(workdir):
    folder = os.path.join(workdir, "certs")
    os.mkdir(folder)
    return Certs(folder)


@pytest.fixture(scope="session")
def origin_loop():
    loop = OriginLoop()
    yield loop
    loop.stop()


@pytest.fixture(scope="session")
def make_session_origin(origin_loop, certs, workdir):
    return _origin_maker(origin_loop, certs, workdir)


def _origin_maker(loop, certs, folder):
    def make(proto="h1", tls=False, unix=False, pair=None, alpn=None, **options):
        context = None
        if tls:
            alpn = alpn if alpn is not None else (["h2"] if proto == "h2" else ["http/1.1"])
            context = (pair or certs.back).server_context(alpn)
        path = os.path.join(folder, f"{uuid.uuid4().hex[:12]}.sock") if unix else None
        return Origin(loop, proto, tls=context, unix=path, **options)

    return make


@pytest.fixture
def make_origin(origin_loop, certs, workdir):
    """make_origin(proto="h1"|"h2", tls=…, unix=…) -> Origin, stopped at the end of the test."""
    maker, made = _origin_maker(origin_loop, certs, workdir), []

    def make(**options):
        made.append(maker(**options))
        return made[-1]

    yield make
    for origin in made:
        origin.stop()


@pytest.fixture
def make_frame_backend(origin_loop):
    made = []

    def make(streams=1000):
        made.append(FrameBackend(origin_loop, streams))
        return made[-1]

    yield make
    for backend in made:
        backend.stop()


@pytest.fixture
def make_server(origin_loop):
    """Backends that open tunnels, as the test tells them to."""
    made = []

    def make(proto="h1", **options):
        made.append(TunnelServer(origin_loop, proto, **options))
        return made[-1]

    yield make
    for server in made:
        server.stop()
        assert not server.errors, server.errors


@pytest.fixture
def program(tmp_path, make_origin, free_ports):
    made = Program(tmp_path, make_origin(), free_ports(1)[0])
    yield made
    if made.process is not None:
        pids = {made.pid}
        if made.pid_file.exists():
            pids.add(int(made.pid_file.read_text()))
        for pid in pids:
            for group in {pid, *children(pid)}:
                try:
                    os.kill(group, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        made.process.wait()
    log = made.stderr() if made.log.exists() else ""
    assert not re.search(r"ERROR: \w+Sanitizer|runtime error:|Assertion .* failed", log), log[-6000:]


@pytest.fixture
def start_proxy(request, certs, tmp_path, clients):
    """start_proxy(backs, fronts=…, args=…) -> Proxy of this test alone; must end well."""
    request.node.proxies = started = []

    def start(backs, **options):
        folder = tmp_path / f"proxy{len(started)}"
        folder.mkdir()
        backs = [b if isinstance(b, str) else b.backend() for b in (backs if isinstance(backs, list) else [backs])]
        proxy = Proxy(certs, backs, folder=str(folder), **options)
        started.append(proxy)
        proxy.start()
        missing = re.search(r"[^\n]* has no effect yet", proxy.stderr())
        if missing:
            pytest.skip(missing[0])  # an option of the original that the program says it does not have so far
        return proxy

    yield start
    clients.close()
    for proxy in started:
        if proxy.process is not None and proxy in Proxy.running:
            proxy.stop()


@pytest.fixture
def free_ports():
    """free_ports(n) -> n ports that nobody else takes until the end of the test."""
    held = []

    def take(n):
        held.extend(free_port() for _ in range(n))
        return held[-n:]

    yield take
    for port in held:
        release_port(port)


class Clients:
    """Closes what the test left open, so that no proxy waits for it when it drains."""

    def __init__(self):
        self._open = []

    def add(self, client):
        self._open.append(client)
        return client

    def connect(self, front, proxy, host="front.test", **options):
        return self.add(fronts.connect(front, proxy, host, **options))

    def wire(self, front, proxy, **options):
        return self.add(fronts.wire(front, proxy, **options))

    def raw_h2(self, proxy, host="front.test", **options):
        return self.add(fronts.raw_h2(proxy, host, **options))

    def close(self):
        for client in self._open:
            client.close()
        self._open.clear()


@pytest.fixture
def clients():
    opened = Clients()
    yield opened
    opened.close()


@pytest.fixture
def token():
    """A name for the requests of this test."""
    return uuid.uuid4().hex


class Grid:
    """One proxy in front of every kind of backend, told apart by host name. Shared by the tests of a worker."""

    def __init__(self, certs, make_origin, folder):
        self.certs, self.folder = certs, folder
        self.origins = {
            name: make_origin(proto=proto, tls=tls, unix=unix) for name, (proto, tls, unix) in BACKS.items()
        }
        self.proxy = None

    def backs(self):
        patterns = {name: f"{host_of(name)}/" for name in BACKS}
        patterns["h1"] += ":/"  # and the catch-all
        return [self.origins[name].backend(patterns[name]) for name in BACKS]

    def ready(self):
        if self.proxy is None or not self.proxy.alive():
            if self.proxy is not None:
                self.proxy.kill()
            self.proxy = Proxy(self.certs, self.backs(), tempfile.mkdtemp(dir=self.folder)).start()
        return self

    def stop(self):
        try:
            if self.proxy is not None:
                self.proxy.stop()
        finally:
            for origin in self.origins.values():
                origin.stop()


@pytest.fixture(scope="session")
def _grid(certs, make_session_origin, workdir):
    grid = Grid(certs, make_session_origin, workdir)
    yield grid
    grid.stop()


@pytest.fixture
def grid(_grid, clients, request):
    """The shared proxy, alive before and after the test, and no backend saw a protocol error."""
    _grid.ready()
    request.node.proxies = [_grid.proxy]
    _grid.proxy.shown = len(_grid.proxy.stderr())
    for origin in _grid.origins.values():
        origin.errors.clear()
    yield _grid
    clients.close()
    for name, origin in _grid.origins.items():
        assert not origin.errors, f"{name}: {origin.errors}"
    report = _grid.proxy.sanitizer_report()
    assert not report, report[-6000:]
    assert _grid.proxy.alive(), f"the proxy died:\n{_grid.proxy.stderr()[-6000:]}"


class Pair:
    """One front in front of one back."""

    def __init__(self, grid, front, back, clients):
        self.grid, self.front, self.back, self._clients = grid, front, back, clients
        self.proxy, self.origin, self.host = grid.proxy, grid.origins[back], host_of(back)
        self.h2_front = fronts.is_h2(front)
        self.h2_back = self.origin.proto == "h2"

    def connect(self, **options):
        return self._clients.connect(self.front, self.proxy, self.host, **options)


PAIRS = [(f, b) for f in fronts.FRONTS for b in ("h1", "h1tls", "h2", "h2tls")]
PAIRS += [("h1", "h1unix"), ("h2-tls", "h2unix")]


def pairs_where(condition=lambda front, back: True):
    """Parameters for the `pair` fixture: the combinations that `condition` takes."""
    chosen = [p for p in PAIRS if condition(*p)]
    return pytest.mark.parametrize("pair", chosen, indirect=True, ids=[f"{f}-to-{b}" for f, b in chosen])


@pytest.fixture
def pair(request, grid, clients):
    return Pair(grid, *request.param, clients)
