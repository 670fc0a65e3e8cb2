"""A start that cannot succeed: status 1, one line that names the reason, and nothing listens. And the configuration
file."""

import socket
import subprocess

import pytest

from lib.ports import free_port, release_port
from lib.proxy import BINARY, run_to_end


@pytest.fixture
def port():
    number = free_port()
    yield number
    release_port(number)


def listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def refused(args, *words):
    """Starts it, and checks the complaint: status 1, and one line with all these words. Indented lines below it are
    its illustration."""
    status, out, err = run_to_end(["--conf=/dev/null"] + args)
    assert status == 1, f"status {status}\n{out}{err}"
    lines = [
        line
        for line in err.splitlines()
        if line.strip() and not line.startswith(" ") and "has no effect yet" not in line
    ]
    assert len(lines) == 1, f"not one clear line:\n{err}"
    assert all(word in lines[0] for word in words), f"does not name {words}:\n{err}"

BAD_OPTIONS = {
    "unknown": (["--no-such-option"], ["no-such-option"]),
    "unknown-short": (["-Z"], ["Z"]),
    "ambiguous": (["--frontend-http2=1"], ["frontend-http2"]),
    "no-argument": (["--workers"], ["workers"]),
    "number-word": (["--workers=many"], ["workers", "many"]),
    "number-negative": (["--workers=-1"], ["workers", "-1"]),
    "number-unit": (["--backlog=5x"], ["backlog", "5x"]),
    "duration": (["--frontend-keep-alive-timeout=soon"], ["frontend-keep-alive-timeout", "soon"]),
    "duration-fraction": (["--backend-read-timeout=1.5s"], ["backend-read-timeout", "1.5s"]),
    "size": (["--backend-request-buffer=16Q"], ["backend-request-buffer", "16Q"]),
    "size-zero": (["--backend-response-buffer=0"], ["backend-response-buffer"]),
    "log-level": (["--log-level=LOUD"], ["log-level", "LOUD"]),
    "header": (["--add-request-header=no colon"], ["add-request-header", "no colon"]),
    "header-name": (["--add-response-header=x y: 1"], ["add-response-header"]),
    "tls-version": (["--tls-min-proto-version=SSLv3"], ["tls-min-proto-version", "SSLv3"]),
    "tls-min-over-max": (["--tls-min-proto-version=TLSv1.3", "--tls-max-proto-version=TLSv1.2"], ["proto-version"]),
    "backend-no-port": (["-b127.0.0.1"], ["backend"]),
    "backend-port": (["-b127.0.0.1,99999"], ["99999"]),
    "backend-keyword": (["-b127.0.0.1,80;/;speed=9"], ["speed"]),
    "backend-proto": (["-b127.0.0.1,80;/;proto=h3"], ["h3"]),
    "no-catch-all": (["-b127.0.0.1,80;/only/"], ["catch-all"]),
    "frontend-keyword": (["-f127.0.0.1,1;fast"], ["fast"]),
    "frontend-port": (["-f127.0.0.1,0"], ["frontend", "0"]),
    "removed": (["--client"], ["client"]),
    "cacert": (["--cacert=/no/such/file.pem"], ["/no/such/file.pem"]),
    "error-page": (["--error-page=404=/no/such/page"], ["/no/such/page"]),
    "error-page-code": (["--error-page=200=/dev/null"], ["error-page", "200"]),
    "access-log": (["--accesslog-file=/no/such/folder/log"], ["/no/such/folder/log"]),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_bad_option(port, name):
    args, words = BAD_OPTIONS[name]
    front = [] if name.startswith("frontend") else [f"-f127.0.0.1,{port};no-tls"]
    refused(front + args, *words)
    assert not listening(port)


def test_missing_key_file(port, certs):
    refused([f"-f127.0.0.1,{port}", "/no/such/key.pem", certs.front.cert_file], "/no/such/key.pem")
    assert not listening(port)


def test_missing_certificate_file(port, certs):
    refused([f"-f127.0.0.1,{port}", certs.front.key_file, "/no/such/cert.pem"], "/no/such/cert.pem")


def test_bad_key(port, certs, tmp_path):
    bad = tmp_path / "bad.key"
    bad.write_text("-----BEGIN PRIVATE KEY-----\nbm8ga2V5\n-----END PRIVATE KEY-----\n")
    refused([f"-f127.0.0.1,{port}", str(bad), certs.front.cert_file], str(bad))
    assert not listening(port)


def test_bad_certificate(port, certs, tmp_path):
    bad = tmp_path / "bad.crt"
    bad.write_text("no certificate\n")
    refused([f"-f127.0.0.1,{port}", certs.front.key_file, str(bad)], str(bad))


def test_key_of_another_certificate(port, certs):
    refused([f"-f127.0.0.1,{port}", certs.front2.key_file, certs.front.cert_file], certs.front2.key_file)
    assert not listening(port)


def test_tls_frontend_without_key(port):
    refused([f"-f127.0.0.1,{port}"], "private-key-file")
    assert not listening(port)


def test_bad_subcert(port, certs):
    args = ["--subcert=/no/key:/no/cert", certs.front.key_file, certs.front.cert_file]
    refused([f"-f127.0.0.1,{port}"] + args, "/no/key")


def test_port_in_use(port):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        refused([f"-f127.0.0.1,{port};no-tls"], str(port), "in use")


def test_port_in_use_leaves_the_other_one_free(port):
    other = free_port()
    try:
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", port))
            holder.listen()
            refused([f"-f127.0.0.1,{other};no-tls", f"-f127.0.0.1,{port};no-tls"], str(port), "in use")
        assert not listening(other)
    finally:
        release_port(other)


def test_unix_socket_in_a_missing_folder():
    refused(["-funix:/no/such/folder/sock;no-tls"], "/no/such/folder/sock")


def test_version():
    status, out, _ = run_to_end(["--version"])
    assert status == 0 and out.startswith("nghttpx ") and len(out.splitlines()) == 1


def test_help_names_every_group():
    status, out, _ = run_to_end(["--help"])
    assert status == 0
    for option in ("--backend", "--frontend", "--workers", "--cacert", "--accesslog-file", "--conf"):
        assert option in out


# ---------------------------------------------------------------- the file


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_everything_from_a_file(start_proxy, make_origin, clients, certs, tmp_path, token):
    origin, port, clear = make_origin(), free_port(), free_port()
    conf = write(
        tmp_path / "nghttpx.conf",
        "# a comment",
        "",
        f"frontend=127.0.0.1,{port}",
        f"Frontend=127.0.0.1,{clear};no-tls",
        f"backend={origin.backend()}",
        f"private-key-file={certs.front.key_file}",
        f"certificate-file={certs.front.cert_file}",
        "workers=1",
        "no-via=yes",
        "no-server-rewrite=no",
        "add-request-header=X-From: the file",
        "server-name=overridden",
    )
    proxy = start_proxy([], fronts=(), conf=conf, args=["--server-name=mine", "--add-request-header=X-Too: line"])
    proxy.tls_port, proxy.clear_port = port, clear
    from lib.waiting import wait_for

    wait_for(lambda: listening(port) and listening(clear), "both listeners")
    for front in ("h2-tls", "h1"):
        resp = clients.connect(front, proxy).request("GET", f"/hello?id={token}{front}")
        assert resp.status == 200 and resp.get("server") == "mine" and resp.get("via") is None
        got = origin.one(token + front)
        assert got.get("x-from") == "the file" and got.get("x-too") == "line" and got.get("via") is None


def test_include(start_proxy, make_origin, clients, tmp_path):
    origin = make_origin()
    extra = write(tmp_path / "extra.conf", "server-name=included")
    conf = write(tmp_path / "main.conf", f"include={extra}", f"backend={origin.backend()}")
    proxy = start_proxy([], fronts=("clear",), conf=conf)
    assert clients.connect("h1", proxy).request("GET", "/hello").get("server") == "included"


def test_repeatable_options_accumulate(start_proxy, make_origin, clients, tmp_path):
    one, two = make_origin(), make_origin()
    conf = write(tmp_path / "main.conf", f"backend={one.backend('/one/')}")
    proxy = start_proxy([two.backend()], fronts=("clear",), conf=conf)
    client = clients.connect("h1", proxy)
    client.request("GET", "/one/x")
    client.request("GET", "/two")
    assert [r.path for r in one.requests] == ["/one/x"] and [r.path for r in two.requests] == ["/two"]


BAD_FILES = {
    "unknown": (["no-such-option=1"], ["no-such-option", ":1"]),
    "no-equals": (["# fine", "workers"], [":2"]),
    "bad-value": (["", "", "workers=many"], ["many", ":3"]),
    "backend": (["backend=127.0.0.1,80;/;speed=9"], ["speed", ":1"]),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file(port, tmp_path, name):
    lines, words = BAD_FILES[name]
    conf = write(tmp_path / "bad.conf", *lines)
    status, _, err = run_to_end([f"--conf={conf}", f"-f127.0.0.1,{port};no-tls"])
    assert status == 1 and conf in err
    assert any(all(w in line for w in words) for line in err.splitlines()), err
    assert not listening(port)


def test_include_cycle(port, tmp_path):
    conf = str(tmp_path / "loop.conf")
    write(tmp_path / "loop.conf", f"include={conf}")
    status, _, err = run_to_end([f"--conf={conf}", f"-f127.0.0.1,{port};no-tls"])
    assert status == 1 and "loop.conf" in err


def test_abbreviated_options_work(start_proxy, make_origin, clients):
    """getopt_long's rule: unambiguous beginnings."""
    proxy = start_proxy([make_origin()], args=["--server-n=short"])
    assert clients.connect("h1", proxy).request("GET", "/hello").get("server") == "short"


def test_it_is_the_program_that_was_asked_for():
    done = subprocess.run([BINARY, "-v"], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0 and "nghttpx" in done.stdout
