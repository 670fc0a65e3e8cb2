#!/usr/bin/python3
"""Gives the stories of hpack-test-case (github.com/http2jp/hpack-test-case) to hpack_vectors_test.

usage: hpack_vectors.py PROGRAM FOLDER

FOLDER, or the environment's HPACK_TEST_CASE, has a folder for each encoder with a JSON file for each story, and
raw-data with stories that nobody has encoded. Without it the test is skipped, and says so.
"""
import json
import os
import pathlib
import subprocess
import sys

SKIPPED = 77


def lines(path):
    yield f"story {path.parent.name}/{path.stem}"
    for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
        if "header_table_size" in case:
            yield f"table {case['header_table_size']}"
        for header in case["headers"]:
            for name, value in header.items():
                yield f"field {name.encode().hex() or '-'} {value.encode().hex() or '-'}"
        yield f"block {case['wire'] or '-'}" if "wire" in case else "raw"


def main():
    program, folder = sys.argv[1:]
    folder = pathlib.Path(os.environ.get("HPACK_TEST_CASE", folder))
    encoders = sorted(d for d in folder.glob("*") if d.is_dir()) if folder.is_dir() else []
    if not encoders:
        print(f"SKIPPED: no hpack-test-case in {folder}; set HPACK_TEST_CASE to a checkout of it")
        return SKIPPED
    status = 0
    for encoder in encoders:
        stories = sorted(encoder.glob("*.json"))
        if not stories:
            continue
        text = "\n".join(line for story in stories for line in lines(story)) + "\n"
        done = subprocess.run([program], input=text, text=True, stdout=subprocess.PIPE, check=False)
        print(f"{encoder.name}: {done.stdout.strip() if done.returncode == 0 else 'FAILED'}", flush=True)
        status |= done.returncode != 0
    return status


sys.exit(main())
