#!/usr/bin/python3
"""The tables of "coming from" another library: every name of ours exists, no public name of theirs is missing.

    names.py h2|libnghttp2 DOCUMENT HEADER...
    names.py ours FOLDER HEADER...              only names of ours, in every document of a folder

DOCUMENT has tables whose first column holds names of theirs, in backticks; one that begins with a dot is a
member of the last name without one. Names of ours are all those in backticks with our prefixes; struct.member
is a member of a struct. HEADERs are ours. Exit 77 when theirs is not installed, after ours was checked.
"""
import fnmatch
import inspect
import pathlib
import re
import subprocess
import sys

OURS = re.compile(r"\b(?:h2|hpack|H2|HPACK)_\w+(?:\.\w+)?")


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)


def our_names(headers):
    """All that the headers define: functions, types, enumerators, macros; struct.member for members."""
    names = set()
    for header in headers:
        text = without_comments(header.read_text())
        names |= set(re.findall(r"\b(?:h2|hpack|H2|HPACK)_\w+", text))
        for tag, body in re.findall(r"struct (\w+) \{(.*?)\n\}", text, re.DOTALL):
            names |= {f"{tag}.{member}" for member in re.findall(r"(\w+)(?:\[\w+\])?\s*(?:;|\)\()", body)}
    return names


def table_names(document):
    """The names of the first column, members joined to what they belong to."""
    names, last = [], ""
    for row in re.findall(r"^\|(.*?)(?<!\\)\|", document, re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", row):
            if name.startswith("."):
                name = last + name
            else:
                last = name
            names.append(name)
    return names


def names_of_h2():
    from h2 import config, connection, errors, events, exceptions, settings

    def classes(module):
        return [c for _, c in inspect.getmembers(module, inspect.isclass)
                if c.__module__ == module.__name__ and not c.__name__.startswith("_")]

    def members(owner):
        found = {name for name in vars(owner) if not name.startswith("_")}
        init = vars(owner).get("__init__")
        if init is not None:
            found |= set(re.findall(r"self\.([a-zA-Z]\w*) = ", inspect.getsource(init)))
        return found

    owners = [connection.H2Connection, config.H2Configuration, errors.ErrorCodes, settings.SettingCodes,
              settings.Settings, settings.ChangedSetting, *classes(events), *classes(exceptions)]
    return {o.__name__ for o in owners} | {f"{o.__name__}.{m}" for o in owners for m in members(o)}


def names_of_libnghttp2():
    include = "#include <nghttp2/nghttp2.h>\n"

    def preprocessed(*options):
        return subprocess.run(["cc", "-E", *options, "-"], input=include, text=True, check=True,
                              capture_output=True).stdout

    text = preprocessed("-P")
    names = set(re.findall(r"\b(nghttp2_\w+)\s*\(", text))  # functions
    names |= set(re.findall(r"\(\*(nghttp2_\w+)\)", text))  # callbacks
    names |= set(re.findall(r"\b(NGHTTP2_\w+)\b", text))  # enumerators
    names |= set(re.findall(r"^\}\s*(nghttp2_\w+);", text, re.MULTILINE))  # enums, structs, unions
    names |= set(re.findall(r"typedef struct \w+ (nghttp2_\w+);", text))  # opaque ones
    macros = re.findall(r"^#define (NGHTTP2_\w+) \S", preprocessed("-dM"), re.MULTILINE)
    return names | {name for name in macros if name != "NGHTTP2_EXTERN"}


def mentioned_in(text):
    """The names of ours in backticks, but not those of files and tests, and not those in listings."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    names = OURS.findall(" ".join(re.findall(r"`([^`]+)`", text)))
    return {name for name in names if not name.endswith((".c", ".h", ".def", ".py", ".md", "_test"))}


def check_folder(folder, ours):
    seen, wrong = 0, []
    for path in sorted(pathlib.Path(folder).glob("*.md")):
        names = mentioned_in(path.read_text())
        seen += len(names)
        wrong += [f"{path.name}: no such name: {name}" for name in sorted(names - ours)]
    if wrong or seen == 0:
        sys.exit("\n".join(wrong or ["no names in " + folder]))
    print(f"{seen} names in the documents")


def main():
    library, document, *headers = sys.argv[1:]
    ours = our_names(pathlib.Path(header) for header in headers)
    if library == "ours":
        check_folder(document, ours)
        return
    text = pathlib.Path(document).read_text()
    mentioned = mentioned_in(text)
    wrong = [f"no such name of ours: {name}" for name in sorted(mentioned - ours)]
    if len(mentioned) < 50:
        wrong.append(f"only {len(mentioned)} names of ours: were the tables read?")

    rows = table_names(text)
    try:
        theirs = {"h2": names_of_h2, "libnghttp2": names_of_libnghttp2}[library]()
    except (ImportError, subprocess.CalledProcessError) as missing:
        theirs = None
        print(f"{library} is not installed, so its names were not compared: {missing}", file=sys.stderr)
    if theirs is not None:
        missing = [t for t in theirs if not any(fnmatch.fnmatchcase(t, row) for row in rows)]
        wrong += [f"no row for {name}" for name in sorted(missing)]
        prefix = "nghttp2_" if library == "libnghttp2" else ""
        for row in rows:
            if prefix and not row.lower().startswith(prefix):
                continue
            if not prefix and not re.fullmatch(r"[A-Z]\w+(\.\w+)?", row):
                continue
            if not fnmatch.filter(theirs, row):
                wrong.append(f"{library} has no {row}")
    print("\n".join(wrong) if wrong else f"{len(rows)} rows, {len(mentioned)} names of ours")
    if wrong:
        sys.exit(1)
    if theirs is None:
        sys.exit(77)


main()
