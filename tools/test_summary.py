#!/usr/bin/env python3
"""Adds up what Meson's testlog.json files say, down to the single cmocka test, and ends with `N passed, N failed`.

Usage: tools/test_summary.py TESTLOG...
A program counts by the tests it reports ([ RUN ], [ OK ], [ SKIPPED ] lines of cmocka, or `N passed, N failed` alone on a line); one that
reports none counts as one test. A program that fails has at least one failed test, whatever it printed; what it said is shown before
the sums, so that the end of a log tells why.
Exit status: 0 when something ran and nothing failed.
"""
import json
import re
import sys

OK = re.compile(r"^\[ +OK +\] ", re.M)
RUN = re.compile(r"^\[ +RUN +\] ", re.M)
SKIPPED = re.compile(r"^\[ +SKIPPED +\] (?!\d+ test)", re.M)
QUIET = re.compile(r"^\[ +(OK|RUN) +\] |: ok$")
LINES_MAX, LINE_MAX = 12, 400
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)


def counts(result):
    """(passed, failed, skipped) of one test program."""
    text = (result.get("stdout") or "") + "\n" + (result.get("stderr") or "")
    good = result["result"] in ("OK", "EXPECTEDFAIL")
    if result["result"] == "SKIP":
        return 0, 0, 1
    plain = PLAIN.findall(text)
    if plain:
        passed, failed, skipped = (int(n or 0) for n in plain[-1])
    else:
        passed, run = len(OK.findall(text)), len(RUN.findall(text))
        skipped = min(len(SKIPPED.findall(text)), run - passed)
        failed = max(run - passed - skipped, 0)
    if good and not failed:
        return (passed, 0, skipped) if passed + skipped else (1, 0, 0)
    return passed, max(failed, 1), skipped


def complaints(result):
    """What a failed program printed, without the tests that passed: its last lines."""
    text = (result.get("stdout") or "") + "\n" + (result.get("stderr") or "")
    lines = [line for line in text.splitlines() if line.strip() and not QUIET.search(line)]
    return "".join(f"  {line[:LINE_MAX]}\n" for line in lines[-LINES_MAX:])


def main(paths):
    total = [0, 0, 0]
    for path in paths:
        here, bad = [0, 0, 0], []
        with open(path, encoding="utf-8", errors="replace") as log:
            for line in log:
                result = json.loads(line)
                got = counts(result)
                here = [a + b for a, b in zip(here, got)]
                if got[1]:
                    bad.append(result["name"])
                    print(f"{path.split('/')[0]}: {result['name']}: {result['result']}\n{complaints(result)}", end="")
        print(f"{path.split('/')[0]}: {here[0]} passed, {here[1]} failed, {here[2]} skipped" + (f" ({', '.join(bad)})" if bad else ""))
        total = [a + b for a, b in zip(total, here)]
    print(f"{total[0]} passed, {total[1]} failed" + (f", {total[2]} skipped" if total[2] else ""))
    return 0 if total[0] and not total[1] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
