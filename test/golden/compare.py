#!/usr/bin/env python3
"""Compares recorded events with produced ones, byte by byte, after masking what differs between any two runs.

Usage: compare.py [--columns] RECORDED_DIR PRODUCED_DIR [EXCEPTIONS_FILE]
RECORDED_DIR is CASE/debezium-VERSION. Exit status 0 equal, 1 different, 2 usage.
--columns: only the columns that the produced rows have, each value and each column's schema by its exact text; for cases with column
types that are left out.

Masked: numbers of clocks (their count of digits stays), LSNs, transaction ids, the version string, source.sequence.
An exception line is `CASE TOPIC WHERE REASON...`: WHERE is a record's index (from 0), or with --columns INDEX:COLUMN; `*` is any case,
topic or index.
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
    skip = []
    if path:
        for line in open(path, encoding="utf-8"):
            words = line.split(None, 3)
            if len(words) == 4 and not line.startswith("#") and words[0] in (case, "*"):
                skip.append((words[1], words[2]))
    return skip


def excepted(skip, topic, where):
    index = str(where).split(":")[0]
    names = {str(where), str(where).replace(index, "*", 1)}
    return any(t in (topic, "*") and w in names for t, w in skip)


def exact(text):
    """JSON with numbers as their text, so that 1.0 and 1.00 differ; tagged so that "1" and 1 differ."""
    return json.loads(text, parse_float=lambda x: ("n", x), parse_int=lambda x: ("n", x), parse_constant=lambda x: ("n", x))


def columns(record):
    """{(side, column): value text} and {(side, column): schema} of one record."""
    if record["value"] in (None, "null"):
        return {}
    value = exact(record["value"])
    schema = None
    if isinstance(value, dict) and set(value) == {"schema", "payload"}:
        schema, value = value["schema"], value["payload"]
    out = {}
    sides = ["before", "after"] if value and "source" in value else [None]
    for side in sides:
        for name, v in ((value.get(side) or {}) if side else value or {}).items():
            if not name.startswith("__"):
                out[(side, name)] = v
    for f in schema["fields"] if schema else []:
        for g in f.get("fields", []) if f.get("field") in ("before", "after") else ([f] if sides == [None] else []):
            out[("schema", g["field"])] = g
    return out


def compare_columns(topic, a, b, skip):
    """Differences of two lists of records, by the columns that the second one has."""
    n = 0
    have = {name for r in b for side, name in columns(r)}
    for i, (x, y) in enumerate(zip(a, b)):
        old, new = columns(x), columns(y)
        for place in sorted(old, key=str):
            if place[1] in have and old[place] != new.get(place) and not excepted(skip, topic, f"{i}:{place[1]}"):
                n += 1
                print(f"{topic} record {i}: {place[0]} {place[1]}\n    recorded {str(old[place])[:200]}\n    produced {str(new.get(place))[:200]}")
    return n


def main():
    args = [a for a in sys.argv[1:] if a != "--columns"]
    if len(args) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    by_column = len(args) < len(sys.argv) - 1
    recorded, produced = args[:2]
    case = os.path.basename(os.path.dirname(os.path.abspath(recorded)))
    skip = exceptions(args[2] if len(args) == 3 else None, case)
    names = sorted({f for d in (recorded, produced) for f in os.listdir(d) if f.endswith(".jsonl")})
    differences = records = 0
    for name in names:
        topic = name[:-len(".jsonl")]
        old, new = (load(os.path.join(d, name)) if os.path.exists(os.path.join(d, name)) else [] for d in (recorded, produced))
        a, b = [shape(r) for r in old], [shape(r) for r in new]
        if topic.startswith("__debezium-heartbeat"):
            a, b = ([r for i, r in enumerate(x) if r not in x[:i]] for x in (a, b))
        records += len(a)
        if by_column:
            differences += compare_columns(topic, old, new, skip)
            old = new = a = b = [None] * (len(a) == len(b))
        for i, (x, y) in enumerate(zip(a, b)):
            if by_column or excepted(skip, topic, i):
                continue
            for field in ("key", "value", "headers"):
                if x[field] != y[field]:
                    differences += 1
                    print(f"{topic} record {i}: {field} differs {point_out(x[field], y[field])}")
                    break
        if len(a) != len(b) or by_column and not a:
            differences += 1
            print(f"{topic}: {len(a)} recorded, {len(b)} produced")
    print(f"{case}: {len(names)} topics, {records} records, {len(skip)} exceptions, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
