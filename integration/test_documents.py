"""What the documents tell users to write and to type: every configuration is good, the commands of getting-started.md
do what it says, and every page can be found."""

import glob
import os
import re
import shlex
import subprocess

import pytest

from lib.ports import free_port, release_port
from lib.proxy import BINARY, ROOT, environment, run_to_end
from lib.waiting import wait_for

# Those for users; docs/h2core/ is about a library.
PAGES = ["README.md", *sorted(os.path.relpath(p, ROOT) for p in glob.glob(os.path.join(ROOT, "docs", "*.md")))]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Said of a configuration that is good: both are true of examples, and not worth a line in each.
TAKEN = re.compile(r"there is no access log|proxyproto believes every peer")


def text_of(page):
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        return file.read()


def configurations(page):
    return [block for info, block in FENCE.findall(text_of(page)) if info.split(" ")[0] == "ini"]


CASES = [(page, i) for page in PAGES for i in range(len(configurations(page)))]


def with_our_files(text, folder, certs):
    """The configuration with files that are here, and with addresses in the place of names that are looked up."""
    page = folder / "page.html"
    page.write_text("<p>soon</p>")
    files = {"key": certs.front.key_file, "cert": certs.front.cert_file, "ca": certs.ca.file}
    files |= {"private-key-file": files["key"], "certificate-file": files["cert"], "accesslog-file": f"{folder}/log"}
    names = "|".join(files)
    text = re.sub(rf"(^|;)({names})=[^;\n]+", lambda m: f"{m[1]}{m[2]}={files[m[2]]}", text, flags=re.MULTILINE)
    text = re.sub(r"^(backend=respond=\d+),[^;\n]+", rf"\1,{page}", text, flags=re.MULTILINE)
    # A name with dns is not looked up before the program runs.
    return re.sub(r"^backend=[a-z][\w.-]*,(?!.*;dns)", "backend=127.0.0.1,", text, flags=re.MULTILINE)


@pytest.mark.parametrize("page, index", CASES, ids=[f"{page}-{index}" for page, index in CASES])
def test_configuration_is_good(page, index, tmp_path, certs):
    """Each one is whole: an option that it does not have has its default, but a key and a certificate are given."""
    conf = tmp_path / "nghttpx.conf"
    text = with_our_files(configurations(page)[index], tmp_path, certs)
    conf.write_text(text)
    pair = [] if "private-key-file=" in text else [certs.front.key_file, certs.front.cert_file]
    status, out, err = run_to_end(["--check-config", f"--conf={conf}", *pair])
    assert status == 0 and out == "nghttpx: the configuration is good\n", err
    said = [line for line in err.splitlines() if line.startswith("nghttpx: ") and not TAKEN.search(line)]
    assert not said, err


def test_there_are_configurations():
    assert len(CASES) >= 14


@pytest.mark.parametrize("page", PAGES)
def test_no_configuration_is_left_out(page):
    """What looks like lines of a configuration stands in a block that is one."""
    rest = FENCE.sub(lambda m: "" if m[1].startswith("ini") else m[0], text_of(page))
    assert not re.findall(r"^\s*(?:backend|frontend)=.*$", rest, re.MULTILINE)


def test_a_wrong_configuration_is_found(tmp_path, certs):
    """This test would fail where it has to."""
    conf = tmp_path / "nghttpx.conf"
    text = "backend=files.internal,443;/files/;tls;ca=/etc/x.pem   # no comment\n"
    changed = with_our_files(text, tmp_path, certs)
    assert changed == f"backend=127.0.0.1,443;/files/;tls;ca={certs.ca.file}\n"
    conf.write_text("backend=10.0.0.1,80   # everything\n")
    status, _, err = run_to_end(["--check-config", f"--conf={conf}", certs.front.key_file, certs.front.cert_file])
    assert status == 1 and f"{conf}:1:" in err


@pytest.mark.parametrize("start", ["README.md", "docs/getting-started.md"])
def test_every_page_can_be_found(start):
    folder = os.path.dirname(os.path.join(ROOT, start))
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text_of(start))]
    led_to = {os.path.relpath(os.path.join(folder, link), ROOT) for link in links}
    # One is for whoever changes the program, and is named by the README.
    wanted = set(PAGES) - {start, "README.md"} - ({"docs/ARCHITECTURE.md"} if start != "README.md" else set())
    assert not wanted - led_to


# ---------------------------------------------------------------- getting-started.md


class Walk:
    """Somebody who types what getting-started.md says, in a folder of their own and with our ports."""

    def __init__(self, folder):
        self.folder, self.running = folder, []
        self.ports = {"3000": free_port(), "8080": free_port()}
        text = text_of("docs/getting-started.md")
        self.commands = [block for info, block in FENCE.findall(text) if info == "sh"]
        self.configurations = configurations("docs/getting-started.md")

    def ours(self, text):
        for port, our_port in self.ports.items():
            text = re.sub(rf"\b(127\.0\.0\.1[,:]){port}\b", rf"\g<1>{our_port}", text)
        text = text.replace("build/release/examples/demo_origin", demo_origin_program())
        return re.sub(r"^nghttpx ", shlex.quote(BINARY) + " ", text, flags=re.MULTILINE)

    def block(self, begin):
        """The block of commands that begins so, in lines."""
        found = [c for c in self.commands if c.startswith(begin)]
        assert len(found) == 1, begin
        return self.ours(found[0]).replace("\\\n", " ").splitlines()

    def run(self, line):
        return subprocess.run(
            ["bash", "-c", line], cwd=self.folder, capture_output=True, text=True, timeout=20, check=False
        )

    def start(self, line):
        process = subprocess.Popen(
            shlex.split(line), cwd=self.folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.running.append(process)
        return process

    def stop(self, process):
        process.terminate()
        process.wait(15)
        self.running.remove(process)

    def end(self):
        for process in list(self.running):
            self.stop(process)
        for port in self.ports.values():
            release_port(port)


def demo_origin_program():
    beside = os.path.join(os.path.dirname(os.path.dirname(BINARY)), "examples", "demo_origin")
    assert os.access(beside, os.X_OK), "examples/demo_origin is not built"
    return beside


@pytest.fixture
def walk(tmp_path):
    walk = Walk(tmp_path)
    yield walk
    walk.end()


def test_getting_started(walk):
    (origin,) = walk.block("build/release/examples/demo_origin")
    walk.start(origin)
    (openssl,) = walk.block("openssl req")
    made = walk.run(openssl)
    assert made.returncode == 0, made.stderr

    # /etc/nghttpx/nghttpx.conf may be there on this machine, as the page says.
    command, curl = walk.block("nghttpx -f")
    proxy = walk.start(command + " --conf=/dev/null")
    wait_for(lambda: walk.run(f"{curl} -sf").returncode == 0, "an answer, by the command line", timeout=10)
    walk.stop(proxy)
    assert proxy.returncode == 0

    (walk.folder / "nghttpx.conf").write_text(walk.ours(walk.configurations[0]))
    (command,) = walk.block("nghttpx --conf")
    proxy = walk.start(command)
    wait_for(lambda: walk.run(f"{curl} -sf").returncode == 0, "an answer, by the file", timeout=10)
    walk.stop(proxy)
    assert proxy.returncode == 0


def test_pin_of_a_certificate(tmp_path, certs):
    """compatibility.md says how a pin is made; --check-config takes it."""
    (command,) = re.findall(r"`(openssl x509 [^`]+)`", text_of("docs/compatibility.md"))
    command = command.replace("cert.pem", shlex.quote(certs.back.cert_file))
    made = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=20, check=True)
    pin = f"pin=sha256:{made.stdout.strip()}"
    args = ["--print-config", "--conf=/dev/null", "-f*,3000;no-tls", f"-b127.0.0.1,443;;tls;{pin}"]
    status, out, err = run_to_end(args)
    assert status == 0 and f";{pin}\n" in out, err
