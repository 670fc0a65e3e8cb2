"""The five ways in, with one face: connect(front, proxy, host) gives a client with request()."""

from .h1client import H1Client
from .h2client import H2Client
from .rawh2 import RawH2
from .wire import Wire

FRONTS = ("h2-tls", "h1-tls", "h1", "h2-prior", "h2c-upgrade")
H2_FRONTS = ("h2-tls", "h2-prior", "h2c-upgrade")
H1_FRONTS = ("h1-tls", "h1")


def is_h2(front):
    return front in H2_FRONTS


def wire(front, proxy, alpn=None, server_name="front.test", **options):
    """A transport connection to the listener that this front uses."""
    if not front.endswith("-tls"):
        return Wire(("127.0.0.1", proxy.clear_port), **options)
    if alpn is None:
        alpn = ["h2"] if front == "h2-tls" else ["http/1.1"]
    ctx = proxy.certs.client_context(alpn)
    return Wire(("127.0.0.1", proxy.tls_port), ctx, server_name, **options)


def connect(front, proxy, host, h2_options=None, **options):
    if front == "h2c-upgrade":
        return H2Client.upgrade(wire(front, proxy, **options), host)
    link = wire(front, proxy, **options)
    if front == "h2-tls":
        assert link.alpn() == "h2", link.alpn()
        return H2Client(link, host, "https", **(h2_options or {}))
    if front == "h2-prior":
        return H2Client(link, host, "http", **(h2_options or {}))
    return H1Client(link, host)


def raw_h2(proxy, host, front="h2-prior", settings=None, **options):
    return RawH2(wire(front, proxy, **options), host).handshake(settings)
