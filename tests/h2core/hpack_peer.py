#!/usr/bin/python3
"""Our HPACK (hpack_peer) against Python's hpack, in both directions, under random operations.

usage: hpack_peer.py PATH_OF_HPACK_PEER
"""
import random
import subprocess
import sys

try:
    import hpack
    import hpack.table
except ImportError:
    print("python3-hpack is not installed: nothing was compared", file=sys.stderr)
    sys.exit(77)

CONNECTIONS = 150
BLOCKS = 40
SIZES = [0, 31, 32, 33, 64, 100, 256, 1000, 4096, 8192, 65536]
NAMES = [b":method", b":path", b":status", b":authority", b"accept", b"user-agent", b"cookie", b"set-cookie", b"date",
         b"authorization", b"proxy-authorization", b"content-length", b"x-a", b"x-b", b"x-a-rather-long-name-of-a-field"]
VALUES = [b"", b"GET", b"/", b"200", b"404", b"a", b"gzip, deflate", b"Mon, 21 Oct 2013 20:13:21 GMT", b"x" * 126,
          b"y" * 127, b"z" * 128, b"0" * 300, b"<" * 260, b"a=b; c=d; e=f; g=h"]
NEVER_INDEX, NO_INDEX = 1, 2
OK = 0


def hexed(octets):
    return octets.hex() or "-"


def unhexed(word):
    return b"" if word == "-" else bytes.fromhex(word)


def random_fields(rng):
    """[(name, value, flags)]"""
    fields = []
    for _ in range(rng.randrange(12)):
        name = rng.choice(NAMES) if rng.random() < 0.8 else b"x-%d" % rng.randrange(40)
        value = rng.choice(VALUES) if rng.random() < 0.6 else rng.randbytes(rng.choice([1, 5, 40, 400]))
        fields.append((name, value, rng.choice([0, 0, 0, 0, NEVER_INDEX, NO_INDEX, NEVER_INDEX | NO_INDEX])))
    return fields


class Connection:
    """Ours behind pipes, Python's beside it."""

    def __init__(self, path, seed):
        self.rng = random.Random(seed)
        self.own = self.rng.choice(SIZES)
        self.proc = subprocess.Popen([path, str(self.own)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder(max_header_list_size=1 << 20)
        self.secrets = False
        self.max_list = None

    def say(self, *words):
        print(*words, file=self.proc.stdin, flush=True)

    def hear(self):
        """The lines up to the one that ends an answer, as words."""
        lines = []
        while not lines or lines[-1][0] not in ("block", "end"):
            line = self.proc.stdout.readline()
            assert line, "hpack_peer has ended"
            lines.append(line.split())
        return lines

    def same_table(self, which, table):
        self.say("table", which)
        *entries, end = self.hear()
        assert [(unhexed(n), unhexed(v)) for _, n, v in entries] == list(table.dynamic_entries), (entries, table)
        assert int(end[1]) == table._current_size

    def ours_to_python(self):
        rng = self.rng
        for _ in range(rng.choice([0, 0, 1, 3])):  # SETTINGS of Python's side
            size = rng.choice(SIZES)
            self.say("peer", size)
            self.decoder.max_allowed_table_size = size
        if rng.random() < 0.2:
            self.own = rng.choice(SIZES)
            self.say("own", self.own)
        if rng.random() < 0.1:
            self.secrets = not self.secrets
            self.say("secrets", int(self.secrets))
        fields = random_fields(rng)
        for name, value, flags in fields:
            self.say("field", flags, hexed(name), hexed(value))
        self.say("encode")
        block = unhexed(self.hear()[0][1])
        got = self.decoder.decode(block, raw=True)
        assert [tuple(f) for f in got] == [(n, v) for n, v, _ in fields], (fields, got)
        for (name, value, flags), f in zip(fields, got):
            secret = name in (b"authorization", b"proxy-authorization") or (name == b"cookie" and len(value) < 20)
            never = bool(flags & NEVER_INDEX) or (secret and not self.secrets)
            assert f.indexable != never, (name, value, flags, f)
        assert self.decoder.header_table.maxsize <= min(self.own, self.decoder.max_allowed_table_size)
        self.same_table("e", self.decoder.header_table)

    def change_pythons_table(self):
        """SETTINGS of ours, which Python follows; or Python makes its table smaller of its own accord."""
        rng = self.rng
        if rng.random() < 0.2:
            sizes = [rng.choice(SIZES) for _ in range(rng.choice([1, 1, 2, 3]))]
            for size in sizes:
                self.say("allow", size)
            # Python's encoder tells each change that it is told: the smallest and the last are what it should tell.
            if min(sizes) < sizes[-1]:
                self.encoder.header_table_size = min(sizes)
            self.encoder.header_table_size = sizes[-1]
            self.allowed = sizes[-1]
        elif rng.random() < 0.1:
            self.encoder.header_table_size = rng.randrange(self.allowed + 1)

    allowed = 4096

    def python_to_ours(self):
        rng = self.rng
        self.change_pythons_table()
        if rng.random() < 0.2:
            self.max_list = rng.choice([None, 0, 100, 500, 2000])
            self.say("list", 0xFFFFFFFF if self.max_list is None else self.max_list)
        fields = [(n, v, bool(flags & NEVER_INDEX)) for n, v, flags in random_fields(rng)]
        # Python refers to the table even for a field that it is told never to index, if it is there.
        indexed = {*self.encoder.header_table.dynamic_entries, *hpack.table.HeaderTable.STATIC_TABLE}
        block = self.encoder.encode(fields, huffman=rng.random() < 0.7)
        cuts = sorted(rng.randrange(len(block) + 1) for _ in range(rng.choice([0, 0, 1, 5, 30])))
        self.say("decode", hexed(block), *(b - a for a, b in zip([0, *cuts], cuts)))
        *got, end = self.hear()
        assert int(end[1]) == OK, (end, fields)
        assert [(unhexed(n), unhexed(v)) for _, _, n, v in got] == [(n, v) for n, v, _ in fields], (fields, got)
        size = 0
        for (name, value, never), (kind, flags, _, _) in zip(fields, got):
            size += len(name) + len(value) + 32
            assert (kind == "over") == (self.max_list is not None and size > self.max_list), (kind, size, self.max_list)
            if not never or (name, value) not in indexed:
                assert int(flags) == (NEVER_INDEX if never else 0), (name, value, never, flags)
            indexed.add((name, value))
        if rng.random() < 0.2:
            self.say("release")
        self.same_table("d", self.encoder.header_table)

    def end(self):
        self.proc.stdin.close()
        self.proc.stdout.close()
        assert self.proc.wait(20) == 0, "hpack_peer failed"


def main():
    path = sys.argv[1]
    for seed in range(CONNECTIONS):
        connection = Connection(path, seed)
        for _ in range(BLOCKS):
            if connection.rng.random() < 0.5:
                connection.ours_to_python()
            else:
                connection.python_to_ours()
        connection.end()
    print(f"hpack_peer: {CONNECTIONS} connections, {CONNECTIONS * BLOCKS} blocks, all the same")


main()
