"""The processes of a running program: which there are, and the signals that they are told by."""

import os
import re
import signal
import socket
import struct

from .waiting import wait_for

RELOADED = re.compile(r"reloaded: worker process (\d+) serves")


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # it may end between the two calls
        return False


def listens(pid, port):
    """Whether a process has a listening socket of this port (IPv4) open."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}
    try:
        return any(os.readlink(f"/proc/{pid}/fd/{fd}") in inodes for fd in os.listdir(f"/proc/{pid}/fd"))
    except FileNotFoundError:  # one was closed meanwhile; or it has ended
        return is_running(pid)


def children(pid):
    """The living worker processes of a main process."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    fields = stat.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry))
    return found


def reload(proxy, pid=None):
    """Sends SIGHUP and waits until the new worker process serves and the old one is gone or leaving."""
    before = len(proxy.stderr())

    def outcome():
        said = proxy.stderr()[before:]
        assert "reload failed" not in said, said
        return RELOADED.findall(said)

    os.kill(pid or proxy.process.pid, signal.SIGHUP)
    return int(wait_for(outcome, lambda: f"the reload; {proxy.stderr()[before:]}", 20)[-1])


def swap(proxy, pid_file):
    old = int(pid_file.read_text())
    os.kill(old, signal.SIGUSR2)
    wait_for(lambda: int(pid_file.read_text()) != old, "the new binary's PID file", 20)
    wait_for(lambda: not is_running(old), "the end of the old main process", 20)
    return int(pid_file.read_text())


def get(port, path="/hello"):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.settimeout(10)
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: front.test\r\nConnection: close\r\n\r\n".encode())
        got = b""
        while chunk := s.recv(65536):
            got += chunk
        return got


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer else 0


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


SERVING = re.compile(r" (\d+) [0-9a-f]+ NOTICE \(service\.c:\d+\) serving with")


def serving(log):
    """The worker processes that have said that they serve, in the order of their starts. What /proc shows as a child
    may be none: LeakSanitizer looks for leaks from one of its own."""
    return [int(pid) for pid in SERVING.findall(log)]


def finish(proxy, pid):
    """Ends a program whose main process is no child of ours any more."""
    os.kill(pid, signal.SIGQUIT)
    wait_for(lambda: not is_running(pid), "the end of the last main process", 20)
    assert not proxy.sanitizer_report()


class Manager:
    """systemd's end of the notification socket. `seen`: who said what."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(self.path)
        self.socket.settimeout(10)
        self.seen = []

    def _take(self):
        text, control, _, _ = self.socket.recvmsg(4096, 256)
        self.seen.append((struct.unpack("iii", control[0][2])[0], text.decode()))

    def find(self, text, pid=None):
        return next((s for sender, s in self.seen if text in s and pid in (None, sender)), None)

    def wait(self, text, pid=None):
        while not self.find(text, pid):
            self._take()
        return self.find(text, pid)

    def take_all(self):
        """All that has been said so far."""
        self.socket.setblocking(False)
        try:
            while True:
                self._take()
        except BlockingIOError:
            self.socket.settimeout(10)
        return self.seen

    def close(self):
        self.socket.close()
