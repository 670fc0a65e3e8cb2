"""What the benchmarks share: servers in a temporary folder, a proxy's CPU time and memory from /proc.

Nothing that this did not start is touched: nginx and the proxies get their own folder, configuration and
ports, and are ended by process id.
"""
import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
OURS = ROOT / "build/release/proxy/nghttpx"
DEBIANS = pathlib.Path("/usr/sbin/nghttpx")
TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")


def die(message):
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {message}")


def need(program, package):
    for folder in ("/usr/sbin", "/usr/bin"):
        if os.access(f"{folder}/{program}", os.X_OK):
            return f"{folder}/{program}"
    die(f"{program} is missing; apt-get install {package}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def await_port(port, process, log):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            die(f"{process.args[0]} ended by itself:\n{log.read_text(errors='replace')}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    die(f"{process.args[0]} does not listen:\n{log.read_text(errors='replace')}")


def process_tree(pid):
    """The process and all that descend from it."""
    children = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    tree, todo = [], [pid]
    while todo:
        tree.append(todo.pop())
        todo += children.get(tree[-1], [])
    return tree


class Process:
    """A program under test or beside it; ended with its whole tree."""

    def __init__(self, name, args, folder, ports):
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("w") as log:
            self.popen = subprocess.Popen(
                [str(a) for a in args], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder
            )
        for port in ports:
            await_port(port, self.popen, self.log)

    def cpu_us(self):
        """utime + stime of the tree, its reaped children included, in microseconds."""
        ticks = 0
        for pid in process_tree(self.popen.pid):
            with contextlib.suppress(OSError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(int(f) for f in fields[11:15])
        return ticks * TICK_US

    def rss_kib(self):
        """Resident memory of the tree. smaps_rollup, since the counters in status lag by some pages."""
        total = 0
        for pid in process_tree(self.popen.pid):
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Rss:\s+(\d+)", text, re.MULTILINE)[1])
        return total

    def reset_peak(self):
        for pid in process_tree(self.popen.pid):
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")  # proc(5): resets VmHWM

    def peak_kib(self):
        """The sum of each process's own peak since reset_peak()."""
        total = 0
        for pid in process_tree(self.popen.pid):
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
            total += int(re.search(r"^VmHWM:\s+(\d+)", text, re.MULTILINE)[1])
        return total

    def stop(self):
        tree = process_tree(self.popen.pid)
        self.popen.terminate()
        try:
            self.popen.wait(5)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        for pid in tree[1:]:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


class Bench(contextlib.ExitStack):
    """A temporary folder with a certificate, and everything that was started in it."""

    def __enter__(self):
        super().__enter__()
        self.folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        os.chmod(self.folder, 0o755)
        self.key, self.cert = self.folder / "key.pem", self.folder / "cert.pem"
        openssl = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
        subprocess.run(
            [need("openssl", "openssl"), *openssl.split(), "-keyout", self.key, "-out", self.cert],
            check=True, capture_output=True,
        )
        return self

    def start(self, name, args, *ports):
        process = Process(name, args, self.folder, ports)
        self.callback(process.stop)
        return process

    def nginx(self):
        """nginx with /1k (1,024 bytes) and whatever else is put into the folder www; returns its port."""
        port, www = free_port(), self.folder / "www"
        www.mkdir()
        (www / "1k").write_bytes(b"0123456789abcdef" * 64)
        conf = self.folder / "nginx.conf"
        conf.write_text(
            f"""daemon off; worker_processes 1; pid {self.folder}/nginx.pid; error_log stderr;
            {"user root;" if os.getuid() == 0 else ""}
            events {{ worker_connections 4096; }}
            http {{
                access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
                keepalive_timeout 1h; client_body_temp_path {self.folder}/tmp1;
                proxy_temp_path {self.folder}/tmp2; fastcgi_temp_path {self.folder}/tmp3;
                uwsgi_temp_path {self.folder}/tmp4; scgi_temp_path {self.folder}/tmp5;
                open_file_cache max=10; default_type application/octet-stream;
                server {{ listen 127.0.0.1:{port} backlog=4096; root {www}; }}
            }}"""
        )
        self.start("nginx", [need("nginx", "nginx"), "-p", self.folder, "-c", conf], port)
        return port

    def proxy(self, name, binary, backend_port):
        """A proxy with one worker and TLS in front; returns it and its port."""
        if not os.access(binary, os.X_OK):
            die(f"{binary} is not there; scripts/quickstart --no-wait builds ours, nghttp2-proxy is Debian's")
        port = free_port()
        # --no-ocsp: Debian's would run a helper at start, whose memory would count while it lives.
        args = [binary, "--conf=/dev/null", "--no-ocsp", "-n1"]
        args += [f"-f127.0.0.1,{port}", f"-b127.0.0.1,{backend_port}"]
        return self.start(name, [*args, self.key, self.cert], port), port


def h2load(port, path, requests, clients, streams):
    """Loads https://127.0.0.1:port/path; every answer must be a 2xx. Returns requests per second."""
    run = subprocess.run(
        [need("h2load", "nghttp2-client"), "-n", str(requests), "-c", str(clients), "-m", str(streams),
         f"https://127.0.0.1:{port}{path}"],
        capture_output=True, text=True, timeout=1800,
    )
    good = re.search(r"^status codes: (\d+) 2xx", run.stdout, re.MULTILINE)
    done = re.search(r" (\d+) succeeded", run.stdout)
    if run.returncode or not good or not done or {int(good[1]), int(done[1])} != {requests}:
        die(f"not every request got a 2xx:\n{run.stdout}{run.stderr}")
    return float(re.search(r"finished in [\d.]+\w*, ([\d.]+) req/s", run.stdout)[1])
