#!/usr/bin/python3
"""Listings and links in the documents are true.

    listings.py ROOT        checks all of docs/ of the checkout ROOT

In docs/h2core, each block of C stands right behind a line "From [FILE](LINK):" and is some lines of that file, one
behind the other. In all of docs/, a relative link leads to a file, and one with a #fragment to a heading in it.
"""
import pathlib
import re
import sys

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FROM = re.compile(r"From \[([^\]]+)\]\(([^)]+)\):")


def blocks(text):
    """(line number, language, the lines, the last line with text in front of it) of each fenced block."""
    found, before, fence = [], "", None
    for number, line in enumerate(text.splitlines(), 1):
        if fence is None and line.startswith("```"):
            fence = (number, line[3:].strip(), [], before)
        elif fence is not None and line == "```":
            found.append(fence)
            fence, before = None, ""
        elif fence is not None:
            fence[2].append(line)
        elif line.strip():
            before = line
    if fence is not None:
        found.append((fence[0], "unclosed", [], ""))
    return found


def without_blocks(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text):
    """The fragments that the headings of a document have."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def contains(lines, part):
    return any(lines[at : at + len(part)] == part for at in range(len(lines) - len(part) + 1))


def listing_errors(path, text, root):
    for number, language, lines, before in blocks(text):
        where = f"{path.relative_to(root)}:{number}"
        if language == "unclosed":
            yield f"{where}: a block without an end"
        if language != "c":
            continue
        source = FROM.fullmatch(before.strip())
        if source is None:
            yield f"{where}: a listing without \"From [FILE](LINK):\" in front of it"
            continue
        target = (path.parent / source[2]).resolve()
        if not target.is_file() or target != (root / source[1]).resolve():
            yield f"{where}: {source[1]} is not what the link leads to"
        elif not lines or not contains(target.read_text().splitlines(), lines):
            yield f"{where}: not an excerpt of {source[1]}"


def link_errors(path, text, root):
    for link in LINK.findall(without_blocks(text)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, fragment = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists():
            yield f"{path.relative_to(root)}: {link} leads nowhere"
        elif fragment and target.suffix == ".md" and fragment not in anchors(target.read_text()):
            yield f"{path.relative_to(root)}: {link} leads to no heading"


def self_test():
    """The check fails where it has to."""
    sample = "From [a](b):\n\n```c\nx;\ny;\n```\n\n```c\nz;\n```\n"
    found = blocks(sample)
    assert [(n, lang, before) for n, lang, _, before in found] == [(3, "c", "From [a](b):"), (8, "c", "")]
    assert contains(["w;", "x;", "y;"], found[0][2]) and not contains(["x;", "w;", "y;"], found[0][2])
    assert blocks("```c\nx;\n")[0][1] == "unclosed"
    assert anchors("# One `two`, three\n```\n# no\n```\n") == {"one-two-three"}


def main():
    self_test()
    root = pathlib.Path(sys.argv[1]).resolve()
    documents = sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md")])
    listings, errors = 0, []
    for path in documents:
        text = path.read_text()
        errors += link_errors(path, text, root)
        if path.parent.name == "h2core":
            listings += sum(language == "c" for _, language, _, _ in blocks(text))
            errors += listing_errors(path, text, root)
    if listings == 0:
        errors.append("no listings were found")
    print("\n".join(errors) or f"{len(documents)} documents, {listings} listings: all true")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
