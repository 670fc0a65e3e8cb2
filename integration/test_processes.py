"""What may go wrong between the processes: workers that hang or die at the wrong moment, a reload or a swap that does
not come to its end, and what systemd and the shell make of it."""

import ctypes
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from lib.processes import Manager, children, connects, get, is_running, reload, serving, status_of, swap
from lib.proxy import BINARY, environment, is_sanitized
from lib.waiting import wait_for, wait_stable

# A configuration that takes a while to load and to serve, to do something meanwhile.
MANY = 3000 if is_sanitized() else 20000
SLOW = "".join(f"backend=127.0.0.1,1;/slow/{n}/\n" for n in range(MANY))


@pytest.fixture
def manager(tmp_path):
    one = Manager(tmp_path / "notify")
    yield one
    one.close()


WATCHED = ("/bin/sh", "-c", 'WATCHDOG_PID=$$ exec "$@"', "sh")


# ---------------------------------------------------------------- systemd


def test_a_swap_keeps_the_watchdog_and_does_not_end_the_unit(program, manager):
    """To systemd a swap is one service that goes on, and its watchdog wants to hear of the new main process."""
    program.start(prefix=WATCHED, env={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"})
    old = program.pid
    manager.wait("WATCHDOG=1", old)
    new = swap(program, program.pid_file)
    assert f"MAINPID={new}" in manager.wait("READY=1", new)
    manager.wait("WATCHDOG=1", new)
    assert program.process.wait(10) == 0
    manager.take_all()
    assert not manager.find("STOPPING=1")
    assert not [s for pid, s in manager.seen[manager.seen.index((new, manager.find("READY=1", new))):]
                if pid == old and "READY=1" in s]  # fmt: skip
    os.kill(new, signal.SIGQUIT)
    manager.wait("STOPPING=1", new)
    wait_for(lambda: not is_running(new), "the end of the new one")


def test_a_daemon_has_the_watchdog_too(program, manager):
    env = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"}
    program.start("--daemon", prefix=WATCHED, env=env, wait=False)
    assert program.process.wait(10) == 0
    main = int(program.pid_file.read_text())
    manager.wait("WATCHDOG=1", main)
    os.kill(main, signal.SIGQUIT)
    wait_for(lambda: not is_running(main), "its end")


def test_a_daemon_is_swapped(program):
    """The new binary is in the background already: as a daemon of its own the old one would take it for dead."""
    program.start("--daemon", "--errorlog-file=log", wait=False)
    assert program.process.wait(10) == 0
    old = int(program.pid_file.read_text())
    new = swap(program, program.pid_file)
    assert status_of(get(program.port)) == 200
    assert "has ended" not in re.sub(r"worker process \d+ has ended", "", program.stderr())
    os.kill(new, signal.SIGQUIT)
    wait_for(lambda: not is_running(new) and not is_running(old), "the end")


def test_a_swap_that_fails_is_told_once(program, manager):
    program.start(env={"NOTIFY_SOCKET": manager.path})
    manager.wait("READY=1")
    manager.seen.clear()
    program.write("no-such-option=1\n")
    program.signal(signal.SIGUSR2)
    assert f"MAINPID={program.pid}" in manager.wait("READY=1", program.pid)
    assert program.stderr().count("this process serves on") == 1
    assert int(program.pid_file.read_text()) == program.pid
    program.end()


def test_a_program_that_cannot_be_executed_is_told_once(program):
    link = program.folder / "nghttpx"
    link.symlink_to(BINARY)
    with open(program.log, "wb") as log:
        program.process = subprocess.Popen(
            [str(link), "--conf=conf", "--pid-file=pid"], cwd=program.folder, stderr=log
        )
    program.wait_serving(1)
    link.unlink()
    program.signal(signal.SIGUSR2)
    program.wait_log("serves on")
    program.signal(signal.SIGUSR1)
    program.wait_log("logs reopened")
    assert len(re.findall(r" ERROR ", program.stderr())) == 1, program.stderr()
    program.end()


def test_a_reload_that_is_overtaken_by_the_end(program, manager):
    """SIGHUP and at once SIGTERM: the program is ending, and says nothing else any more."""
    program.start(env={"NOTIFY_SOCKET": manager.path})
    program.write(SLOW)
    program.signal(signal.SIGHUP)
    program.candidate()
    program.signal(signal.SIGTERM)
    assert program.process.wait(20) == 0
    said = [s for _, s in manager.take_all()]
    assert "STOPPING=1" in said[-1], said
    assert "reloaded:" not in program.stderr() and "reload failed" not in program.stderr()
    assert not program.pid_file.exists()


def test_a_new_binary_that_hangs_is_ended(program):
    program.start()
    program.write(SLOW)
    program.signal(signal.SIGUSR2)
    program.signal(signal.SIGUSR1)
    program.wait_log("logs reopened")  # so it has been executed
    new = program.candidate()
    os.kill(new, signal.SIGSTOP)
    program.signal(signal.SIGUSR2)
    program.wait_log(f"the new binary (process {new}) does not come to serve", 20)
    program.wait_log(f"the new binary (process {new}) has ended by signal 9; this process serves on")
    assert status_of(get(program.port)) == 200
    program.write("")
    swap(program, program.pid_file)
    assert status_of(get(program.port)) == 200


def test_a_reload_during_a_swap_is_for_the_new_binary(program, manager):
    """Else the old one would say once more that it is the one, and leave its number in the PID file."""
    program.start(env={"NOTIFY_SOCKET": manager.path})
    program.write(SLOW)
    program.signal(signal.SIGUSR2)
    program.wait_log("executing")
    program.signal(signal.SIGHUP)
    wait_for(lambda: not is_running(program.pid), "the end of the old main process", 20)
    new = int(program.pid_file.read_text())
    wait_for(lambda: re.search(rf" {new} {new} \w+ NOTICE \(\S+ reloaded: ", program.stderr()), "its reload", 20)
    assert int(program.pid_file.read_text()) == new and is_running(new)
    mains = [pid for pid, s in manager.take_all() if "MAINPID=" in s]
    assert mains[0] == program.pid and set(mains[1:]) == {new}


def test_a_reload_during_a_swap_that_fails(program):
    program.start()
    program.write(SLOW + "no-such-option=1\n")
    program.signal(signal.SIGUSR2)
    program.wait_log("executing")
    program.signal(signal.SIGHUP)
    program.wait_log("a new binary is starting; it reloads when it serves")
    program.wait_log("this process serves on")
    program.wait_log("reload failed")  # it was tried, with the same fault
    program.end()


def test_the_last_owner_of_a_socket_serves_what_waits(program):
    """A worker process that a reload has told to hand over, and whose successor has gone before it came to that."""
    program.start()
    (first,) = program.serving()
    os.kill(first, signal.SIGSTOP)
    second = reload(program, program.pid)
    program.signal(signal.SIGQUIT)
    wait_for(lambda: not is_running(second), "the end of the successor")
    waiting = []
    for _ in range(20):
        waiting.append(socket.create_connection(("127.0.0.1", program.port), 5))
        waiting[-1].sendall(b"GET /hello HTTP/1.1\r\nHost: front.test\r\nConnection: close\r\n\r\n")
    os.kill(first, signal.SIGCONT)
    for s in waiting:
        s.settimeout(10)
        assert s.recv(65536).startswith(b"HTTP/1.1 200 ")
        s.close()
    assert program.process.wait(10) == 0


def test_a_daemon_of_one_process(program):
    program.start("--daemon", "--single-process", wait=False)
    assert program.process.wait(10) == 0
    main = int(program.pid_file.read_text())
    assert children(main) == [] and status_of(get(program.port)) == 200
    os.kill(main, signal.SIGQUIT)
    wait_for(lambda: not is_running(main), "its end")
    assert not program.pid_file.exists()


def test_a_swap_to_a_single_process(program, manager):
    program.start(prefix=WATCHED, env={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"})
    program.write("single-process=yes\n")
    new = swap(program, program.pid_file)
    assert program.process.wait(10) == 0
    assert children(new) == [] and status_of(get(program.port)) == 200
    assert f"MAINPID={new}" in manager.wait("READY=1", new)
    manager.wait("WATCHDOG=1", new)
    os.kill(new, signal.SIGHUP)
    program.wait_log("SIGHUP: has no effect with --single-process")
    os.kill(new, signal.SIGQUIT)
    manager.wait("STOPPING=1", new)
    wait_for(lambda: not is_running(new), "its end")
    assert not program.pid_file.exists()


# ---------------------------------------------------------------- the shell


def test_a_daemon_lets_go_of_the_terminal(program):
    """$(nghttpx --daemon 2>&1) ends when nobody has the other end of that pipe any more."""
    done = subprocess.run(
        [BINARY, "--daemon", "--conf=conf", "--pid-file=pid"], cwd=program.folder, timeout=20, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    main = int(program.pid_file.read_text())
    assert status_of(get(program.port)) == 200
    os.kill(main, signal.SIGQUIT)
    wait_for(lambda: not is_running(main), "its end")


def test_a_stranger_in_the_environment_is_left_alone(program):
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        program.start(env={"NGHTTPX_ORIG_PID": str(stranger.pid)})
        program.wait_log(f"{stranger.pid} did not start this process")
        assert status_of(get(program.port)) == 200
        program.end()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_signals_that_come_while_it_loads(program):
    """SIGHUP, SIGUSR1 and SIGUSR2 have a meaning for a program that serves, and none for one that does not yet."""
    program.write("".join(f"add-request-header=x: {n}\n" for n in range(200000)))
    size = program.conf.stat().st_size
    program.start(wait=False)

    def has_read():
        done = re.search(r"rchar: (\d+)", pathlib.Path(f"/proc/{program.pid}/io").read_text())
        return int(done[1]) >= size

    wait_for(has_read, "the file being read", 20, 0.001)
    assert program.serving() == []
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        program.signal(number)
    program.wait_serving(1)
    assert program.process.poll() is None
    program.end()


# ---------------------------------------------------------------- reload


def test_a_reload_repairs_what_keeps_a_worker_process_from_starting(program, certs, free_ports):
    key, port = program.folder / "key.pem", free_ports(1)[0]
    key.write_bytes(pathlib.Path(certs.front.key_file).read_bytes())
    program.write(f"frontend=127.0.0.1,{port}\nprivate-key-file=key.pem\ncertificate-file={certs.front.cert_file}\n")
    program.start()
    key.unlink()
    os.kill(program.serving()[-1], signal.SIGKILL)
    program.wait_log("key.pem: no private key could be read")
    program.write("")
    program.signal(signal.SIGHUP)
    program.wait_log("reloaded:")
    assert status_of(get(program.port)) == 200
    assert wait_for(lambda: len(children(program.pid)) == 1, "one worker process")
    program.end()


def test_a_reload_ends_the_wait_for_a_restart(program):
    program.start()
    for n in range(1, 5):
        os.kill(program.wait_serving(n)[-1], signal.SIGKILL)
        wait_for(lambda n=n: program.stderr().count("is started again") == n, "its end")
    assert "is started again in 0.4 s" in program.stderr()
    reload(program, program.pid)
    n = len(program.serving())
    assert wait_stable(lambda: len(program.serving()), "no more starts", still=0.6) == n
    assert len(children(program.pid)) == 1
    program.end()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2], ids=["reload", "swap"])
def test_the_defaults_are_no_successor_of_a_file(program, number):
    """Between two writes of its editor a configuration may be away for a moment."""
    program.start()
    program.conf.rename(program.folder / "away")
    program.signal(number)
    program.wait_log("reload failed" if number == signal.SIGHUP else "this process serves on")
    assert "there is no \"conf\" any more" in program.stderr()
    assert status_of(get(program.port)) == 200 and len(children(program.pid)) == 1
    (program.folder / "away").rename(program.conf)
    reload(program, program.pid)
    program.end()


def test_a_pid_file_that_a_reload_renames(program):
    program.write("pid-file=one\n")
    with open(program.log, "wb") as log:
        program.process = subprocess.Popen([BINARY, "--conf=conf"], cwd=program.folder, stderr=log)
    program.wait_serving(1)
    one, two = program.folder / "one", program.folder / "two"
    wait_for(one.exists, "the PID file")
    program.write("pid-file=two\n")
    reload(program, program.pid)
    wait_for(two.exists, "the new PID file")
    assert not one.exists() and int(two.read_text()) == program.pid
    two.write_text("1\n")  # somebody else's now
    program.end()
    assert two.read_text() == "1\n"


def test_a_candidate_that_hangs_does_not_stop_later_reloads(program):
    program.start()
    program.write(SLOW)
    program.signal(signal.SIGHUP)
    candidate = program.candidate()
    os.kill(candidate, signal.SIGSTOP)
    assert "reloaded:" not in program.stderr()
    program.write("")
    program.signal(signal.SIGHUP)
    program.wait_log(f"worker process {candidate}: its time to start is over", 20)
    program.wait_log("reloaded:")
    assert status_of(get(program.port)) == 200
    program.end()


def test_a_worker_process_that_is_replaced_during_a_reload_gets_its_own_sockets_only(program, free_ports):
    """Else an address of a reload that fails later would be taken, and never served."""
    (port,) = free_ports(1)
    program.start()
    (old,) = program.serving()
    program.write(SLOW + f"frontend=127.0.0.1,{port};no-tls\n")
    program.signal(signal.SIGHUP)
    candidate = program.candidate()
    os.kill(candidate, signal.SIGSTOP)
    os.kill(old, signal.SIGKILL)
    program.wait_serving(2)
    os.kill(candidate, signal.SIGKILL)
    program.wait_log("reload failed")
    assert not connects(port)
    program.write(f"frontend=127.0.0.1,{port};no-tls\n")
    reload(program, program.pid)
    assert status_of(get(port)) == 200
    program.end()


def test_what_waits_at_an_address_that_a_reload_removes_is_served(program, free_ports):
    (port,) = free_ports(1)
    program.write(f"frontend=127.0.0.1,{port};no-tls\n")
    program.start()
    (worker,) = program.serving()
    os.kill(worker, signal.SIGSTOP)
    waiting = []
    for _ in range(100):
        waiting.append(socket.create_connection(("127.0.0.1", port), 5))
        waiting[-1].sendall(b"GET /hello HTTP/1.1\r\nHost: front.test\r\nConnection: close\r\n\r\n")
    program.write("")
    reload(program, program.pid)
    os.kill(worker, signal.SIGCONT)
    for s in waiting:
        s.settimeout(10)
        assert s.recv(65536).startswith(b"HTTP/1.1 200 ")
        s.close()
    wait_for(lambda: not connects(port), "the end of the address")
    program.end()


def test_the_same_port_at_another_address(program):
    program.start()
    narrow = program.base
    for host in ("*", "127.0.0.1", "*"):
        program.base = narrow.replace("=127.0.0.1,", f"={host},", 1)
        program.write("")
        reload(program, program.pid)
        assert status_of(get(program.port)) == 200
    with socket.create_connection(("::1", program.port), 5):
        pass
    program.end()


def test_a_file_of_the_error_log_that_goes_away(program):
    """The old name is kept until the new file is open."""
    (program.folder / "logs").mkdir()
    program.write("errorlog-file=errors\n")
    program.start(wait=False)
    errors, other = program.folder / "errors", program.folder / "logs" / "x"
    wait_for(lambda: errors.exists() and serving(errors.read_text()), "the log")
    program.write("errorlog-file=logs/x\n" + SLOW)
    program.signal(signal.SIGHUP)
    wait_for(lambda: len(children(program.pid)) == 2, "the candidate", interval=0.0005)
    program.signal(signal.SIGSTOP)
    wait_for(lambda: other.exists() and serving(other.read_text()), "the candidate to serve", 20)
    other.unlink()
    other.mkdir()
    program.signal(signal.SIGCONT)
    wait_for(lambda: "logs/x: Is a directory" in errors.read_text(), "the complaint")
    errors.rename(program.folder / "errors.1")
    program.signal(signal.SIGUSR1)
    wait_for(errors.exists, "the old log, opened again")
    program.end()


# ---------------------------------------------------------------- workers that do not do as they are told


def test_a_worker_process_that_does_not_listen_holds_nobody_up(program):
    program.start()
    (worker,) = program.serving()
    os.kill(worker, signal.SIGSTOP)
    before = program.stderr().count("logs reopened")
    deadline = time.monotonic() + 60
    while "it does not listen" not in program.stderr() and time.monotonic() < deadline:
        program.signal(signal.SIGUSR1)
        wait_for(lambda: program.stderr().count("logs reopened") > before, "the main process to act", 5, 0.0005)
        before = program.stderr().count("logs reopened")
    program.signal(signal.SIGTERM)
    program.wait_log("SIGTERM: finishing")
    program.signal(signal.SIGTERM)
    assert program.process.wait(10) == 0
    assert not is_running(worker)


def test_a_grace_period_that_is_over_is_a_good_end(program, clients, token):
    program.write("worker-process-grace-shutdown-period=300ms\n")
    program.start()
    with socket.create_connection(("127.0.0.1", program.port), 5) as s:
        s.sendall(f"GET /hold?n=1000000&id={token} HTTP/1.1\r\nHost: front.test\r\n\r\n".encode())
        s.settimeout(5)
        assert s.recv(100)
        program.signal(signal.SIGQUIT)
        assert program.process.wait(10) == 0
    program.wait_log("its time to finish is over")


def fd_of(pid, want):
    """A descriptor of another process, for which `want` is true."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{name}")
            except FileNotFoundError:
                continue
            if not target.startswith("socket:"):
                continue
            fd = libc.syscall(438, pidfd, int(name), 0)  # pidfd_getfd(2)
            if fd < 0:
                raise OSError(ctypes.get_errno(), "pidfd_getfd")
            s = socket.socket(fileno=fd)
            if want(s):
                return s
            s.close()
    finally:
        os.close(pidfd)
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take a descriptor of another process")
def test_a_worker_process_that_talks_nonsense_is_ended(program):
    """Whoever has taken a worker process over does not bring the main process down with it."""
    program.start()
    (worker,) = program.serving()
    channel = fd_of(worker, lambda s: s.family == socket.AF_UNIX and s.type == socket.SOCK_STREAM)
    assert channel is not None
    channel.sendall(b"x")
    channel.close()
    program.wait_log(f"worker process {worker} said 120, which means nothing")
    program.wait_serving(2)
    assert status_of(get(program.port)) == 200
    program.end()


# ---------------------------------------------------------------- files that are none


def test_a_fifo_holds_nobody_up(program, certs, free_ports):
    fifo = program.folder / "fifo"
    os.mkfifo(fifo)
    (port,) = free_ports(1)
    tls = f"frontend=127.0.0.1,{port}\n"
    program.start()
    faults = [
        "include=fifo\n",
        "errorlog-file=fifo\n",
        "accesslog-file=fifo\n",
        "error-page=404=fifo\n",
        "psk-secrets=fifo\n",
        "cacert=fifo\n",
        tls + f"private-key-file=fifo\ncertificate-file={certs.front.cert_file}\n",
        tls + f"private-key-file={certs.front.key_file}\ncertificate-file=fifo\n",
    ]
    for n, text in enumerate(faults, 1):
        program.write(text)
        check = subprocess.run(
            [BINARY, "--check-config", "--conf=conf"], cwd=program.folder, timeout=10, env=environment(),
            capture_output=True, text=True,
        )  # fmt: skip
        assert check.returncode == 1 and "fifo" in check.stderr, (text, check)
        program.signal(signal.SIGHUP)
        wait_for(lambda n=n: program.stderr().count("reload failed") == n, f"the refusal of {text!r}", 10)
    program.conf.unlink()
    os.mkfifo(program.conf)
    program.signal(signal.SIGHUP)
    wait_for(lambda: program.stderr().count("reload failed") == len(faults) + 1, "the refusal of a FIFO", 10)
    assert status_of(get(program.port)) == 200
    program.end()


def test_a_pid_file_that_cannot_be_written(program):
    program.write("")
    program.start("--pid-file=/no/such/folder/pid", wait=False)
    assert program.process.wait(10) == 1
    assert "pid-file: /no/such/folder/pid: No such file or directory" in program.stderr()


def test_a_reload_with_a_pid_file_that_cannot_be_written(program):
    program.write("pid-file=pid\n")
    with open(program.log, "wb") as log:
        program.process = subprocess.Popen([BINARY, "--conf=conf"], cwd=program.folder, stderr=log)
    program.wait_serving(1)
    program.write("pid-file=/no/such/folder/pid\n")
    program.signal(signal.SIGHUP)
    program.wait_log("reload failed")
    wait_for(program.pid_file.exists, "the PID file")
    assert int(program.pid_file.read_text()) == program.pid
    program.end()


# ---------------------------------------------------------------- root, and another user's folder

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
NOBODY = 65534


@pytest.fixture
def users_folder():
    with tempfile.TemporaryDirectory(prefix="ngx-it-") as folder:
        os.chmod(folder, 0o755)
        logs = pathlib.Path(folder, "logs")
        logs.mkdir()
        os.chown(logs, NOBODY, NOBODY)
        secret = pathlib.Path(folder, "secret")
        secret.write_text("root's\n")
        secret.chmod(0o600)
        yield logs, secret


@root_only
@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_links_in_a_users_folder_lead_root_nowhere(program, users_folder, kind):
    logs, secret = users_folder
    program.write(f"user=nobody\naccesslog-file={logs}/access\nerrorlog-file={logs}/errors\n")
    program.start(wait=False)
    wait_for(program.pid_file.exists, "the PID file", 10)  # the main process has opened its log, too
    assert (logs / "access").stat().st_uid == (logs / "errors").stat().st_uid == NOBODY
    for name in ("access", "errors"):
        (logs / name).rename(logs / f"{name}.1")
        (os.symlink if kind == "symbolic" else os.link)(secret, logs / name)
    program.signal(signal.SIGUSR1)
    wait_for(lambda: (logs / "errors.1").read_text().count("logs reopened"), "the reopening")
    program.signal(signal.SIGHUP)
    wait_for(lambda: "reload failed" in (logs / "errors.1").read_text(), "the refusal", 10)
    program.end()
    assert secret.stat().st_uid == 0 and secret.read_text() == "root's\n"


@root_only
def test_a_file_of_roots_in_a_users_folder_stays_roots(program, users_folder):
    logs, _ = users_folder
    mine = logs / "access"
    mine.write_text("")
    program.write(f"user=nobody\naccesslog-file={mine}\n")
    program.start()
    program.signal(signal.SIGUSR1)
    program.wait_log("logs reopened")
    assert mine.stat().st_uid == 0
    program.end()


@root_only
def test_a_single_process_gives_its_logs_to_the_user(program, users_folder):
    logs, _ = users_folder
    os.chown(logs, 0, 0)
    program.write(f"user=nobody\naccesslog-file={logs}/access\nsingle-process=yes\n")
    program.start()
    assert status_of(get(program.port)) == 200
    assert (logs / "access").stat().st_uid == NOBODY
    program.end()
    assert "pid-file: pid: cannot be removed" in program.stderr()
