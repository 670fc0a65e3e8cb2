"""The configuration as the program sees it: --check-config, --print-config, files like those of nghttpx's users, input
that is none, and how long much of it takes."""

import json
import os
import re
import resource
import socket
import subprocess

import pytest

from lib.ports import free_port, release_port
from lib.proxy import BINARY, Proxy, environment, is_sanitized, run_to_end
from lib.waiting import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIGS = sorted(name[:-5] for name in os.listdir(os.path.join(HERE, "configs")) if name.endswith(".conf"))
# What the program says about a file of configs/ that it takes: features that are not there yet, and traps.
TAKEN = re.compile(
    r"has no effect yet|proxyproto believes every peer|there is no access log|weight .* whose backends have affinity"
)


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def check(*args):
    return run_to_end(["--check-config", "--conf=/dev/null", *args], timeout=60)  # the last --conf is the one


def complaints(err):
    """The lines that say something; those below them, indented, only show where."""
    return [line for line in err.splitlines() if line.strip() and not line.startswith(" ")]


# ---------------------------------------------------------------- files of users


class Site:
    """A file of configs/ with this machine's ports and files, and the servers that it names."""

    def __init__(self, name, folder, certs, make_origin):
        self.ports, self.origins = {}, {}
        self.folder, self.make_origin = str(folder), make_origin
        with open(os.path.join(HERE, "configs", f"{name}.conf")) as file:
            text = file.read()
        text = text.replace("/etc/nghttpx/server.key", certs.front.key_file)
        text = text.replace("/etc/nghttpx/server.crt", certs.front.cert_file)
        text = text.replace("/etc/nghttpx/other.key", certs.front2.key_file)
        text = text.replace("/etc/nghttpx/other.crt", certs.front2.cert_file)
        text = text.replace("/var/log/nghttpx/", f"{folder}/")
        text = re.sub(r"unix:/run/nghttpx/(\w+)\.sock", self._socket, text)
        text = re.sub(r"^frontend=([^,\n]*),(\d+)", self._front, text, flags=re.MULTILINE)
        text = re.sub(r"^backend=([^,\n]*),(\d+)", self._back, text, flags=re.MULTILINE)
        self.conf = os.path.join(self.folder, f"{name}.conf")
        with open(self.conf, "w") as file:
            file.write(text)

    def _front(self, match):
        if match[2] not in self.ports:
            self.ports[match[2]] = free_port()
        return f"frontend={match[1]},{self.ports[match[2]]}"

    def _back(self, match):
        return f"backend={match[1]},{self.origin(match[2]).port}"

    def _socket(self, match):
        if match[1] == "front":
            self.ports["front"] = os.path.join(self.folder, "front.sock")
            return f"unix:{self.ports['front']}"
        return f"unix:{self.origin(match[1]).unix}"

    def origin(self, name):
        if name not in self.origins:
            unix = not name.isdigit()
            self.origins[name] = self.make_origin(proto="h2" if name in ("8082", "grpc") else "h1", unix=unix)
        return self.origins[name]

    def release(self):
        for port in self.ports.values():
            if isinstance(port, int):
                release_port(port)


@pytest.fixture
def site(tmp_path, certs, make_origin, workdir):
    made = []

    def make(name):
        folder = os.path.join(workdir, f"site{os.getpid()}-{name}")  # short: sockets live in it
        os.makedirs(folder, exist_ok=True)
        made.append(Site(name, folder, certs, make_origin))
        return made[-1]

    yield make
    for one in made:
        one.release()


def test_there_are_ten():
    assert len(CONFIGS) == 10


@pytest.mark.parametrize("name", CONFIGS)
def test_users_file_is_good(site, name):
    status, out, err = check(f"--conf={site(name).conf}")
    assert status == 0 and out == "nghttpx: the configuration is good\n", out + err
    strange = [line for line in complaints(err) if not TAKEN.search(line)]
    assert not strange, "\n".join(strange)


@pytest.mark.parametrize("name", CONFIGS)
def test_users_file_is_printed_and_read_back(site, name, tmp_path):
    status, first, err = run_to_end([f"--conf={site(name).conf}", "--print-config"])
    assert status == 0, err
    again = tmp_path / "printed.conf"
    again.write_text(first)
    status, second, err = run_to_end([f"--conf={again}", "--print-config"])
    assert status == 0 and second == first, err


def test_parameters_of_backends_are_printed_and_read_back(tmp_path, certs):
    """What nghttpx does not have; a body comes from its file again."""
    page = tmp_path / "page.html"
    page.write_text("<p>soon</p>")
    pin = "pin=sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    conf = write(
        tmp_path / "a.conf",
        "frontend=*,3000;no-tls;proxyproto-from=10.0.0.0/8,fd00::/8",
        "resolv-conf=/etc/resolv.conf",
        f"backend=h,443;/;tls;proto=auto;ca=/ca;cert={certs.front.cert_file};key={certs.front.key_file};insecure;{pin}",
        "backend=g,80;/;balance=hash:header:X-User;max-conns=9;max-queue=8;queue-timeout=7s;max-idle=6;warm-up=5",
        "backend=g,80;/h;health-path=/up;health-host=g:81;health-interval=1s;health-status=200,204;outlier=5xx:3",
        "backend=_http._tcp.example.com,80;/s;dns=srv;send-proxy=v2",
        "backend=h,80;/c;affinity=cookie;affinity-cookie-name=n;affinity-cookie-http-only;"
        "affinity-cookie-same-site=lax;affinity-cookie-max-age=1h",
        f"backend=respond=503,{page};/maintenance/",
        "backend=redirect=308,https://$authority$path;old.example",
    )
    status, first, err = run_to_end([f"--conf={conf}", "--print-config"])
    assert status == 0, err
    printed = [line for line in first.splitlines() if line.startswith(("backend=", "frontend="))]
    assert len(printed) == 8 and f"backend=respond=503,{page};/maintenance/" in printed
    again = write(tmp_path / "b.conf", first)
    status, second, err = run_to_end([f"--conf={again}", "--print-config"])
    assert status == 0 and second == first, err
    status, out, _ = run_to_end([f"--conf={again}", "--print-config", "--format=json"])
    backends = json.loads(out)["backend"]
    assert [b.get("dns") for b in backends] == [None, None, None, "srv", None, None, None]
    assert (backends[2]["fall"], backends[2]["rise"], backends[2]["health-timeout"]) == (3, 2, 2000)
    answer = {"patterns": ["/maintenance/"], "redirect-if-not-tls": False, "respond": 503, "file": str(page)}
    assert backends[5] == answer
    page.unlink()
    status, _, err = run_to_end([f"--conf={conf}", "--print-config"])
    assert status == 1 and f"{conf}:8:21: respond: cannot read" in err, err


# Of each file: the frontend, the way to it, paths, and which backend answers.
SERVED = {
    "default": [("3000", "h2-tls", "front.test", "/hello", "8080")],
    "h2-backend": [
        ("3000", "h2-tls", "front.test", "/grpc/x", "8082"),
        ("3080", "h1", "api.example.com", "/y", "8082"),
        ("3080", "h2-prior", "front.test", "/z", "8080"),
    ],
    "certificates": [
        ("3000", "h2-tls", "other.test", "/hello", "8081"),
        ("3000", "h2-tls", "front.test", "/hello", "8080"),
    ],
    "websocket": [("3080", "h1", "front.test", "/chat", "8081"), ("3080", "h1", "front.test", "/", "8080")],
    "proxy-protocol": [("3080", "h1", "front.test", "/hello", "8080")],
    "api": [("3080", "h1", "front.test", "/hello", "8080")],
    "unix-sockets": [("front", "h1", "a.test", "/hello", "app"), ("front", "h1", "a.test", "/grpc/x", "grpc")],
    "dns": [("3080", "h1", "front.test", "/static/x", "8081"), ("3080", "h1", "front.test", "/x", "8080")],
    "affinity": [("3080", "h1", "static.example.com", "/x", None)],  # redirect-if-not-tls
}


def test_all_but_the_forward_proxy_are_tried():
    assert set(CONFIGS) - set(SERVED) == {"forward-proxy"}


@pytest.mark.parametrize("name", SERVED)
def test_users_file_serves(site, name, certs, clients, token, tmp_path):
    here = site(name)
    proxy = Proxy(certs, [], fronts=(), conf=here.conf, folder=str(tmp_path))
    try:
        proxy.start()
        for port in here.ports.values():
            wait_for(lambda port=port: listens(port), f"{port} listens")
        for i, (front, way, host, path, back) in enumerate(SERVED[name]):
            mine = f"{token}{i}"
            if front == "front":
                assert ask_socket(here.ports[front], host, f"{path}?id={mine}").startswith(b"HTTP/1.1 ")
            else:
                proxy.tls_port = proxy.clear_port = here.ports[front]
                resp = clients.connect(way, proxy, host).request("GET", f"{path}?id={mine}")
                assert resp.status in ((200, 404) if back else (308,))  # an origin has no answer for most paths
            if back:
                assert here.origins[back].one(mine).path == path
            else:
                assert resp.get("location") == f"https://{host}{path}?id={mine}"
        if name == "default":
            proxy.stop()
            with open(os.path.join(here.folder, "access.log")) as log:
                assert f"GET /hello?id={token}0 HTTP/2" in log.read()
    finally:
        proxy.tls_port = proxy.clear_port = None
        clients.close()
        if proxy in Proxy.running:
            proxy.stop()


def listens(where):
    family, address = (socket.AF_INET, ("127.0.0.1", where)) if isinstance(where, int) else (socket.AF_UNIX, where)
    with socket.socket(family) as s:
        return s.connect_ex(address) == 0


def ask_socket(path, host, target):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(path)
        s.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        out = b""
        while chunk := s.recv(65536):
            out += chunk
        return out


# ---------------------------------------------------------------- checking


@pytest.fixture
def port():
    number = free_port()
    yield number
    release_port(number)


def test_check_binds_nothing_and_writes_nothing(port, tmp_path):
    conf = write(
        tmp_path / "a.conf",
        f"frontend=127.0.0.1,{port};no-tls",
        f"frontend=unix:{tmp_path}/front.sock;no-tls",
        f"accesslog-file={tmp_path}/access.log",
        f"errorlog-file={tmp_path}/error.log",
        f"pid-file={tmp_path}/pid",
        "daemon=yes",
    )
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        status, out, err = check(f"--conf={conf}")
    assert (status, out, err) == (0, "nghttpx: the configuration is good\n", "")
    assert os.listdir(tmp_path) == ["a.conf"]


def bad_checks(certs, tmp_path):
    key, cert = certs.front.key_file, certs.front.cert_file
    front = "-f127.0.0.1,1"
    return {
        "key": ([front, "/no/key", cert], ["private-key-file: /no/key"]),
        "certificate": ([front, key, "/no/cert"], ["certificate-file: /no/cert"]),
        "pair": ([front, certs.front2.key_file, cert], ["is not the key of the certificate"]),
        "subcert": ([front, key, cert, "--subcert=/no/key:/no/cert"], ["subcert", "/no/key"]),
        "client-cert": ([f"{front};no-tls", f"--client-cert-file={cert}", "--client-private-key-file=/no/key"],
                        ["client-private-key-file: /no/key"]),
        "ca": ([f"{front};no-tls", "--verify-client", "--verify-client-cacert=/no/ca"], ["verify-client-cacert"]),
        "dh": ([f"{front};no-tls", f"--dh-param-file={cert}"], ["dh-param-file", "no DH parameters"]),
        "backend-ca": ([f"{front};no-tls", "-b127.0.0.1,80;;tls;ca=/no/ca"], ["backend 127.0.0.1,80: ca: /no/ca"]),
        "backend-cert": ([f"{front};no-tls", f"-b::1,80;;tls;cert=/no/cert;key={key}"],
                         ["backend ::1,80: cert: /no/cert"]),
        "backend-key": ([f"{front};no-tls", f"-bunix:/s;;tls;cert={cert};key=/no/key"],
                        ["backend unix:/s: key: /no/key"]),
        "backend-pair": ([f"{front};no-tls", f"-b127.0.0.1,80;;tls;cert={cert};key={certs.front2.key_file}"],
                         ["backend 127.0.0.1,80: key", "is not the key of the certificate"]),
        "respond": ([f"{front};no-tls", "-brespond=503,/no/page"], ['cannot read "/no/page"']),
        "resolv-conf": ([f"{front};no-tls", "--resolv-conf=/no/resolv.conf"], ["resolv-conf: /no/resolv.conf"]),
        "ciphers": ([front, key, cert, "--ciphers=NONSENSE"], ["ciphers", "NONSENSE"]),
        "groups": ([front, key, cert, "--groups=NONSENSE"], ["groups", "NONSENSE"]),
        "backend-name": ([f"{front};no-tls", "-bno-such-host.invalid,80"], ["no-such-host.invalid", "resolve"]),
        "frontend-name": (["-fno-such-host.invalid,80;no-tls"], ["no-such-host.invalid", "resolve"]),
        "user": ([f"{front};no-tls", "--user=no-such-user"], ["no-such-user"]),
        "access-log": ([f"{front};no-tls", "--accesslog-file=/no/such/folder/log"], ["accesslog-file: /no/such"]),
        "error-log": ([f"{front};no-tls", f"--errorlog-file={tmp_path}/no/log"], ["errorlog-file"]),
        "file": ([f"{front};no-tls", "--conf=/no/such/file"], ["/no/such/file"]),
        "log-folder": ([f"{front};no-tls", f"--accesslog-file={tmp_path}"], ["accesslog-file", "Is a directory"]),
        "error-log-folder": ([f"{front};no-tls", f"--errorlog-file={tmp_path}"], ["errorlog-file", "Is a directory"]),
        "socket": (["-funix:/no/such/s;no-tls"], ["frontend: unix:/no/such/s", "No such file"]),
        "socket-file": ([f"-funix:{key};no-tls"], ["exists and is not a socket"]),
        "pid-file": ([f"{front};no-tls", "--pid-file=/no/such/pid"], ["pid-file: /no/such/pid", "No such file"]),
        "pid-folder": ([f"{front};no-tls", f"--pid-file={tmp_path}"], ["pid-file", "Is a directory"]),
    }


def test_check_says_what_is_wrong(certs, tmp_path):
    for name, (args, words) in bad_checks(certs, tmp_path).items():
        status, out, err = check(*args)
        assert status == 1 and out == "", f"{name}: {status} {out}"
        assert all(word in err for word in words), f"{name}: {err}"
        assert all(line.startswith("nghttpx: ") for line in complaints(err)), err


def test_check_as_json(certs, tmp_path):
    """The fields that docs/compatibility.md describes."""
    for name, (args, words) in bad_checks(certs, tmp_path).items():
        status, out, err = check("--format=json", *args)
        assert status == 1 and err == "", f"{name}: {err}"
        result = json.loads(out)
        assert result["good"] is False
        text = " ".join(f"{e['option']} {e['message']}" for e in result["errors"])
        assert all(word in text for word in words), f"{name}: {out}"
        for fault in result["errors"] + result["warnings"]:
            assert set(fault) == {"message", "file", "line", "option", "text", "column", "length"}
    status, out, err = check("--format=json", "-f127.0.0.1,1;no-tls", "--padding=1", f"--accesslog-file={tmp_path}/log")
    result = json.loads(out)
    assert (status, err, result["good"], result["errors"]) == (0, "", True, [])
    assert [w["option"] for w in result["warnings"]] == ["padding"]


def test_all_faults_of_a_file_at_once(tmp_path):
    conf = write(tmp_path / "a.conf", "workers=0", "bakcend=h,80", "backend=h,80;;wieght=3", "frontend=*,0", "x")
    status, _, err = run_to_end([f"--conf={conf}"])
    assert status == 1
    lines = complaints(err)
    assert [line.split(":")[2] for line in lines] == ["1", "2", "3", "4", "5"]
    assert 'did you mean "backend"?' in lines[1] and 'did you mean "weight"?' in lines[2]
    assert "    workers=0\n            ^\n" in err


def test_what_is_printed_loads_back_without_a_word(tmp_path):
    """Defaults are written out; nobody has asked for those that have no effect yet."""
    status, first, err = run_to_end(["--conf=/dev/null", "-f127.0.0.1,1;no-tls", "--print-config"])
    assert (status, err) == (0, "")
    again = tmp_path / "printed.conf"
    again.write_text(first)
    assert run_to_end([f"--conf={again}", "--print-config"]) == (0, first, "")


def test_check_and_print_are_one_object(tmp_path):
    both = ["--check-config", "--print-config", "--format=json", "-f127.0.0.1,1;no-tls"]
    status, out, err = run_to_end(["--conf=/dev/null", *both, "-n3"])
    result = json.loads(out)
    assert (status, err, set(result)) == (0, "", {"check", "config"})
    assert result["check"]["good"] is True and result["config"]["workers"] == 3
    status, out, err = run_to_end(["--conf=/dev/null", *both, "--cacert=/no/such/file"])
    result = json.loads(out)
    assert (status, err) == (1, "") and result["check"]["good"] is False and result["config"]["cacert"]
    status, out, err = run_to_end(["--conf=/dev/null", *both, "-nx"])
    result = json.loads(out)
    assert (status, err) == (1, "") and result["check"]["errors"] and result["config"] is None


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["--check-config"], ["--print-config"]], ids="".join)
def test_output_that_cannot_be_written(args):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [BINARY, "--conf=/dev/null", "-f127.0.0.1,1;no-tls", *args], stdout=full, stderr=subprocess.PIPE, timeout=20
        )
    assert done.returncode == 1 and b"standard output cannot be written: No space left" in done.stderr


def test_json_of_a_program_that_is_to_start():
    status, _, err = run_to_end(["--conf=/dev/null", "-f127.0.0.1,1;no-tls", "--format=json"])
    assert status == 1 and "expected check-config or print-config" in err


def test_print_as_json():
    status, out, err = run_to_end(["--conf=/dev/null", "-f*,1;no-tls", "-n3", "--print-config", "--format=json"])
    config = json.loads(out)
    assert (status, err, config["workers"], config["backend-read-timeout"]) == (0, "", 3, 60000)
    assert config["frontend"] == [
        {
            "host": "*",
            "port": 1,
            "tls": False,
            "sni-fwd": False,
            "proxyproto": False,
            "proxyproto-from": [],
            "service": "proxy",
        }
    ]
    assert config["backend"][0]["patterns"] == ["/"] and config["cacert"] is None


# ---------------------------------------------------------------- documents


def build_file(name):
    folder = os.environ.get("NGHTTPX_BUILD") or os.path.dirname(os.path.dirname(BINARY))
    return os.path.join(folder, "config", name)


def test_documents_say_what_help_says():
    _, text, _ = run_to_end(["--help"])
    shown = re.findall(r"^  (?:-\w, )?--([a-z0-9-]+)", text, re.MULTILINE)
    assert len(shown) > 120 and len(set(shown)) == len(shown)
    with open(build_file("options.md")) as file:
        rows = re.findall(r"^\| `(?:-\w, )?--([a-z0-9-]+)", file.read(), re.MULTILINE)
    assert rows == shown
    with open(build_file("nghttpx.1")) as file:
        entries = re.findall(r"^\.TP\n(?:\\fB\\-\w\\fR, )?\\fB\\-\\-([a-z0-9\\-]+)\\fR", file.read(), re.MULTILINE)
    assert [entry.replace("\\", "") for entry in entries] == shown


def test_example_file_loads(certs):
    example = build_file("nghttpx.conf.example")
    status, _, err = check(f"--conf={example}", "-f127.0.0.1,1;no-tls", "--accesslog-syslog")
    assert (status, err) == (0, "")
    status, out, err = run_to_end([f"--conf={example}", "--print-config", certs.front.key_file, certs.front.cert_file])
    assert status == 0 and err == "" and "\nfrontend=*,3000;tls\n" in out


def test_completion_of_bash():
    script = f"""source {build_file("nghttpx.bash")}
        complete_it() {{ COMP_WORDS=(nghttpx "$@"); COMP_CWORD=$#; _nghttpx 2>/dev/null; echo "${{COMPREPLY[*]}}"; }}
        complete_it --check; complete_it --log-level=; complete_it --accesslog-f; complete_it --conf=/etc/passw
        complete_it "--backend='h,80;/;affinity=c"; complete_it '--backend=h,80;;tls;health-'
        complete_it --log-level = NO; complete_it --log-level =; complete_it --backend = "'h,80;;dn"
        complete_it '--frontend=*,80;no'; complete_it '--backend=h,80;tl'"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20)
    assert done.stdout.splitlines() == [
        "--check-config",
        "INFO NOTICE WARN ERROR FATAL",
        "--accesslog-file= --accesslog-format=",
        subprocess.run(["bash", "-c", "compgen -f /etc/passw | xargs"], capture_output=True, text=True).stdout.strip(),
        "h,80;/;affinity=cookie",
        " ".join(f"h,80;;tls;health-{p}=" for p in ("path", "host", "interval", "timeout", "status")),
        "NOTICE",
        "INFO NOTICE WARN ERROR FATAL",
        "h,80;;dns h,80;;dns=srv",
        "*,80;no-tls",
        "",  # a pattern
    ], done.stdout + done.stderr


# ---------------------------------------------------------------- what is no configuration


def refused(*args, **options):
    done = subprocess.run(
        [BINARY, *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        env=environment(),
        **options,
    )
    return done.returncode, done.stderr.decode()


def test_files_that_are_none(tmp_path, port):
    huge = tmp_path / "huge"
    with open(huge, "wb") as file:
        file.truncate(1 << 30)
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(bytes(range(256)) * 40)
    text_rubbish = tmp_path / "text-rubbish"
    text_rubbish.write_bytes(bytes(b % 255 + 1 for b in range(5000)))
    cases = {huge: "too large", rubbish: "NUL", text_rubbish: "expected", tmp_path: "Is a directory"}
    for path, words in cases.items():
        for place in (f"--conf={path}", f"--include={path}"):
            other = "--conf=/dev/null" if "include" in place else "-k"
            status, err = refused(place, other, f"-f127.0.0.1,{port};no-tls")
            assert status == 1 and words in err and str(path) in err, f"{path}: {err}"
            assert len(err) < 20000
    assert not listens(port)


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer's shadow memory is no measure")
def test_huge_file_takes_no_memory(tmp_path):
    huge = tmp_path / "huge"
    with open(huge, "wb") as file:
        file.write(b"#" * 1000)
        file.truncate(1 << 30)
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))  # noqa: E731
    status, err = refused(f"--conf={huge}", preexec_fn=limit)
    assert status == 1 and "too large; expected a file of at most 16 MiB" in err


@pytest.mark.skipif(os.geteuid() != 0, reason="who may read everything can try it as someone who may not")
def test_file_without_permission(tmp_path, certs):
    conf = tmp_path / "secret.conf"
    conf.write_text("workers=1\n")
    conf.chmod(0o600)
    copy = tmp_path / "nghttpx"
    with open(BINARY, "rb") as program:
        copy.write_bytes(program.read())
    copy.chmod(0o755)
    for folder in [tmp_path, *tmp_path.parents][:-2]:
        folder.chmod(folder.stat().st_mode | 0o011)
    done = subprocess.run(
        [str(copy), f"--conf={conf}"], capture_output=True, text=True, user="nobody", env=environment(), timeout=20
    )
    assert done.returncode == 1
    assert f'cannot read "{str(conf)[:30]}' in done.stderr and "Permission denied" in done.stderr
    key = tmp_path / "front.key"
    with open(certs.front.key_file) as file:
        key.write_text(file.read())
    cert = tmp_path / "front.crt"
    with open(certs.front.cert_file) as file:
        cert.write_text(file.read())
    key.chmod(0o600)
    cert.chmod(0o644)
    done = subprocess.run(
        [str(copy), "--conf=/dev/null", "--check-config", str(key), str(cert)],
        capture_output=True,
        text=True,
        user="nobody",
        env=environment(),
        timeout=20,
    )
    assert done.returncode == 1 and f"private-key-file: {key}" in done.stderr and "ermission denied" in done.stderr


def test_empty_file_and_missing_final_newline(tmp_path):
    empty = tmp_path / "empty.conf"
    empty.write_text("")
    assert check(f"--conf={empty}", "-f127.0.0.1,1;no-tls")[0] == 0
    cut = tmp_path / "cut.conf"
    cut.write_text("frontend=127.0.0.1,1;no-tls\nworkers=3")
    status, out, _ = run_to_end([f"--conf={cut}", "--print-config"])
    assert status == 0 and "\nworkers=3\n" in out


def test_named_file_that_is_missing_is_no_reason_to_stop(start_proxy, make_origin, clients):
    proxy = start_proxy([make_origin()], fronts=("clear",), conf="/no/such/file")
    assert clients.connect("h1", proxy).request("GET", "/hello").status == 200
    assert 'warning: there is no "/no/such/file"' in proxy.stderr()


# ---------------------------------------------------------------- size


def many_backends(path, n, port):
    with open(path, "w") as file:
        file.write(f"frontend=127.0.0.1,{port};no-tls\n")
        for i in range(n):
            file.write(f"backend=127.{i // 62500}.{i // 250 % 250}.{i % 250 + 1},8080;h{i}.test/p{i}/\n")
        file.write("backend=127.0.0.1,80\n")
    return str(path)


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer's time and memory are no measure")
def test_ten_thousand_backends(start_proxy, make_origin, clients, tmp_path, port):
    """10,000 backends with 10,000 patterns: up within a second, and in 60 MB."""
    origin = make_origin()
    conf = many_backends(tmp_path / "many.conf", 10000, port)
    with open(conf, "a") as file:
        file.write(f"backend={origin.backend('mine.test/')}\n")
    proxy = start_proxy([], fronts=(), conf=conf)
    wait_for(lambda: listens(port), "the listener")
    proxy.clear_port = port
    resp = clients.connect("h1", proxy, "mine.test").request("GET", "/hello")
    took = proxy.cpu_seconds()
    proxy.clear_port = None
    assert resp.status == 200
    assert took < 1, f"{took:.2f} s"
    assert proxy.rss() < 60e6, f"{proxy.rss() / 1e6:.0f} MB"


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer's time is no measure")
def test_check_of_a_hundred_thousand_lines(tmp_path):
    conf = many_backends(tmp_path / "many.conf", 100000, 1)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    status, _, err = check(f"--conf={conf}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert status == 0, err
    assert took < 2, f"{took:.2f} s"
