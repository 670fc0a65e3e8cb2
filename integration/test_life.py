"""Signals, draining and logs."""

import os
import re
import signal
import socket

import pytest

from lib.h1client import H1Client
from lib.waiting import wait_for

MAX_STREAM = 2**31 - 1
ENDINGS = [signal.SIGQUIT, signal.SIGTERM]
ends = pytest.mark.parametrize("number", ENDINGS, ids=["SIGQUIT", "SIGTERM"])


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return False
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False  # the kernel had taken it when the listener closed


def ended_well(proxy):
    assert proxy.wait_exit() == 0


@ends
def test_end_without_work(start_proxy, make_origin, number):
    proxy = start_proxy([make_origin()])
    proxy.signal(number)
    ended_well(proxy)
    assert refuses(proxy.clear_port) and refuses(proxy.tls_port)


@ends
def test_end_with_idle_connections(start_proxy, make_origin, clients, number):
    """Nobody waits for a client that has nothing to say."""
    proxy = start_proxy([make_origin()])
    for front in ("h1", "h1-tls", "h2-tls", "h2-prior"):
        assert clients.connect(front, proxy).request("GET", "/hello").status == 200
    clients.wire("h1", proxy)  # and one that never said a word
    proxy.signal(number)
    ended_well(proxy)


@ends
@pytest.mark.parametrize("front", ["h1", "h1-tls"])
def test_h1_download_finishes(start_proxy, make_origin, clients, token, front, number):
    origin = make_origin()
    proxy = start_proxy([origin])
    client = clients.connect(front, proxy)
    client.start("GET", f"/hold?n=1000000&id={token}")
    resp = client.read_final_head()
    proxy.signal(number)
    wait_for(lambda: refuses(proxy.clear_port), "no new connections")
    origin.release(token)
    client.read_body(resp)
    assert resp.complete and len(resp.body) == 1000000
    client.wire.wait_eof()
    ended_well(proxy)


@ends
def test_h1_response_says_close_while_draining(start_proxy, make_origin, clients, token, number):
    origin = make_origin()
    proxy = start_proxy([origin])
    client = clients.connect("h1", proxy)
    client.start("GET", f"/gate?id={token}")
    client.wire.flush()
    wait_for(lambda: origin.find(token), "the request at the backend")
    proxy.signal(number)
    wait_for(lambda: refuses(proxy.clear_port), "no new connections")
    origin.release(token)
    resp = client.finish()
    assert resp.body == b"released" and "close" in resp.get("connection", "").lower()
    client.wire.wait_eof()
    ended_well(proxy)


@ends
@pytest.mark.parametrize("front", ["h2-tls", "h2-prior"])
@pytest.mark.parametrize("back", ["h1", "h2"])
def test_h2_gets_two_goaways_and_finishes(start_proxy, make_origin, clients, token, front, back, number):
    """RFC 9113, 6.8: first "no new streams, please", then the last one that is served."""
    origin = make_origin(proto=back)
    proxy = start_proxy([origin])
    client = clients.connect(front, proxy)
    assert client.request("GET", "/hello").status == 200
    sid = client.start("GET", f"/hold?n=100000&id={token}")
    client.wait_head(sid)
    proxy.signal(number)
    client.wait_until(lambda: client.goaways, "the first GOAWAY")
    assert client.goaways[0] == (MAX_STREAM, 0)
    client.wait_until(lambda: len(client.goaways) > 1, "the second GOAWAY")
    assert client.goaways[1] == (sid, 0)
    assert not client.streams[sid].done
    origin.release(token)
    resp = client.wait(sid)
    assert resp.complete and len(resp.body) == 100000
    client.wait_eof()
    ended_well(proxy)


def test_stream_between_the_goaways_is_served(start_proxy, make_origin, clients, token):
    origin = make_origin()
    proxy = start_proxy([origin])
    client = clients.connect("h2-tls", proxy)
    sid = client.start("GET", f"/gate?id={token}")
    wait_for(lambda: client.pump(0.01) or origin.find(token), "the request at the backend")
    proxy.signal(signal.SIGQUIT)
    client.wait_until(lambda: client.goaways, "the first GOAWAY")
    late = client.start("GET", "/hello")
    resp = client.wait(late)
    assert resp.status == 200, "sent before the last stream id was named"
    origin.release(token)
    assert client.wait(sid).status == 200
    client.wait_eof()
    ended_well(proxy)


def test_upload_finishes(start_proxy, make_origin, clients, token):
    origin = make_origin()
    proxy = start_proxy([origin])
    client = clients.connect("h1", proxy)
    payload = client.start("POST", f"/dump?id={token}", body=b"x" * 100000, expect=True)
    client.wire.send(payload[:50000])
    wait_for(lambda: client.wire.pump(0.01) * 0 or origin.find(token), "the request at the backend")
    proxy.signal(signal.SIGQUIT)
    wait_for(lambda: refuses(proxy.clear_port), "no new connections")
    client.wire.send(payload[50000:])
    resp = client.finish()
    assert resp.status == 200 and '"length": 100000' in resp.body.decode()
    ended_well(proxy)


def test_signals_that_come_again_while_it_ends(start_proxy, make_origin):
    """Up to its last moment: an impatient operator must not turn a good end into a death by signal."""
    origin = make_origin()
    for _ in range(15):
        proxy = start_proxy([origin], fronts=("clear",))
        while proxy.alive():
            proxy.signal(signal.SIGQUIT)
        assert proxy.process.returncode == 0


def test_pid_file(start_proxy, make_origin, tmp_path):
    path = tmp_path / "pid"
    proxy = start_proxy([make_origin()], args=[f"--pid-file={path}"])
    wait_for(path.exists, "the PID file")
    assert path.read_text() == f"{proxy.process.pid}\n"


# ---------------------------------------------------------------- logs

DEFAULT_LINE = (
    r'127\.0\.0\.1 - - \[\d\d/(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] '
)


def log_lines(path, n):
    def enough():
        lines = path.read_text().splitlines() if path.exists() else []
        return lines if len(lines) >= n else None

    return wait_for(enough, f"{n} lines in {path.name}")


def test_no_access_log_by_default(start_proxy, make_origin, clients):
    proxy = start_proxy([make_origin()])
    assert clients.connect("h1", proxy).request("GET", "/hello").status == 200
    assert "/hello" not in proxy.stderr()
    assert os.listdir(proxy.folder) == ["stderr"]


@pytest.mark.parametrize("front,version", [("h1", "HTTP/1.1"), ("h1-tls", "HTTP/1.1"), ("h2-tls", "HTTP/2"), ("h2-prior", "HTTP/2")])
def test_default_access_log_line(start_proxy, make_origin, clients, tmp_path, front, version):
    path = tmp_path / "access.log"
    proxy = start_proxy([make_origin()], args=[f"--accesslog-file={path}"])
    client = clients.connect(front, proxy)
    client.request("GET", "/hello?x=1", headers=[("Referer", "http://from.test/"), ("User-Agent", "tester/1")])
    client.request("GET", "/status?code=204")
    client.request("HEAD", "/big?n=1000")
    lines = log_lines(path, 3)
    assert re.fullmatch(DEFAULT_LINE + rf'"GET /hello\?x=1 {version}" 200 6 "http://from\.test/" "tester/1"', lines[0]), lines[0]
    assert re.fullmatch(DEFAULT_LINE + rf'"GET /status\?code=204 {version}" 204 0 "-" "-"', lines[1]), lines[1]
    assert re.fullmatch(DEFAULT_LINE + rf'"HEAD /big\?n=1000 {version}" 200 0 "-" "-"', lines[2]), lines[2]


def test_http_1_0_in_the_access_log(start_proxy, make_origin, clients, tmp_path):
    path = tmp_path / "access.log"
    proxy = start_proxy([make_origin()], args=[f"--accesslog-file={path}"])
    clients.connect("h1", proxy).request("GET", "/hello", version="HTTP/1.0")
    assert '"GET /hello HTTP/1.0" 200 6' in log_lines(path, 1)[0]


def test_access_log_cannot_be_forged(start_proxy, make_origin, clients, tmp_path):
    path = tmp_path / "access.log"
    proxy = start_proxy([make_origin()], args=[f"--accesslog-file={path}"])
    clients.connect("h1", proxy).request("GET", "/hello", headers=[("User-Agent", 'a"b\\c\xe9\td')])
    text = path.read_bytes() if log_lines(path, 1) else b""
    assert b"a\\x22b" in text and b"\\xe9" in text.lower() and b"\\x09d" in text
    assert text.count(b'"') == 6 and text.count(b"\n") == 1 and b"\t" not in text and b"\xe9" not in text


VARIABLES = (
    "remote_addr method path path_without_query protocol_version status body_bytes_sent request_time server_port alpn "
    "http_x_mine backend_host backend_port http_none"
).split()
FORMAT = "|".join("$" + name for name in VARIABLES) + "|${status}|$unknown|$STATUS"


@pytest.mark.parametrize("front", ["h1", "h2-tls"])
def test_access_log_format(start_proxy, make_origin, clients, tmp_path, front):
    path = tmp_path / "access.log"
    origin = make_origin()
    proxy = start_proxy([origin], args=[f"--accesslog-file={path}", f"--accesslog-format={FORMAT}"])
    clients.connect(front, proxy).request("GET", "/hello?a=b", headers=[("X-Mine", "yes")])
    got = log_lines(path, 1)[0].split("|")
    tls = front == "h2-tls"
    port = proxy.tls_port if tls else proxy.clear_port
    assert got[:7] == ["127.0.0.1", "GET", "/hello?a=b", "/hello", "HTTP/2" if tls else "HTTP/1.1", "200", "6"]
    assert re.fullmatch(r"\d+\.\d{3}", got[7])
    assert got[8:11] == [str(port), "h2" if tls else "http/1.1", "yes"]
    assert got[11:14] == ["127.0.0.1", str(origin.port), "-"]
    assert got[14:] == ["200", "$unknown", "200"]


@pytest.mark.parametrize("front", ["h1", "h2-tls"])
def test_tls_variables_of_the_access_log(start_proxy, make_origin, clients, tmp_path, front):
    path = tmp_path / "access.log"
    wanted = "$tls_protocol|$tls_cipher|$tls_sni|$tls_session_reused|$ssl_protocol"
    proxy = start_proxy([make_origin()], args=[f"--accesslog-file={path}", f"--accesslog-format={wanted}"])
    if "unknown variable $tls_protocol" in proxy.stderr():
        pytest.skip("the access log's TLS variables are not supported yet")
    clients.connect(front, proxy).request("GET", "/hello")
    tls = front == "h2-tls"
    got = log_lines(path, 1)[0].split("|")
    assert got[0] == got[4] == ("TLSv1.3" if tls else "-")
    assert got[1].startswith("TLS_") if tls else got[1] == "-"
    assert got[2:4] == (["front.test", "."] if tls else ["-", "-"])


def test_errors_are_in_the_access_log(start_proxy, make_origin, clients, tmp_path):
    path = tmp_path / "access.log"
    origin = make_origin()
    proxy = start_proxy([origin], args=[f"--accesslog-file={path}"])
    wire = clients.wire("h1", proxy)
    wire.send(b"GET /bad HTTP/1.1\r\n\r\n")
    assert H1Client(wire, "").finish().status == 400
    assert '" 400 ' in log_lines(path, 1)[0]


def test_sigusr1_reopens_the_logs(start_proxy, make_origin, clients, tmp_path):
    """The way of logrotate: rename, signal, and the next line is in a new file."""
    access, errors = tmp_path / "access.log", tmp_path / "error.log"
    proxy = start_proxy([make_origin()], args=[f"--accesslog-file={access}", f"--errorlog-file={errors}"])
    client = clients.connect("h1", proxy)
    client.request("GET", "/hello?first")
    log_lines(access, 1)
    for path in (access, errors):
        if path.exists():
            path.rename(str(path) + ".1")
    proxy.signal(signal.SIGUSR1)
    wait_for(access.exists, "a new access log")
    wait_for(errors.exists, "a new error log")
    client.request("GET", "/hello?second")
    assert "/hello?second" in log_lines(access, 1)[0]
    old = (tmp_path / "access.log.1").read_text()
    assert "/hello?first" in old and "/hello?second" not in old
    assert proxy.alive()


def test_signals_that_mean_nothing_do_no_harm(start_proxy, make_origin, clients):
    proxy = start_proxy([make_origin()])
    client = clients.connect("h1", proxy)
    proxy.signal(signal.SIGPIPE)
    proxy.signal(signal.SIGUSR1)
    assert client.request("GET", "/hello").status == 200
