"""Free TCP ports.

The program under test listens with SO_REUSEPORT, so two of them on one port would not fail but share it. Ports are
therefore taken from below the ephemeral range and held with a file lock for as long as this process lives: runs and
xdist workers beside each other never get the same one.
"""

import fcntl
import os
import random
import socket
import tempfile

FIRST, LAST = 10240, 32000
_held = {}


def _lock(port):
    folder = os.path.join(tempfile.gettempdir(), f"nghttpx-test-ports-{os.getuid()}")
    os.makedirs(folder, exist_ok=True)
    handle = open(os.path.join(folder, str(port)), "w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    return handle


def _unused(port):
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def free_port():
    """A port that nobody listens on, locked for this process until release_port()."""
    for _ in range(2000):
        port = random.randint(FIRST, LAST)
        if port in _held:
            continue
        lock = _lock(port)
        if lock is None:
            continue
        if _unused(port):
            _held[port] = lock
            return port
        lock.close()
    raise RuntimeError("no free port")


def release_port(port):
    lock = _held.pop(port, None)
    if lock is not None:
        lock.close()
