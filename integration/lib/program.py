"""A program that the test starts, reloads and ends by itself."""

import signal
import subprocess

from .processes import children, serving
from .proxy import BINARY, environment
from .waiting import wait_for


class Program:
    """One that the test starts by itself, from a file that it can change."""

    def __init__(self, folder, origin, port):
        self.folder, self.port = folder, port
        self.conf, self.log, self.pid_file = folder / "conf", folder / "log", folder / "pid"
        self.base = f"frontend=127.0.0.1,{port};no-tls\nbackend=127.0.0.1,{origin.port}\n"
        self.conf.write_text(self.base)
        self.process = None

    def write(self, text):
        """The configuration from now on: this beside the frontend and the backend."""
        self.conf.write_text(self.base + text)

    def start(self, *args, prefix=(), env=(), pass_fds=(), wait=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*prefix, BINARY, "--conf=conf", "--pid-file=pid", *args],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=dict(environment(), **dict(env)), pass_fds=pass_fds,
            )  # fmt: skip
        if wait:
            self.wait_serving(1)
            wait_for(self.pid_file.exists, "the PID file")
        return self

    @property
    def pid(self):
        return self.process.pid

    def stderr(self):
        return self.log.read_text(errors="replace")

    def serving(self):
        return serving(self.stderr())

    def wait_serving(self, n):
        return wait_for(lambda: self.serving() if len(self.serving()) >= n else None, f"{n} starts", 20)

    def wait_log(self, text, timeout=10):
        wait_for(lambda: text in self.stderr(), f"{text!r} in the log", timeout)

    def signal(self, number):
        self.process.send_signal(number)

    def candidate(self):
        """The process that a reload has started, which does not serve yet."""

        def fresh():
            found = set(children(self.pid)) - set(self.serving())
            return found.pop() if len(found) == 1 else None

        return wait_for(fresh, "a candidate", interval=0.001)

    def end(self, status=0):
        if self.process.poll() is None:
            self.signal(signal.SIGQUIT)
        assert self.process.wait(10) == status, self.stderr()[-3000:]
