"""Listening sockets: doubles, inherited ones, and the files of UNIX sockets that somebody else has touched."""

import os
import signal
import socket
import sys
import tempfile

import pytest

from lib.processes import get, is_running, reload, status_of, swap
from lib.waiting import wait_for


def test_a_frontend_that_is_there_twice(program):
    program.write(f"frontend=127.0.0.1,{program.port};no-tls\nfrontend=localhost,{program.port};no-tls\n")
    program.start()
    assert status_of(get(program.port)) == 200
    reload(program, program.pid)
    assert status_of(get(program.port)) == 200
    program.end()


# Hands descriptor argv[1] over, as systemd does.
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_an_inherited_socket_for_both_families(program):
    """systemd's default for ListenStream=3000: one socket for IPv6 and IPv4."""
    with socket.socket(socket.AF_INET6) as both:
        both.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        both.bind(("::", program.port))
        both.listen()
        program.base = program.base.replace("=127.0.0.1,", "=*,", 1)
        program.write("")
        program.start(prefix=(sys.executable, "-c", ACTIVATE, str(both.fileno())), pass_fds=(both.fileno(),))
    assert status_of(get(program.port)) == 200
    with socket.create_connection(("::1", program.port), 5):
        pass
    reload(program, program.pid)
    assert status_of(get(program.port)) == 200
    swap(program, program.pid_file)
    assert status_of(get(program.port)) == 200


@pytest.fixture
def unix_path():
    with tempfile.TemporaryDirectory(prefix="ngx-it-") as folder:
        yield os.path.join(folder, "s")


def serves(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(path)
        s.sendall(b"GET /hello HTTP/1.1\r\nHost: front.test\r\nConnection: close\r\n\r\n")
        return s.recv(65536).startswith(b"HTTP/1.1 200 ")


def refused(program):
    program.start(wait=False)
    assert program.process.wait(10) == 1
    return program.stderr()


def test_a_unix_socket_of_another_kind_is_left_alone(program, unix_path):
    kind = socket.AF_UNIX, socket.SOCK_DGRAM
    with socket.socket(*kind) as other, socket.socket(*kind) as s:
        other.bind(unix_path)
        program.write(f"frontend=unix:{unix_path};no-tls\n")
        assert "a socket of another kind" in refused(program)
        s.sendto(b"x", unix_path)
        assert other.recv(10) == b"x"


@pytest.mark.parametrize("host", ["127.0.0.1", "*", "unix"])
def test_an_address_comes_back_before_its_worker_has_left_it(program, free_ports, unix_path, host):
    """Who listens there is no other program, though it may take its time to leave."""
    port = free_ports(1)[0]
    with_it = f"frontend={f'unix:{unix_path}' if host == 'unix' else f'{host},{port}'};no-tls\n"
    program.write(with_it)
    program.start()
    (worker,) = program.serving()
    os.kill(worker, signal.SIGSTOP)
    program.write("")
    reload(program, program.pid)
    program.write(with_it)
    reload(program, program.pid)
    os.kill(worker, signal.SIGCONT)
    wait_for(lambda: not is_running(worker), "the end of the worker", 20)
    assert serves(unix_path) if host == "unix" else status_of(get(port)) == 200
    program.end()


def test_a_unix_socket_whose_queue_is_full_is_served(program, unix_path):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(unix_path)
        other.listen(0)
        clients = []
        with pytest.raises(BlockingIOError):
            while True:
                clients.append(socket.socket(socket.AF_UNIX))
                clients[-1].setblocking(False)
                clients[-1].connect(unix_path)
        program.write(f"frontend=unix:{unix_path};no-tls\n")
        assert "another program listens there" in refused(program)
        for client in clients:
            client.close()


def test_a_unix_socket_that_is_left_over_is_replaced(program, unix_path):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(unix_path)
        other.listen()
    program.write(f"frontend=unix:{unix_path};no-tls\n")
    program.start()
    assert serves(unix_path)
    program.end()


def test_a_unix_socket_that_was_removed_comes_back(program, unix_path):
    """A reload makes it again; one that fails takes it away again, and the next one is not deceived by it."""
    program.write(f"frontend=unix:{unix_path};no-tls\n")
    program.start()
    assert serves(unix_path)
    os.unlink(unix_path)
    program.write(f"frontend=unix:{unix_path};no-tls\ncacert=/no/such/file\n")
    program.signal(signal.SIGHUP)
    program.wait_log("reload failed")
    assert not os.path.exists(unix_path)
    program.write(f"frontend=unix:{unix_path};no-tls\n")
    reload(program, program.pid)
    assert serves(unix_path)
    swap(program, program.pid_file)
    assert serves(unix_path)


def test_a_unix_socket_that_somebody_else_has_replaced(program, unix_path):
    program.write(f"frontend=unix:{unix_path};no-tls\n")
    program.start()
    os.unlink(unix_path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(unix_path)
        other.listen()
        program.signal(signal.SIGHUP)
        program.wait_log("another program listens there")
    swap(program, program.pid_file)
    assert serves(unix_path)


def test_a_start_that_fails_leaves_no_socket_file(program, unix_path):
    program.write(f"frontend=unix:{unix_path};no-tls\ncacert=/no/such/file\n")
    assert "/no/such/file" in refused(program)
    assert not os.path.exists(unix_path)
