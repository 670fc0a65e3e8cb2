#!/usr/bin/python3
"""A backend for uploads: reads a request's body, however framed, keeps none of it, and answers with its length.

    sink.py PORT
"""
import http.server
import socketserver
import sys

BLOCK = bytearray(1 << 18)


class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    rbufsize = 1 << 18

    def discard(self, length):
        view = memoryview(BLOCK)
        while length:
            got = self.rfile.readinto(view[: min(length, len(BLOCK))])
            if not got:
                raise ConnectionError("the body broke off")
            length -= got

    def discard_chunks(self):
        total = 0
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            if size == 0:
                while self.rfile.readline() not in (b"\r\n", b""):
                    pass
                return total
            self.discard(size)
            self.rfile.readline()
            total += size

    def do_PUT(self):
        if "chunked" in self.headers.get("transfer-encoding", ""):
            total = self.discard_chunks()
        else:
            total = int(self.headers.get("content-length", 0))
            self.discard(total)
        body = b"%d\n" % total
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Sink).serve_forever()
