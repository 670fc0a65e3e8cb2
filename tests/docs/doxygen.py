#!/usr/bin/python3
"""Makes the reference of h2core's public headers with Doxygen, and fails on anything undocumented.

    doxygen.py --template Doxyfile.in --version V [--output FOLDER] HEADER...

Without --output the pages go to a temporary folder: that is the test.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET


def doxyfile(template, **words):
    text = template.read_text()
    for word, value in words.items():
        text = text.replace(f"@{word.upper()}@", str(value))
    left = re.findall(r"@[A-Z]+@", text)
    if left:
        sys.exit(f"{template}: nobody fills in {left}")
    return text


def declared(header):
    """What a header declares, found without Doxygen: functions, macros with a value, and the file itself."""
    text = re.sub(r"/\*.*?\*/", " ", header.read_text(), flags=re.DOTALL)
    macros = set(re.findall(r"^#\s*define\s+(\w+)(?=\(|[ \t]+\S)", text, re.MULTILINE))
    macros.discard("H2_API")  # is nothing to Doxygen, so that declarations are read as they are meant
    text = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    return macros | set(re.findall(r"\bH2_API\b[^;{}()]*?\b(\w+)\s*\(", text)) | {header.name}


def is_described(thing):
    texts = (thing.find("briefdescription"), thing.find("detaileddescription"))
    return any("".join(text.itertext()).strip() for text in texts if text is not None)


def described(xml):
    """What Doxygen has found a description for, and the enumerators without one, which it does not mind."""
    names, bare = set(), set()
    for path in xml.glob("*_8h.xml"):
        for file in ET.parse(path).getroot().iter("compounddef"):
            things = [file, *file.iter("memberdef"), *file.iter("enumvalue")]
            names |= {t.findtext("name") or t.findtext("compoundname") for t in things if is_described(t)}
            bare |= {t.findtext("name") for t in file.iter("enumvalue") if not is_described(t)}
    return names, bare


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--template", type=pathlib.Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("headers", type=pathlib.Path, nargs="+")
    args = parser.parse_args()
    if shutil.which("doxygen") is None:
        sys.exit("doxygen is not installed (Debian: apt-get install doxygen)")

    with tempfile.TemporaryDirectory(prefix="h2core-doc.") as folder:
        # As they are installed, so that the reference says <h2core/h2core.h>.
        include = pathlib.Path(folder, "include")
        headers = include / "h2core"
        headers.mkdir(parents=True)
        for header in args.headers:
            shutil.copy(header, headers)
        output = args.output or pathlib.Path(folder, "doc")
        for old in ("html", "xml"):
            shutil.rmtree(output / old, ignore_errors=True)
        output.mkdir(parents=True, exist_ok=True)
        config = pathlib.Path(folder, "Doxyfile")
        config.write_text(doxyfile(args.template, version=args.version, output=output, headers=headers,
                                   include=include))
        done = subprocess.run(["doxygen", config], capture_output=True, text=True, check=False)
        said = (done.stdout + done.stderr).replace(f"{include}/", "")
        if done.returncode != 0 or said.strip():
            sys.exit(f"doxygen: exit {done.returncode}\n{said}")
        # That it was silent only counts when it has seen everything.
        expected = set().union(*(declared(header) for header in args.headers))
        got, bare = described(output / "xml")
        shutil.rmtree(output / "xml")
        if not expected or expected - got or bare:
            sys.exit(f"no description of {sorted(expected - got) + sorted(bare)} ({len(got)} described)")
        print(f"{len(got)} files, functions, macros, enumerations and enumerators are described")
        if args.output:
            print(f"{output / 'html/index.html'}")


main()
