#!/usr/bin/env python3
"""Compares recorded events with produced ones, byte by byte, after masking what differs between any two runs.

Usage: compare.py RECORDED_DIR PRODUCED_DIR [EXCEPTIONS_FILE]
RECORDED_DIR is CASE/debezium-VERSION. Exit status 0 equal, 1 different, 2 usage.

Masked: numbers of clocks (their count of digits stays), LSNs, transaction ids, the version string, source.sequence.
An exception line is `CASE TOPIC INDEX REASON...`: record INDEX (from 0) of that topic is not compared; `*` is any case.
"""
import json
import os
import re
import sys

MASKS = [
    (re.compile(r'"((?:\w*_)?ts_(?:ms|us|ns))":(\d+)'), lambda m: f'"{m[1]}":<{len(m[2])}>'),
    (re.compile(r'"((?:\w*_)?(?:lsn|txId|xmin))":-?\d+'), r'"\1":<n>'),
    (re.compile(r'"((?:\w*_)?sequence)":"\[(null|\\"\d+\\"),(?:null|\\"\d+\\")\]"'),
     lambda m: f'"{m[1]}":"[{"null" if m[2] == "null" else "n"},n]"'),
    (re.compile(r'"version":"\d+\.\d+\.\d+[^"]*"'), '"version":"<version>"'),
]


def masked(text):
    if text is None:
        return None
    for pattern, by in MASKS:
        text = pattern.sub(by, text)
    return text


def load(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def shape(record):
    return {"key": masked(record["key"]), "value": masked(record["value"]),
            "headers": [(h["key"], masked(h["value"])) for h in record["headers"]]}


def point_out(a, b):
    a, b = (x if isinstance(x, str) else json.dumps(x, ensure_ascii=False) for x in (a, b))
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    low = max(0, at - 70)
    return f"at byte {at}\n    recorded …{a[low:at + 110]}\n    produced …{b[low:at + 110]}"


def exceptions(path, case):
    skip = set()
    if path:
        for line in open(path, encoding="utf-8"):
            words = line.split(None, 3)
            if len(words) == 4 and not line.startswith("#") and words[0] in (case, "*"):
                skip.add((words[1], int(words[2])))
    return skip


def main():
    if len(sys.argv) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return 2
    recorded, produced = sys.argv[1:3]
    case = os.path.basename(os.path.dirname(os.path.abspath(recorded)))
    skip = exceptions(sys.argv[3] if len(sys.argv) == 4 else None, case)
    names = sorted({f for d in (recorded, produced) for f in os.listdir(d) if f.endswith(".jsonl")})
    differences = records = 0
    for name in names:
        topic = name[:-len(".jsonl")]
        old, new = (load(os.path.join(d, name)) if os.path.exists(os.path.join(d, name)) else [] for d in (recorded, produced))
        a, b = [shape(r) for r in old], [shape(r) for r in new]
        if topic.startswith("__debezium-heartbeat"):
            a, b = ([r for i, r in enumerate(x) if r not in x[:i]] for x in (a, b))
        records += len(a)
        for i, (x, y) in enumerate(zip(a, b)):
            if (topic, i) in skip:
                continue
            for field in ("key", "value", "headers"):
                if x[field] != y[field]:
                    differences += 1
                    print(f"{topic} record {i}: {field} differs {point_out(x[field], y[field])}")
                    break
        if len(a) != len(b):
            differences += 1
            print(f"{topic}: {len(a)} recorded, {len(b)} produced")
    print(f"{case}: {len(names)} topics, {records} records, {len(skip)} exceptions, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
