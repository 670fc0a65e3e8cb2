"""Reload, restart and swap: the main process and its worker processes, under load where it matters."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

import pytest

from lib.processes import (
    Manager,
    children,
    connects,
    finish,
    get,
    is_running,
    listens,
    reload,
    serving,
    status_of,
    swap,
)
from lib.proxy import BINARY, is_sanitized
from lib.waiting import wait_for, wait_stable

class Load:
    """New connections and kept ones, until it is told to stop; remembers what failed."""

    def __init__(self, proxy):
        self.port, self.tls_port, self.ca = proxy.clear_port, proxy.tls_port, proxy.certs.ca.file
        self.stopping = threading.Event()
        self.failures, self.served = [], 0
        self.lock = threading.Lock()
        self.threads = [
            threading.Thread(target=self._run, args=(work,))
            for work in (self._fresh, self._fresh, self._kept_h2, self._kept_h1)
        ]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for t in self.threads:
            t.join(60)
            assert not t.is_alive()

    def _run(self, work):
        while not self.stopping.is_set():
            try:
                served, failed = work()
            except OSError as e:
                served, failed = 0, [f"{work.__name__}: {e}"]
            with self.lock:
                self.served += served
                self.failures += failed

    def _fresh(self):
        answer = get(self.port)
        good = answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"hello\n")
        return int(good), [] if good else [f"fresh: {answer[:200]!r}"]

    def _curl(self, url, *options, n=40):
        """One connection for many requests, and another one when it is told to go."""
        done = subprocess.run(
            ["curl", "-q", "-sS", "--max-time", "30", "--noproxy", "*", *options, "-w", "%{stderr}%{http_code}\n"] + [url] * n,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        lines = done.stderr.split()
        bad = [line for line in lines if line != "200"]
        if done.returncode != 0 or bad or len(lines) != n or done.stdout != "hello\n" * n:
            return n, [f"curl {' '.join(options)}: {done.returncode} {done.stderr[-300:]}"]
        return n, []

    def _kept_h2(self):
        return self._curl(
            f"https://front.test:{self.tls_port}/hello",
            "--http2", "--cacert", self.ca, "--resolve", f"front.test:{self.tls_port}:127.0.0.1",
        )  # fmt: skip

    def _kept_h1(self):
        return self._curl(f"http://127.0.0.1:{self.port}/hello", "--http1.1")


def download(port, path, n):
    """A download that takes some seconds: curl at a limited rate."""
    return subprocess.Popen(
        ["curl", "-q", "-sS", "--noproxy", "*", "--http2-prior-knowledge", "--limit-rate", str(n // 6), "-o", "/dev/null",
         "-w", "%{http_code} %{size_download}", f"http://127.0.0.1:{port}{path}"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def resources(pid):
    """Open descriptors and resident KiB of the main process and its children."""
    fds = rss = 0
    for p in [pid] + children(pid):
        fds += len(os.listdir(f"/proc/{p}/fd"))
        rss += int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{p}/status").read_text())[1])
    return fds, rss


def test_reloads_and_swaps_under_load_lose_nothing(start_proxy, make_origin, tmp_path):
    pid_file = tmp_path / "pid"
    proxy = start_proxy(
        [make_origin()],
        args=[f"--pid-file={pid_file}", "--workers=2", "--worker-process-grace-shutdown-period=20"],
    )
    wait_for(pid_file.exists, "the PID file")
    reload(proxy)
    get(proxy.clear_port)
    main = proxy.process.pid
    before = wait_stable(lambda: resources(main) if len(children(main)) == 1 else None, "one worker process", timeout=30)
    n = 6_000_000
    long_one = download(proxy.clear_port, f"/big?n={n}", n)
    rounds = 10 if is_sanitized() else 50
    with Load(proxy) as load:
        for _ in range(rounds):
            reload(proxy)
        for _ in range(rounds // 5):
            main = swap(proxy, pid_file)
    out, err = long_one.communicate(timeout=60)
    assert (out, err) == (f"200 {n}", "")
    assert load.failures == [], f"{len(load.failures)} failed beside {load.served}"
    assert load.served > rounds * 2
    reload(proxy, main)
    after = wait_stable(lambda: resources(main) if len(children(main)) == 1 else None, "one worker process", timeout=30)
    finish(proxy, main)
    assert proxy.wait_exit() == 0
    assert after[0] <= before[0], "open descriptors"
    if not is_sanitized():
        assert after[1] < before[1] * 1.25 + 2048, "resident KiB"


def test_a_killed_worker_process_is_replaced(start_proxy, make_origin, tmp_path):
    pid_file = tmp_path / "pid"
    proxy = start_proxy([make_origin()], fronts=("clear",), args=[f"--pid-file={pid_file}"])
    wait_for(pid_file.exists, "the main process knows that it serves")
    assert status_of(get(proxy.clear_port)) == 200
    (worker,) = serving(proxy.stderr())
    os.kill(worker, signal.SIGKILL)
    assert status_of(get(proxy.clear_port)) == 200  # it waits in the backlog meanwhile
    proxy.wait_log(f"worker process {worker} was ended by signal 9 (SIGKILL)")
    proxy.wait_log("is started again at once")
    wait_for(lambda: len(serving(proxy.stderr())) == 2, "another worker process")


def test_one_that_dies_again_and_again_is_started_with_delays(start_proxy, make_origin, tmp_path):
    pid_file = tmp_path / "pid"
    proxy = start_proxy([make_origin()], fronts=("clear",), args=[f"--pid-file={pid_file}"])
    wait_for(pid_file.exists, "the main process knows that it serves")  # before, a death ends the program
    for n in range(3):
        wait_for(lambda n=n: len(serving(proxy.stderr())) == n + 1, "a worker process that serves")
        worker = serving(proxy.stderr())[-1]
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: not is_running(worker), "its end")
    log = wait_for(lambda: proxy.stderr() if proxy.stderr().count("started again") == 3 else None, "three starts")
    assert re.findall(r"started again (at once|in \d+\.\d s)", log) == ["at once", "in 0.1 s", "in 0.2 s"]
    assert status_of(get(proxy.clear_port)) == 200


def test_reload_with_a_fault_keeps_the_old_configuration(start_proxy, make_origin, tmp_path, certs):
    conf = tmp_path / "nghttpx.conf"
    conf.write_text("workers=1\n")
    origin = make_origin()
    proxy = start_proxy([origin], fronts=("clear",), conf=str(conf))
    proxy.wait_log("serving with")
    worker = children(proxy.process.pid)
    faults = {
        "workers=0\n": "workers",
        "no-such-option=1\n": "no-such-option",
        "garbage\n": "garbage",
        "cacert=/no/such/file\n": "/no/such/file",
        f"frontend=127.0.0.1,{origin.port};no-tls\n": "in use",
        "errorlog-file=/no/such/folder/log\n": "/no/such/folder/log",
        "accesslog-file=/no/such/folder/log\n": "/no/such/folder/log",
        "user=nobody-of-that-name\n": "nobody-of-that-name",
        "frontend=127.0.0.1,1;tls\nprivate-key-file=/no/key\ncertificate-file=/no/cert\n": "/no/",
    }
    for n, (text, words) in enumerate(faults.items(), 1):
        conf.write_text(text)
        proxy.signal(signal.SIGHUP)
        wait_for(lambda n=n: proxy.stderr().count("reload failed") == n, f"the refusal of {text!r}", 10)
        assert words in proxy.stderr()
        assert status_of(get(proxy.clear_port)) == 200
    assert children(proxy.process.pid) == worker
    conf.write_text("workers=2\n")
    reload(proxy)
    assert status_of(get(proxy.clear_port)) == 200


def test_reload_changes_backends_frontends_and_workers(start_proxy, make_origin, tmp_path, free_ports):
    first, second = make_origin(), make_origin()
    conf = tmp_path / "nghttpx.conf"
    old_port, new_port = free_ports(2)
    conf.write_text(f"frontend=127.0.0.1,{old_port};no-tls\nbackend=127.0.0.1,{first.port}\nworkers=3\n")
    proxy = start_proxy([], fronts=(), conf=str(conf))
    wait_for(lambda: connects(old_port), "the first configuration")
    assert status_of(get(old_port, "/hello?id=a")) == 200
    conf.write_text(f"frontend=127.0.0.1,{new_port};no-tls\nbackend=127.0.0.1,{second.port}\nworkers=1\n")
    reload(proxy)
    assert status_of(get(new_port, "/hello?id=b")) == 200
    wait_for(lambda: not connects(old_port), "the end of the old address")
    assert second.find("b") and not first.find("b")


def test_clients_are_told_to_go_after_a_reload(start_proxy, make_origin, clients, token):
    proxy = start_proxy([make_origin()])
    h2 = clients.connect("h2-prior", proxy)
    h2.wait_head(h2.start("GET", f"/hold?n=100000&id={token}"))  # it is with the worker before
    reload(proxy)
    wait_for(lambda: (h2.pump(0.05), h2.goaways)[1], "GOAWAY")
    assert h2.goaways[0] == (2**31 - 1, 0)


def test_a_draining_worker_process_has_its_grace_period(start_proxy, make_origin, clients, token):
    proxy = start_proxy([make_origin()], fronts=("clear",), args=["--worker-process-grace-shutdown-period=500ms"])
    client = clients.connect("h1", proxy)
    client.start("GET", f"/hold?n=1000000&id={token}")
    client.read_final_head()
    old = wait_for(lambda: serving(proxy.stderr()), "the worker process")[-1]
    reload(proxy)
    assert is_running(old)
    wait_for(lambda: not is_running(old), "the end of its grace period")
    proxy.wait_log("its time to finish is over")


def test_the_oldest_are_ended_when_there_are_too_many(start_proxy, make_origin, clients, token):
    proxy = start_proxy([make_origin()], fronts=("clear",), args=["--max-worker-processes=2"])
    workers = wait_for(lambda: serving(proxy.stderr()), "the first worker process")
    for _ in range(3):
        client = clients.connect("h1", proxy)
        client.start("GET", f"/hold?n=1000000&id={token}")
        client.read_final_head()
        workers.append(reload(proxy))
        # Until it has heard that it is to leave, the one before takes connections, too.
        wait_for(lambda: not listens(workers[-2], proxy.clear_port), "the worker before to listen no more")
    wait_for(lambda: sorted(children(proxy.process.pid)) == sorted(workers[-2:]), "two worker processes")


def test_a_main_process_that_is_killed_takes_the_workers_along(start_proxy, make_origin):
    proxy = start_proxy([make_origin()], fronts=("clear",))
    proxy.wait_log("serving with")
    (worker,) = serving(proxy.stderr())
    proxy.process.kill()
    proxy.wait_exit()
    wait_for(lambda: not is_running(worker), "the worker process's end")
    proxy.kill()


def test_swap_by_a_relative_path_with_arguments(make_origin, tmp_path, free_ports):
    """The program's file is found again, though it was started as ./nghttpx in another folder than ours."""
    (port,) = free_ports(1)
    os.symlink(BINARY, tmp_path / "nghttpx")
    (tmp_path / "conf").write_text(f"frontend=127.0.0.1,{port};no-tls\nbackend=127.0.0.1,{make_origin().port}\n")
    with open(tmp_path / "log", "wb") as log:
        first = subprocess.Popen(["./nghttpx", "--conf=conf", "--pid-file=pid", "-n", "2"], cwd=tmp_path, stderr=log,
                                 start_new_session=True)  # fmt: skip
    try:
        pid_file = tmp_path / "pid"
        wait_for(pid_file.exists, "the PID file")
        assert status_of(get(port)) == 200
        main = int(pid_file.read_text())
        os.kill(main, signal.SIGUSR2)
        wait_for(lambda: int(pid_file.read_text()) != main, "the new PID file")
        assert first.wait(10) == 0
        main = int(pid_file.read_text())
        assert pathlib.Path(f"/proc/{main}/cmdline").read_bytes().split(b"\0")[:-1] == [
            b"./nghttpx", b"--conf=conf", b"--pid-file=pid", b"-n", b"2"
        ]  # fmt: skip
        assert status_of(get(port)) == 200
        os.kill(main, signal.SIGQUIT)
        wait_for(lambda: not is_running(main), "the end")
        assert not pid_file.exists()
    finally:
        try:
            os.killpg(first.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def test_a_swap_that_fails_leaves_the_old_one_serving(start_proxy, make_origin, tmp_path):
    conf = tmp_path / "nghttpx.conf"
    conf.write_text("workers=1\n")
    proxy = start_proxy([make_origin()], fronts=("clear",), conf=str(conf))
    proxy.wait_log("serving with")
    conf.write_text("no-such-option=1\n")
    proxy.signal(signal.SIGUSR2)
    proxy.wait_log("this process serves on")
    assert status_of(get(proxy.clear_port)) == 200
    conf.write_text("workers=1\n")
    reload(proxy)


def test_daemon(make_origin, tmp_path, free_ports):
    """The one who starts it hears whether it serves; names in the configuration keep their meaning."""
    (port,) = free_ports(1)
    (tmp_path / "conf").write_text(
        f"frontend=127.0.0.1,{port};no-tls\nbackend=127.0.0.1,{make_origin().port}\nerrorlog-file=log\npid-file=pid\n"
    )
    run = subprocess.run([BINARY, "-D", "--conf=conf"], cwd=tmp_path, timeout=20, stderr=subprocess.PIPE)
    assert run.returncode == 0, run.stderr
    pid = int((tmp_path / "pid").read_text())
    try:
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        assert status_of(get(port)) == 200
        os.kill(pid, signal.SIGHUP)
        wait_for(lambda: "reloaded" in (tmp_path / "log").read_text(), "the reload")
        assert status_of(get(port)) == 200
        os.rename(tmp_path / "log", tmp_path / "log.1")
        os.kill(pid, signal.SIGUSR1)
        wait_for((tmp_path / "log").exists, "the new log")
    finally:
        os.kill(pid, signal.SIGQUIT)
        wait_for(lambda: not is_running(pid), "its end")


def test_a_daemon_that_cannot_start_says_so(tmp_path):
    run = subprocess.run(
        [BINARY, "-D", "--conf=/dev/null", "-f127.0.0.1,1;no-tls", "--cacert=/no/file"], timeout=20, stderr=subprocess.PIPE
    )
    assert run.returncode == 1 and b"/no/file" in run.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_user(start_proxy, make_origin, request):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ngx-it-user-"))
    request.addfinalizer(lambda: shutil.rmtree(folder))
    folder.chmod(0o755)  # the new log is made by root, and opened by the other user
    log = folder / "access.log"
    proxy = start_proxy([make_origin()], fronts=("clear",), args=["--user=nobody", f"--accesslog-file={log}"])
    (worker,) = wait_for(lambda: serving(proxy.stderr()), "the worker process")
    assert status_of(get(proxy.clear_port)) == 200  # so it is through with its start
    ids = pathlib.Path(f"/proc/{worker}/status").read_text()
    assert re.search(r"Uid:\s+65534\s+65534\s+65534\s+65534", ids)
    assert "Uid:\t0\t0" in pathlib.Path(f"/proc/{proxy.process.pid}/status").read_text()
    assert status_of(get(proxy.clear_port)) == 200
    wait_for(lambda: log.read_text().count("\n") == 2, "two lines")
    assert log.stat().st_uid == 65534
    log.rename(folder / "access.log.1")
    proxy.signal(signal.SIGUSR1)
    proxy.wait_log("logs reopened")
    assert status_of(get(proxy.clear_port)) == 200
    wait_for(lambda: log.exists() and log.read_text().count("\n") == 1, "a line in the new log")


def test_single_process(start_proxy, make_origin):
    proxy = start_proxy([make_origin()], fronts=("clear",), args=["--single-process"])
    assert status_of(get(proxy.clear_port)) == 200
    assert children(proxy.process.pid) == []
    proxy.signal(signal.SIGHUP)
    assert status_of(get(proxy.clear_port)) == 200


def test_systemd_is_told(make_origin, tmp_path, free_ports):
    (port,) = free_ports(1)
    manager = Manager(tmp_path / "notify")
    env = dict(os.environ, NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="200000")
    env.pop("WATCHDOG_PID", None)
    process = subprocess.Popen(
        [BINARY, "--conf=/dev/null", f"-f127.0.0.1,{port};no-tls", f"-b127.0.0.1,{make_origin().port}"], env=env
    )
    try:
        assert f"MAINPID={process.pid}" in manager.wait("READY=1")
        manager.wait("WATCHDOG=1")
        process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in manager.wait("RELOADING=1")
        manager.seen.clear()
        manager.wait("READY=1")
        process.send_signal(signal.SIGQUIT)
        manager.wait("STOPPING=1")
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def test_socket_activation(make_origin, tmp_path, free_ports):
    (port,) = free_ports(1)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen()

        def hand_over():
            os.dup2(listening.fileno(), 3)
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")

        process = subprocess.Popen(
            [BINARY, "--conf=/dev/null", "-n2", f"-f127.0.0.1,{port};no-tls", f"-b127.0.0.1,{make_origin().port}"],
            close_fds=False,
            preexec_fn=hand_over,
        )
    try:
        wait_for(lambda: status_of(get(port)) == 200, "an answer")
    finally:
        process.send_signal(signal.SIGQUIT)
        assert process.wait(10) == 0


def test_lines_for_the_journal(make_origin, tmp_path, free_ports):
    """systemd's journal has time and process itself; a level in angle brackets is what it reads."""
    (port,) = free_ports(1)
    path = tmp_path / "journal"
    with open(path, "wb") as journal:
        seen = os.fstat(journal.fileno())
        process = subprocess.Popen(
            [BINARY, "--conf=/dev/null", f"-f127.0.0.1,{port};no-tls", f"-b127.0.0.1,{make_origin().port}"],
            stderr=journal,
            env=dict(os.environ, JOURNAL_STREAM=f"{seen.st_dev}:{seen.st_ino}"),
        )
    try:
        wait_for(lambda: "<5>NOTICE (" in path.read_text(), "a line")
        assert all(re.match(r"<\d>[A-Z]+ \(\w+\.c:\d+\) ", line) for line in path.read_text().splitlines())
    finally:
        process.send_signal(signal.SIGQUIT)
        assert process.wait(10) == 0


def test_the_unit_file_is_one():
    build = os.environ.get("NGHTTPX_BUILD")
    unit = pathlib.Path(build) / "proxy" / "nghttpx.service" if build else None
    if unit is None or not unit.exists():
        pytest.skip("NGHTTPX_BUILD does not name a build folder")
    text = unit.read_text()
    program = re.search(r"^ExecStart=(\S+)", text, re.M)[1]
    checked = unit.with_name("nghttpx-checked.service")  # with a program that is there
    checked.write_text(text.replace(program, BINARY))
    done = subprocess.run(["systemd-analyze", "verify", str(checked)], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
