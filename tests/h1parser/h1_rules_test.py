"""Every row of the tables in docs/h1parser.md has cases in both directions, and every case belongs to a row.

usage: h1_rules_test.py docs/h1parser.md CASE_FILE...
"""
import re
import sys

LEAST_CASES = 400  # what the parser was asked to have


def rows_of(document):
    """{rule: (accepts something, refuses something, errors of what it refuses)}"""
    rows, heading = {}, None
    with open(document, encoding="utf-8") as text:
        for line in text:
            cells = [c.strip() for c in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
            if not cells:
                heading = None
            elif cells[0] == "rule":
                heading = cells
                if heading[2:5] != ["accepted", "refused", "error"]:
                    sys.exit(f"{document}: a table of rules has other columns: {line}")
            elif heading and not cells[0].startswith("---"):
                if len(cells) != len(heading) or cells[0] in rows:
                    sys.exit(f"{document}: a row of another width, or a second one of its name: {line}")
                rows[cells[0]] = (bool(cells[2]), bool(cells[3]), set(re.findall(r"`([A-Z_]+)`", cells[4])))
    return rows


def cases_of(path):
    """(rule, name, outcome) of each case."""
    rule, name = None, None
    with open(path, encoding="utf-8") as text:
        for line in text:
            if line.startswith("rule "):
                rule = line[5:].strip()
            elif line.startswith("  = "):
                yield rule, name, line.split()[1]
            elif re.match(r"[a-z0-9_]+$", line):
                name = line.strip()


def main():
    document, *files = sys.argv[1:]
    rows = rows_of(document)
    accepted = dict.fromkeys(rows, 0)
    refused = {rule: [] for rule in rows}
    faults, count, names = [], 0, set()
    for path in files:
        for rule, name, outcome in cases_of(path):
            count += 1
            # Under two rules, for two kinds of messages, a name may be there twice; within one it is a slip.
            if (path, rule, name) in names:
                faults.append(f"{path}: {name} is there twice")
            names.add((path, rule, name))
            if rule == "-":
                continue
            if rule not in rows:
                faults.append(f"{path}: {name}: {document} has no rule {rule!r}")
            elif outcome == "ok":
                accepted[rule] += 1
            elif outcome != "more":
                refused[rule].append(outcome)
                if outcome not in rows[rule][2]:
                    faults.append(f"{path}: {name}: {outcome} is no error of the rule {rule!r}")
    for rule, (accepts, refuses, errors) in rows.items():
        if not (accepts or refuses):
            faults.append(f"{document}: {rule!r} says nothing")
        if accepts and accepted[rule] == 0:
            faults.append(f"{rule!r} has no case that is accepted")
        if bool(errors) != refuses:
            faults.append(f"{document}: {rule!r} refuses without an error, or the other way round")
        for error in errors - set(refused[rule]):
            faults.append(f"{rule!r} has no case that is refused with {error}")
    if count < LEAST_CASES:
        faults.append(f"only {count} cases")
    if faults:
        sys.exit("\n".join(faults))
    print(f"{len(rows)} rules, {count} cases: {sum(accepted.values())} accepted, {sum(map(len, refused.values()))} refused")


main()
