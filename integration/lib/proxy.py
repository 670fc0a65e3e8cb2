"""Running the program under test."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time

from .ports import free_port, release_port
from .waiting import PATIENCE, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.abspath(os.environ.get("NGHTTPX") or os.path.join(ROOT, "build", "release", "proxy", "nghttpx"))
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error:|LeakSanitizer|WARNING: ThreadSanitizer|Assertion .* failed")

STOP_SECONDS = 8


def _is_stopped(pid):
    """Each thread: a signal stops them one after the other."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat") as stat:
            if stat.read().rsplit(")", 1)[1].split()[0] != "T":
                return False
    return True


class StartFailure(AssertionError):
    pass


def environment():
    env = dict(os.environ)
    # A small quarantine, so that memory tests mean something under AddressSanitizer too.
    env.setdefault("ASAN_OPTIONS", "quarantine_size_mb=4:detect_leaks=1:abort_on_error=0:exitcode=99")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    return env


def is_sanitized():
    with open(BINARY, "rb") as binary:
        return b"__asan_init" in binary.read()


def run_to_end(args, timeout=10):
    """Runs the program with these arguments where it has to refuse; returns (status, stdout, stderr)."""
    done = subprocess.run(
        [BINARY] + list(args),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=timeout,
        env=environment(),
        text=True,
        errors="replace",
    )
    return done.returncode, done.stdout, done.stderr


class Proxy:
    """One running nghttpx.

    fronts: any of "tls", "clear". backs: values of -b. The ports are tls_port and clear_port.
    """

    running = []  # all that were started and not yet stopped; the report of a failed test looks here

    def __init__(
        self,
        certs,
        backs,
        folder,
        fronts=("tls", "clear"),
        args=(),
        keys=True,
        conf="/dev/null",
        binary=BINARY,
    ):
        self.binary = binary
        self.certs, self.backs, self.fronts = certs, list(backs), fronts
        self.args, self.keys, self.conf = list(args), keys, conf
        self.folder = folder
        self.stderr_file = os.path.join(self.folder, "stderr")
        self.tls_port = self.clear_port = None
        self.process = None
        self._reported = 0
        self.shown = 0  # what earlier tests have seen of its output
        self.status = None
        self.ending = False  # it was told to end

    # ---- start

    def command(self):
        cmd = [self.binary, f"--conf={self.conf}"]
        if "tls" in self.fronts:
            self.tls_port = free_port()
            cmd.append(f"-f127.0.0.1,{self.tls_port}")
        if "clear" in self.fronts:
            self.clear_port = free_port()
            cmd.append(f"-f127.0.0.1,{self.clear_port};no-tls")
        cmd += [f"-b{b}" for b in self.backs]
        if any(";tls" in b for b in self.backs) and not {"-k", "--insecure"} & set(self.args):
            if not any(a.startswith("--cacert") for a in self.args):
                cmd.append(f"--cacert={self.certs.ca.file}")
        cmd += self.args
        if self.keys and "tls" in self.fronts:
            cmd += [self.certs.front.key_file, self.certs.front.cert_file]
        return cmd

    def start(self):
        for attempt in range(3):
            self.cmd = self.command()
            with open(self.stderr_file, "wb") as err:
                self.process = subprocess.Popen(
                    self.cmd,
                    stdin=subprocess.DEVNULL,
                    stdout=err,
                    stderr=err,
                    start_new_session=True,
                    env=environment(),
                    cwd=self.folder,
                )
            Proxy.running.append(self)
            try:
                self._wait_ready()
                return self
            except StartFailure:
                self.kill()
                if attempt == 2 or "in use" not in self.stderr():
                    raise
        return self

    def _wait_ready(self):
        deadline = time.monotonic() + 10
        for port in (self.tls_port, self.clear_port):
            while port is not None:
                if self.process.poll() is not None:
                    raise StartFailure(
                        f"{' '.join(self.cmd)}\nended with {self.process.returncode}:\n{self.stderr()}"
                    )
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise StartFailure(f"does not listen on {port}:\n{self.stderr()}")
                    time.sleep(0.01)

    def wait_listens(self, *places):
        """At frontends that `args` have: ports, or paths of UNIX sockets."""

        def ready():
            try:
                for place in places:
                    unix = isinstance(place, str)
                    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as sock:
                        sock.connect(place if unix else ("127.0.0.1", place))
                return True
            except OSError:
                return False

        wait_for(ready, f"it listens on {places}")

    # ---- observation

    def stderr(self):
        with open(self.stderr_file, errors="replace") as err:
            return err.read()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def pids(self):
        """The main process and all its descendants."""
        parents = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/stat") as stat:
                        parents[int(entry)] = int(stat.read().rsplit(")", 1)[1].split()[1])
                except (OSError, IndexError):
                    continue
        out = [self.process.pid]
        for pid in out:
            out += [p for p, parent in parents.items() if parent == pid]
        return out

    def rss(self):
        """VmRSS of all processes, octets."""
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/status") as status:
                    found = re.search(r"VmRSS:\s+(\d+) kB", status.read())
            except OSError:
                continue
            total += int(found[1]) * 1024 if found else 0
        return total

    def cpu_seconds(self):
        """What all processes have computed so far: what it takes on a machine that has nothing else to do."""
        ticks = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/stat") as stat:
                ticks += sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def sanitizer_report(self):
        """What a sanitizer or an assertion has printed since the last call."""
        text = self.stderr()
        fresh, self._reported = text[self._reported :], len(text)
        return fresh if SANITIZER.search(fresh) else ""

    # ---- end

    def signal(self, number):
        self.ending = self.ending or number in (signal.SIGQUIT, signal.SIGTERM)
        self.process.send_signal(number)

    @contextlib.contextmanager
    def stopped(self):
        """What comes meanwhile is seen in one turn of the worker's loop, when it goes on."""
        pids = self.pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            wait_for(lambda: all(_is_stopped(pid) for pid in pids), "all processes are stopped")
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def wait_exit(self, timeout=STOP_SECONDS):
        try:
            self.status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end within {timeout} s\n{self.stderr()[-3000:]}") from None
        return self.status

    def kill(self):
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
        self._release()

    def _release(self):
        if self in Proxy.running:
            Proxy.running.remove(self)
        for port in (self.tls_port, self.clear_port):
            if port:
                release_port(port)

    def stop(self):
        """Graceful end; a failure of the test if it is none."""
        try:
            if self.alive():
                if not self.ending:
                    self.signal(signal.SIGQUIT)
                self.wait_exit()
            status = self.process.returncode
            report = self.sanitizer_report()
        finally:
            self.kill()
        assert not report, f"sanitizer or assertion:\n{report[-6000:]}"
        assert status == 0, f"exit status {status}\n{self.stderr()[-3000:]}"

    def wait_log(self, text, timeout=PATIENCE):
        wait_for(lambda: text in self.stderr(), f"{text!r} on stderr", timeout)
