"""Real web servers as backends, each in a folder of its own and in the foreground."""

import os
import subprocess

from .ports import free_port, release_port
from .waiting import wait_for


class Server:
    def __init__(self, folder, certs):
        self.folder, self.certs = str(folder), certs
        self.port, self.tls_port = free_port(), free_port()
        self.docs = os.path.join(self.folder, "docs")
        os.makedirs(self.docs, exist_ok=True)
        os.chmod(self.folder, 0o755)
        self.log = open(os.path.join(self.folder, "output"), "wb")
        self.processes = []

    def put(self, name, data):
        with open(os.path.join(self.docs, name), "wb") as out:
            out.write(data)

    def conf(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as out:
            out.write(text)
        return path

    def run(self, cmd, port):
        import socket

        process = subprocess.Popen(
            cmd, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=self.folder, start_new_session=True
        )
        self.processes.append(process)

        def ready():
            if process.poll() is not None:
                with open(self.log.name, errors="replace") as log:
                    raise AssertionError(f"{cmd[0]} ended: {log.read()[-2000:]}")
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                return False

        wait_for(ready, f"{cmd[0]} on {port}")

    def stop(self):
        for process in self.processes:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.log.close()
        release_port(self.port)
        release_port(self.tls_port)


class Nginx(Server):
    name = "nginx"

    def start(self):
        conf = self.conf(
            "nginx.conf",
            f"""
daemon off; master_process off; worker_processes 1; pid {self.folder}/pid; error_log {self.folder}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; default_type text/plain; sendfile on; keepalive_requests 100000;
  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
  server {{
    listen 127.0.0.1:{self.port}; listen 127.0.0.1:{self.tls_port} ssl http2;
    ssl_certificate {self.certs.back.cert_file}; ssl_certificate_key {self.certs.back.key_file};
    root {self.docs}; client_max_body_size 1k;
    location = /redirect {{ return 301 /elsewhere; }}
    location = /limited {{ client_max_body_size 1k; proxy_pass http://127.0.0.1:{self.port}/small; }}
    location /zipped/ {{ alias {self.docs}/; gzip on; gzip_min_length 1; gzip_types *; gzip_proxied any; gzip_http_version 1.0; }}
  }}
}}
""",
        )
        self.run(["/usr/sbin/nginx", "-c", conf, "-p", self.folder], self.port)
        return self


class Nghttpd(Server):
    name = "nghttpd"

    def start(self):
        common = ["-d", self.docs, "--echo-upload"]
        tls = ["nghttpd", str(self.tls_port)] + common + [self.certs.back.key_file, self.certs.back.cert_file]
        self.run(tls, self.tls_port)
        self.run(["nghttpd", "--no-tls", str(self.port)] + common, self.port)
        return self


class Apache(Server):
    name = "apache2"

    def start(self):
        modules = "".join(
            f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so\n"
            for m in ("mpm_event", "authz_core", "dir", "mime", "http2", "reqtimeout")
        )
        conf = self.conf(
            "apache.conf",
            f"""
ServerRoot {self.folder}
ServerName backend.test
PidFile {self.folder}/pid
ErrorLog {self.folder}/error.log
{modules}
Listen 127.0.0.1:{self.port}
TypesConfig /dev/null
DefaultRuntimeDir {self.folder}
DocumentRoot {self.docs}
StartServers 1
ServerLimit 2
ThreadsPerChild 8
MaxRequestWorkers 16
Protocols h2c http/1.1
<Directory />
  Require all granted
</Directory>
User www-data
Group www-data
""",
        )
        self.run(["/usr/sbin/apache2", "-X", "-f", conf], self.port)
        return self


class Haproxy(Server):
    """HAProxy, which passes on to an nginx of its own; h1 in the clear and both protocols over TLS."""

    name = "haproxy"

    def start(self):
        self.origin = Nginx(os.path.join(self.folder, "origin"), self.certs)
        os.chmod(self.origin.folder, 0o755)
        for name in os.listdir(self.docs):
            os.link(os.path.join(self.docs, name), os.path.join(self.origin.docs, name))
        self.origin.start()
        pem = self.conf("both.pem", read(self.certs.back.cert_file) + read(self.certs.back.key_file))
        conf = self.conf(
            "haproxy.cfg",
            f"""
global
  maxconn 512
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend all
  bind 127.0.0.1:{self.port}
  bind 127.0.0.1:{self.tls_port} ssl crt {pem} alpn h2,http/1.1
  default_backend origin
backend origin
  server one 127.0.0.1:{self.origin.port}
""",
        )
        self.run(["/usr/sbin/haproxy", "-db", "-f", conf], self.port)
        return self

    def stop(self):
        super().stop()
        self.origin.stop()


def read(path):
    with open(path) as file:
        return file.read()


class Tinyproxy(Server):
    """A forward proxy that takes absolute-form requests and CONNECT."""

    name = "tinyproxy"

    def start(self, extra=""):
        conf = self.conf(
            "tinyproxy.conf",
            f"""
Port {self.port}
Listen 127.0.0.1
Timeout 30
MaxClients 50
Allow 127.0.0.1
ViaProxyName "tiny"
LogLevel Connect
LogFile "{self.folder}/log"
PidFile "{self.folder}/pid"
{extra}
""",
        )
        self.run(["/usr/bin/tinyproxy", "-d", "-c", conf], self.port)
        return self
