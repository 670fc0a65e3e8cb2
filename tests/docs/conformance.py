#!/usr/bin/python3
"""docs/h2core/conformance.md names tests that exist, has rows for every section, and leaves no rule out.

    conformance.py DOCUMENT TESTS_FOLDER
"""
import pathlib
import re
import sys

SHORT = {
    "frames": "h2_rfc9113_frames_test.c",
    "messages": "h2_rfc9113_messages_test.c",
    "sender": "h2_rfc9113_sender_test.c",
    "streams": "h2_rfc9113_streams_test.c",
    "extensions": "h2_rfc_extensions_test.c",
    "hpack": "hpack_rfc7541_test.c",
}
# Of these every rule is to be found in the document.
COMPLETE = [file for file in SHORT.values() if file.startswith("h2_rfc")]

SECTIONS = {
    "RFC 9113": """3.4 4.1 4.2 4.3 4.3.1 5.1 5.1.1 5.1.2 5.2.1 5.2.2 5.3.2 5.4.1 5.4.2 5.4.3 5.5 6.1 6.2 6.3 6.4 6.5 6.5.1
                   6.5.2 6.5.3 6.6 6.7 6.8 6.9 6.9.1 6.9.2 6.9.3 6.10 7 8.1 8.1.1 8.2 8.2.1 8.2.2 8.2.3 8.3 8.3.1 8.3.2
                   8.4 8.4.1 8.4.2 8.5 8.6 8.7 10.3 10.5 10.5.1""",
    "RFC 7541": "2.3.1 2.3.2 2.3.3 3.2 4.1 4.2 4.3 4.4 5.1 5.2 6.1 6.2 6.2.3 6.3 7.1 7.3 7.4 B C",
    "RFC 8441": "3 4 5",
    "RFC 9218": "2.1 4 7.1 8 10",
    "RFC 7838": "4",
    "RFC 8336": "2.1 2.2",
    "RFC 7540": "3.2 3.2.1",
}

NOT_OURS = "the caller's: "


def rows(document):
    """(heading, cells) of every row of a table, in order."""
    heading = None
    for line in document.splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("| ") and not line.startswith(("| Section |", "| Case |")):
            yield heading, [cell.strip() for cell in line.strip("|").split(" | ")]


def named(cell):
    """(file, test) of every test in a cell such as "frames: `a`, `b`; h2_tx: `c`"; None: not understood."""
    found = []
    for part in cell.split("; "):
        match = re.fullmatch(r"([a-z0-9_]+): (`[a-z0-9_]+`(?:, `[a-z0-9_]+`)*)", part)
        if match is None:
            return None
        file = SHORT.get(match[1], match[1] + "_test.c")
        found += [(file, test) for test in re.findall(r"`([a-z0-9_]+)`", match[2])]
    return found


class Tests:
    """What the test files have: cases by the string they begin with, functions that cmocka is given."""

    def __init__(self, folder):
        self.folder = folder
        self.known = {}

    def of(self, file):
        if file not in self.known:
            path = self.folder / file
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            self.known[file] = (set(re.findall(r'{\s*(?:\.name = )?"([a-z0-9_]+)",', text)),
                                set(re.findall(r"cmocka_unit_test\(([a-z0-9_]+)\)", text)))
        return self.known[file]

    def has(self, file, test):
        cases, functions = self.of(file)
        return test in cases or test in functions

    def rules(self, file):
        """Cases, and functions that are not merely one of a table of cases."""
        cases, functions = self.of(file)
        return cases | {function for function in functions if not function.endswith("_of_a_peer")}


def check(document, tests):
    wrong = []
    told = set()
    sections = {rfc: set() for rfc in SECTIONS}
    count = 0
    for heading, cells in rows(document):
        count += 1
        if len(cells) != 4:
            wrong.append(f"{cells[0]}: {len(cells)} cells")
            continue
        for rfc, seen in sections.items():
            if heading.startswith(rfc):
                seen.add(cells[0])
        if cells[3].startswith(NOT_OURS):
            continue
        shown = named(cells[3])
        if shown is None:
            wrong.append(f"{cells[0]}: cannot be read: {cells[3]}")
            continue
        told.update(shown)
        wrong += [f"{cells[0]}: {file} has no {test}" for file, test in shown if not tests.has(file, test)]
    for rfc, expected in SECTIONS.items():
        wrong += [f"{rfc}, {section}: no row" for section in expected.split() if section not in sections[rfc]]
    for file in COMPLETE:
        missing = tests.rules(file) - {test for name, test in told if name == file}
        wrong += [f"not told: {file}: {test}" for test in sorted(missing)]
    return wrong, count, len(told)


def main():
    document = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
    wrong, count, told = check(document, Tests(pathlib.Path(sys.argv[2])))
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{count} rows, {told} tests")


if __name__ == "__main__":
    main()
