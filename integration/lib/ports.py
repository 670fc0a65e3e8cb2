"""Free TCP ports.

The program under test listens with SO_REUSEPORT, so two of them on one port would not fail but share it. Ports are
therefore taken from below the ephemeral range and held, by an abstract UNIX socket of their name, for as long as this
process lives: runs and xdist workers beside each other never get the same one.
"""

import random
import socket

FIRST, LAST = 10240, 32000
_held = {}


def _hold(port):
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0nghttpx-test-port-{port}")
    except OSError:
        name.close()
        return None
    return name


def _unused(port):
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def free_port():
    """A port that nobody listens on, held for this process until release_port()."""
    for _ in range(2000):
        port = random.randint(FIRST, LAST)
        name = _hold(port)
        if name is None:
            continue
        if _unused(port):
            _held[port] = name
            return port
        name.close()
    raise RuntimeError("no free port")


def release_port(port):
    name = _held.pop(port, None)
    if name is not None:
        name.close()
