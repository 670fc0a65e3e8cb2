"""Python's end of h2_driven: one call of the engine's API is one call here."""
import subprocess
import sys

try:
    import h2.connection
    import h2.stream
    import h2.windows
except ImportError:
    print("python3-h2 is not installed: nothing was compared", file=sys.stderr)
    sys.exit(77)


def hexed(data):
    return data.hex() or "-"


def unhexed(text):
    return b"" if text == "-" else bytes.fromhex(text)


def fields_text(fields):
    """[(name, value, never indexed)] as the engine's driver reads them."""
    return ",".join(f"{hexed(f[0])}={hexed(f[1])}{'!' if f[2:] and f[2] else ''}" for f in fields) or "-"


def parse_fields(text):
    fields = []
    for one in text.split(","):
        name, value = one.rstrip("!").split("=")
        fields.append((unhexed(name), unhexed(value), one.endswith("!")))
    return fields


class Event:
    """An event of the engine; what its type does not have is None."""

    def __init__(self, line):
        words = line.split()
        self.name = words[0]
        self.members = {}
        for word in words[1:]:
            key, value = word.split("=", 1)
            if key in ("data", "opaque", "origin", "why"):
                value = unhexed(value)
            elif key == "fields":
                value = parse_fields(value)
            elif key == "settings":
                value = [tuple(int(n) for n in s.split(":")) for s in value.split(",") if s]
            elif key not in ("error", "text"):
                value = int(value)
            self.members[key] = value

    def __getattr__(self, key):
        return self.members.get(key)

    def __repr__(self):
        return f"{self.name} {self.members}"[:1000]


class Engine:
    """h2_driven. Each call returns the events and sets `number`; an error that is not `want` raises."""

    def __init__(self, path):
        self.proc = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.number = 0

    def ask(self, *words):
        """Calls; returns the name of the error and the events."""
        self.proc.stdin.write((" ".join(str(w) for w in words) + "\n").encode())
        self.proc.stdin.flush()
        events = []
        while True:
            line = self.proc.stdout.readline().decode()
            if not line:
                raise SystemExit(f"h2_driven has ended ({self.proc.wait()}) in: {str(words)[:500]}")
            if line.startswith("= "):
                answer = line.split()
                self.number = int(answer[2]) if len(answer) > 2 else 0
                return answer[1], events
            events.append(Event(line))

    def call(self, *words):
        error, events = self.ask(*words)
        if error != "OK":
            raise AssertionError(f"{error} from the engine in: {str(words)[:500]}")
        return events

    def new(self, role, **options):
        self.call("new", role, *(f"{name.replace('__', '.')}={int(value)}" for name, value in options.items()))

    def feed(self, data):
        return self.call("feed", data.hex()) if data else []

    def take(self, most=1 << 20):
        return self.call("take", most)[0].data

    def end(self):
        self.proc.stdin.close()
        self.proc.stdout.close()
        if self.proc.wait(20) != 0:
            raise SystemExit("h2_driven has failed")


class Connection(h2.connection.H2Connection):
    """Python's, without the three mistakes that an honest peer can run into."""

    def _local_settings_acked(self):
        # The frames behind the acknowledgement may be as large as it allows, also when they come with it.
        changes = super()._local_settings_acked()
        self.incoming_buffer.max_frame_size = self.max_inbound_frame_size
        return changes


def _window_consumed(self, size, original=h2.windows.WindowManager.window_consumed):
    if size > 0:  # RFC 9113, 6.9.1: an empty frame needs no window, and it may be below zero (6.9.2)
        original(self, size)


h2.windows.WindowManager.window_consumed = _window_consumed

# A 1xx head may be on its way when its stream is reset, as any other head (RFC 9113, 5.1).
_CLOSED = h2.stream.StreamState.CLOSED
h2.stream._transitions[(_CLOSED, h2.stream.StreamInputs.RECV_INFORMATIONAL_HEADERS)] = (
    h2.stream.H2StreamStateMachine.recv_on_closed_stream, _CLOSED)
