"""What a client got: one response, however it came."""

from dataclasses import dataclass, field


@dataclass
class Response:
    status: int = 0
    version: str = ""
    reason: str = ""
    headers: list = field(default_factory=list)  # (lower-case name, value) in order
    body: bytearray = field(default_factory=bytearray)
    trailers: list = field(default_factory=list)
    interims: list = field(default_factory=list)  # (status, headers)
    complete: bool = False
    error: str = ""  # why it is not complete: "eof", "reset N", "goaway N"

    def all(self, name):
        return [v for n, v in self.headers if n == name]

    def get(self, name, default=None):
        """The only value of this field; more than one is a failure of the test."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} occurs {len(values)} times: {values}"
        return values[0] if values else default

    def __repr__(self):
        return (
            f"<Response {self.status} complete={self.complete} error={self.error!r} "
            f"{len(self.body)} bytes {bytes(self.body[:80])!r} {self.headers} "
            f"interims={self.interims} trailers={self.trailers}>"
        )
