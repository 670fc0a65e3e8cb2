#!/usr/bin/python3
"""Makes the constant tables of HPACK: the static table and the Huffman code, both ways.

usage: gen_hpack.py OUT_C

The Huffman code of RFC 7541, Appendix B is canonical: codes of one length follow each other in the order of their
symbols, and the first code of a length follows from the last of the length before. So the lengths say everything.
"""
import re
import sys

# RFC 7541, Appendix B: the length in bits of the code of each octet, 16 to a line; then that of EOS.
LENGTHS = """
13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28
28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28
 6 10 10 12 13  6  8 11 10 10  8 11  8  6  6  6
 5  5  5  6  6  6  6  6  6  6  7  8 15  6 12 10
13  6  7  7  7  7  7  7  7  7  7  7  7  7  7  7
 7  7  7  7  7  7  7  7  8  7  8 13 19 13 14  6
15  5  6  5  6  5  6  6  6  5  7  7  6  6  6  5
 6  7  6  5  5  6  7  7  7  7  7 15 11 14 13 28
20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23
24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24
22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23
21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23
26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25
19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27
20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23
26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26
30
"""
EOS = 256

# Bits looked at in one step of the decoder. 11 bits hold two of the short codes (5 or 6 bits: digits and the
# commonest letters), and the table of 4 octets a row stays at 8 KiB, a quarter of a first-level cache.
STEP_BITS = 11

# RFC 7541, Appendix A: names in the order of their indices, with the values of one name in a row.
STATIC = [
    (":authority", [""]),
    (":method", ["GET", "POST"]),
    (":path", ["/", "/index.html"]),
    (":scheme", ["http", "https"]),
    (":status", ["200", "204", "206", "304", "400", "404", "500"]),
    ("accept-charset", [""]),
    ("accept-encoding", ["gzip, deflate"]),
] + [(name, [""]) for name in """
    accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control
    content-disposition content-encoding content-language content-length content-location content-range
    content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range
    if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization range
    referer refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary
    via www-authenticate""".split()]


def huffman_codes():
    """[(code, length)] by symbol."""
    lengths = [int(x) for x in LENGTHS.split()]
    assert len(lengths) == 257
    # A complete code: what a decoder may see is either a symbol or the beginning of one.
    assert sum(1 << (30 - n) for n in lengths) == 1 << 30
    codes = [None] * 257
    code = previous = 0
    for length, symbol in sorted((n, s) for s, n in enumerate(lengths)):
        code <<= length - previous
        codes[symbol] = (code, length)
        code += 1
        previous = length
    # The two ends of the appendix: '0' begins the code, EOS is 30 ones.
    assert codes[ord("0")] == (0, 5) and codes[EOS] == ((1 << 30) - 1, 30)
    return codes


def steps(codes):
    """For each possible STEP_BITS bits: (symbols, bits taken), with no symbol when the first code is longer."""
    short = {format(c, f"0{n}b"): s for s, (c, n) in enumerate(codes) if n <= STEP_BITS}

    def first(bits):
        return next((n for n in range(5, len(bits) + 1) if bits[:n] in short), 0)

    for i in range(1 << STEP_BITS):
        bits = format(i, f"0{STEP_BITS}b")
        one = first(bits)
        two = first(bits[one:]) if one else 0
        symbols = [short[b] for b in (bits[:one], bits[one:one + two]) if b]
        yield symbols, one + two


def rows(f, items, per_line):
    for i, item in enumerate(items):
        f.write(("\n    " if i % per_line == 0 else " ") + item + ",")
    f.write("\n};\n\n")


def symbol(name):
    return "H2_TOKEN_" + re.sub(r"[^A-Z0-9]", "_", name.upper().replace(":", "PSEUDO_"))


def write_static(f):
    entries = [(name, value) for name, values in STATIC for value in values]
    assert len(entries) == 61
    f.write(f"_Static_assert(HPACK_STATIC_COUNT == {len(entries)}, \"RFC 7541, Appendix A\");\n\n")
    f.write("const struct h2_field hpack_static_table[HPACK_STATIC_COUNT] = {")
    rows(f, [f"{{\"{n}\", \"{v}\", {len(n)}, {len(v)}, {symbol(n)}, 0}}" for n, v in entries], 1)
    f.write("const struct hpack_static_name hpack_static_names[H2_TOKEN_COUNT] = {")
    names = [n for n, _ in entries]
    rows(f, [f"[{symbol(n)}] = {{{names.index(n) + 1}, {sum(map(bool, v))}}}" for n, v in STATIC], 2)


def write_huffman(f):
    codes = huffman_codes()
    f.write("const uint64_t hpack_huffman_codes[256] = {")
    rows(f, [f"0x{c << (64 - n) | n:016x}" for c, n in codes[:EOS]], 4)

    f.write(f"_Static_assert(HPACK_HUFFMAN_STEP_BITS == {STEP_BITS}, \"tools/gen_hpack.py\");\n\n")
    f.write("const struct hpack_huffman_step hpack_huffman_steps[1 << HPACK_HUFFMAN_STEP_BITS] = {")
    rows(f, ["{{%d, %d}, %d, %d}" % (*(s + [0, 0])[:2], len(s), n) for s, n in steps(codes)], 6)

    by_code = sorted(range(257), key=lambda s: (codes[s][1], s))
    f.write("const uint16_t hpack_huffman_symbols[257] = {")
    rows(f, [str(s) for s in by_code], 16)

    lengths = sorted({n for _, n in codes})
    f.write(f"_Static_assert(HPACK_HUFFMAN_LENGTHS == {len(lengths)}, \"RFC 7541, Appendix B\");\n\n")
    f.write("const struct hpack_huffman_length hpack_huffman_lengths[HPACK_HUFFMAN_LENGTHS] = {")
    lines = []
    for n in lengths:
        of_length = [s for s in by_code if codes[s][1] == n]
        first = codes[of_length[0]][0] << (32 - n)
        last = ((codes[of_length[-1]][0] + 1) << (32 - n)) - 1
        lines.append(f"{{0x{first:08x}u, 0x{last:08x}u, {by_code.index(of_length[0])}, {n}}}")
    rows(f, lines, 1)


def main():
    with open(sys.argv[1], "w", encoding="ascii") as f:
        f.write("/* Generated by tools/gen_hpack.py from RFC 7541, Appendices A and B. Do not edit. */\n")
        f.write("#include \"hpack_internal.h\"\n\n")
        write_static(f)
        write_huffman(f)


main()
