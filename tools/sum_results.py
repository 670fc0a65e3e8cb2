#!/usr/bin/python3
"""Counts what the jobs of scripts/test did.

    sum_results.py --job JOB --status N FOLDER   one job: shows counts and failures, writes JOB.counts
    sum_results.py --total FOLDER                all jobs: the last line is "N passed, N failed"

What a job left in FOLDER: JOB.log (all it printed), JOB.meson.json (meson's test log, a JSON object a
line), JOB.pytest.xml (JUnit). A job that left neither result counts as one check that passed or failed
by its exit status; a job that broke off besides its results counts as one more failure.
"""
import argparse
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ET

# A test function of cmocka, as TAP. It calls a skipped one "not ok N # SKIP name".
TAP_LINE = re.compile(r"^(not ok|ok)\b[ \t]*\d*[ \t]*(?:-[ \t]*)?(.*)$", re.MULTILINE)
# What pytest says of failures, with the sections that a plugin added and JUnit's file has not.
PYTEST_REPORT = re.compile(r"^=+ (?:FAILURES|ERRORS) =+$.*?(?=^=+ short test summary)", re.M | re.S)
# Of one failing test, and of a whole job's report: the rest is in the job's log.
SHOWN_CHARS = 6000
SHOWN_CHARS_OF_JOB = 100_000


class Counts:
    def __init__(self):
        self.passed = 0
        self.failed = []  # (name, output)
        self.skipped = []  # name and reason


def clip(text, chars=SHOWN_CHARS):
    """The beginning and the end of a long text."""
    if len(text) <= chars:
        return text
    return text[: chars // 2] + "\n[...]\n" + text[-chars // 2 :]


def count_meson(path, counts):
    """A test program counts by its TAP lines; without any, or when it died, by its result."""
    for line in path.read_text(errors="replace").splitlines():
        test = json.loads(line)
        lines = (test.get("stdout", "") + "\n" + test.get("stderr", "")).splitlines()
        output = "\n".join(line for line in lines if line.strip() and not line.startswith("ok "))
        good = bad = 0
        for word, name in TAP_LINE.findall(test.get("stdout", "")):
            if name.startswith("# SKIP"):
                counts.skipped.append(f"{test['name']}: {name[6:].strip()}")
            elif word == "ok":
                good += 1
            else:
                bad += 1
        result = test["result"]
        if result == "SKIP":
            counts.skipped.append(f"{test['name']}: {output.strip()[:200]}")
        elif result in ("OK", "EXPECTEDFAIL"):
            counts.passed += good or 1
            if bad:  # a program that hides its failures
                counts.failed.append((test["name"], clip(output)))
        else:
            counts.passed += good
            title = f"{test['name']} ({result}, exit {test.get('returncode')})"
            counts.failed.append((title, clip(output)))
            counts.failed += [(f"{test['name']}: one more", "")] * (bad - 1)


def count_pytest(path, log, counts):
    report = PYTEST_REPORT.search(log.read_text(errors="replace"))
    for case in ET.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        problems = case.findall("failure") + case.findall("error")
        skipped = case.find("skipped")
        if problems:
            text = "" if report else "\n".join(p.text or "" for p in problems)
            counts.failed.append((name, text))
        elif skipped is not None:
            counts.skipped.append(f"{name}: {skipped.get('message')}")
        else:
            counts.passed += 1
    if report and counts.failed:
        name, _ = counts.failed[-1]
        counts.failed[-1] = (name, report[0])


def one_job(folder, job, status):
    counts = Counts()
    log = folder / f"{job}.log"
    meson, pytest = folder / f"{job}.meson.json", folder / f"{job}.pytest.xml"
    try:
        if meson.exists():
            count_meson(meson, counts)
        if pytest.exists():
            count_pytest(pytest, log, counts)
    except (ValueError, KeyError, ET.ParseError) as e:
        counts.failed.append((f"{job}: its results cannot be read: {e}", log.read_text(errors="replace")))
    ran = counts.passed + len(counts.failed)
    if not meson.exists() and not pytest.exists() and status == 0:
        counts.passed += 1
    elif (status != 0 and not counts.failed) or ran == 0:
        why = f"exit {status}" if status else "no test ran"
        counts.failed.append((f"{job} ({why})", log.read_text(errors="replace")))
    for name, output in counts.failed:
        print(f"   FAILED {name}")
        for line in clip(output, SHOWN_CHARS_OF_JOB).strip().splitlines():
            print(f"      {line}")
    for name in counts.skipped:
        print(f"   skipped {name}")
    print(f"   {job}: {counts.passed} passed, {len(counts.failed)} failed", end="")
    print(f", {len(counts.skipped)} skipped" if counts.skipped else "")
    (folder / f"{job}.counts").write_text(f"{counts.passed} {len(counts.failed)}\n")


def total(folder):
    passed = failed = 0
    for path in sorted(folder.glob("*.counts")):
        good, bad = map(int, path.read_text().split())
        passed += good
        failed += bad
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--job")
    parser.add_argument("--status", type=int, default=0)
    parser.add_argument("--total", action="store_true")
    parser.add_argument("folder", type=pathlib.Path)
    args = parser.parse_args()
    if args.total:
        sys.exit(total(args.folder))
    one_job(args.folder, args.job, args.status)


if __name__ == "__main__":
    main()
