#!/usr/bin/python3
"""docs/h2core/state-machines.md shows the tables that the engine goes by, and Graphviz can draw them.

    states.py DRAW_STATES DOCUMENT            the test
    states.py DRAW_STATES DOCUMENT --update   writes the tables into the document
    states.py DRAW_STATES --svg FOLDER        writes the drawings
"""
import difflib
import pathlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

MACHINES = ("stream", "connection")


def printed(program, form, machine):
    return subprocess.run([program, form, machine], check=True, text=True, capture_output=True).stdout


def svg(dot):
    if shutil.which("dot") is None:
        sys.exit("dot is not installed (Debian: apt-get install graphviz)")
    done = subprocess.run(["dot", "-Tsvg"], input=dot, text=True, check=False, capture_output=True)
    # It also says what it thinks of the fonts of this machine, which is no matter of ours.
    if done.returncode != 0 or re.search("^(Error|Warning):", done.stderr, re.MULTILINE):
        sys.exit(f"dot: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def part(machine):
    """What stands between the markers of a machine, as three groups."""
    begin, end = f"<!-- draw_states table {machine} -->\n\n", f"\n<!-- end of {machine} -->"
    return re.compile(f"({re.escape(begin)})(.*?)({re.escape(end)})", re.DOTALL)


def check(machine, table, dot, document):
    shown = part(machine).search(document)
    if shown is None:
        return f"no part for {machine}"
    if shown[2] != table:
        lines = difflib.unified_diff(shown[2].splitlines(), table.splitlines(), "document", "engine", lineterm="")
        return "\n".join([f"{machine}: the document is not what the engine does (--update):", *lines])
    texts = [t.text for t in ET.fromstring(svg(dot)).iter("{http://www.w3.org/2000/svg}text")]
    states = re.findall(r"^\| ([^|]+) \|", table.split("\n\n", maxsplit=1)[0], re.MULTILINE)[1:]
    missing = [state for state in states if state not in texts]
    moves = table.count("| **")
    arrows = len(texts) - len(states)  # each label's line is one move
    if missing or arrows != moves or moves == 0:
        return f"{machine}: not drawn {missing}; {arrows} labels for {moves} moves"
    print(f"{machine}: {len(states)} states, {moves} moves")
    return None


def main():
    program, target, *options = sys.argv[1:]
    if target == "--svg":
        folder = pathlib.Path(options[0])
        folder.mkdir(parents=True, exist_ok=True)
        for machine in MACHINES:
            (folder / f"{machine}-states.svg").write_text(svg(printed(program, "dot", machine)))
            print(folder / f"{machine}-states.svg")
        return
    path = pathlib.Path(target)
    text = path.read_text()
    if options == ["--update"]:
        for machine in MACHINES:
            table = printed(program, "table", machine)
            text = part(machine).sub(lambda found: found[1] + table + found[3], text)
        path.write_text(text)
    wrong = [check(m, printed(program, "table", m), printed(program, "dot", m), text) for m in MACHINES]
    wrong = [w for w in wrong if w]
    if wrong:
        sys.exit("\n".join(wrong))


main()
