#!/usr/bin/env python3
"""Makes C structs and their descriptions (src/kafka/wire.h) from the table of the Kafka protocol's messages.

Usage: tools/kafka_messages.py src/kafka/messages.txt OUT.h OUT.c
The notation is described at the head of the table.
"""
import re
import sys

SCALARS = {
    "bool": "bool", "i8": "int8_t", "i16": "int16_t", "u16": "uint16_t", "i32": "int32_t", "u32": "uint32_t", "i64": "int64_t",
    "uuid": "struct uuid", "string": "struct view", "bytes": "struct view", "records": "struct view",
}
LAST = 32767


class Field:
    def __init__(self, name, kind, message_versions):
        self.name, self.kind, self.fields = name, kind, []
        self.versions, self.null, self.tag, self.default = message_versions, (1, 0), -1, "0"

    @property
    def is_struct(self):
        return self.kind in ("[]", "?")


class Message:
    def __init__(self, what, name, key, versions, flexible):
        self.what, self.name, self.key, self.versions, self.flexible = what, name, key, versions, flexible
        self.parts = {}


def fail(number, text):
    sys.exit(f"messages.txt:{number}: {text}")


def versions(number, word):
    found = re.fullmatch(r"(\d+)(?:(\+)|-(\d+))?", word)
    if not found:
        fail(number, f"\"{word}\" is not a range of versions")
    first = int(found[1])
    return first, LAST if found[2] else int(found[3]) if found[3] else first


def field(number, words, message):
    if len(words) < 2:
        fail(number, "a field has a name and a type")
    f = Field(words[0], words[1], message.versions)
    base = f.kind[2:] if f.kind.startswith("[]") else f.kind
    if base not in SCALARS and f.kind not in ("[]", "?"):
        fail(number, f"\"{f.kind}\" is not a type")
    rest = words[2:]
    if rest and rest[0][0].isdigit():
        f.versions = versions(number, rest.pop(0))
    while rest:
        word = rest.pop(0)
        if not rest:
            fail(number, f"nothing behind \"{word}\"")
        value = rest.pop(0)
        if word == "null":
            f.null = versions(number, value)
        elif word == "tag":
            f.tag = int(value)
        elif word == "default":
            f.default = str(int(value))
        else:
            fail(number, f"\"{word}\" is not known")
    return f


def parse(path):
    messages, stack, message = [], [], None
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        depth = len(line) - len(line.lstrip("\t"))
        words = line.split()
        if depth == 0 and words[0] in ("api", "record"):
            api = words[0] == "api"
            flexible = int(words[5]) if len(words) == 6 and words[4] == "flex" else LAST
            message = Message(words[0], words[1], int(words[2]) if api else -1, versions(number, words[3 if api else 2]), flexible)
            messages.append(message)
            stack = [] if api else [message.parts.setdefault("record", [])]
        elif depth == 0 and words[0] in ("request", "response"):
            stack = [message.parts.setdefault(words[0], [])]
        else:
            if not 1 <= depth <= len(stack):
                fail(number, "the indentation does not fit")
            f = field(number, words, message)
            stack = stack[:depth]
            stack[-1].append(f)
            if f.is_struct:
                stack.append(f.fields)
    return messages


def snake(name):
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def one(name):
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def emit_struct(name, fields, header, source):
    """The struct and its description; those that it holds first, as C wants it."""
    for f in fields:
        if f.is_struct:
            emit_struct(f"{name}_{one(f.name)}", f.fields, header, source)
    header.append(f"struct {name} {{")
    rows = []
    for f in fields:
        of, kind, element, count = "NULL", f.kind, "WIRE_STRUCT", "0"
        if f.is_struct:
            inner = f"{name}_{one(f.name)}"
            of = f"&wire_{inner}"
            header.append(f"\tstruct {inner} *{f.name};")
        elif kind.startswith("[]"):
            element = "WIRE_" + kind[2:].upper()
            header.append(f"\t{SCALARS[kind[2:]]} *{f.name};")
        else:
            header.append(f"\t{SCALARS[kind]} {f.name};")
        if kind.startswith("[]"):
            header.append(f"\tint32_t n_{f.name};")
            count = f"offsetof(struct {name}, n_{f.name})"
        kind = "WIRE_ARRAY" if kind.startswith("[]") else "WIRE_MAYBE" if kind == "?" else "WIRE_" + kind.upper()
        ranges = f"{f.versions[0]}, {f.versions[1]}, {f.null[0]}, {f.null[1]}"
        rows.append(f"\t{{\"{f.name}\", {kind}, {element}, {f.tag}, {ranges}, {f.default}LL, "
                    f"offsetof(struct {name}, {f.name}), {count}, {of}}},")
    header += ["};", f"extern const struct wire_struct wire_{name};", ""]
    source += [f"static const struct wire_field {name}_fields[] = {{", *rows, "};",
               f"const struct wire_struct wire_{name} = {{\"{name}\", sizeof(struct {name}), {name}_fields, {len(rows)}}};", ""]


def main(table, header_path, source_path):
    messages = parse(table)
    made = "/* Made by tools/kafka_messages.py from src/kafka/messages.txt; do not edit. */"
    guard = "WALMILL_KAFKA_MESSAGES_H"
    header = [made, f"#ifndef {guard}", f"#define {guard}", "", '#include "kafka/wire.h"', "", "enum kafka_key {"]
    header += [f"\tKAFKA_{snake(m.name).upper()} = {m.key}," for m in messages if m.what == "api"] + ["};", ""]
    source = [made, '#include "kafka/messages.h"', "", "#include <stddef.h>", ""]
    rows = []
    for m in messages:
        roots = {"request": "NULL", "response": "NULL"}
        for part, fields in m.parts.items():
            name = snake(m.name) + ("" if part == "record" else f"_{part}")
            emit_struct(name, fields, header, source)
            roots["request" if part == "record" else part] = f"&wire_{name}"
        numbers = f"{m.key}, {m.versions[0]}, {m.versions[1]}, {m.flexible}"
        rows.append(f"\t{{\"{m.name}\", {numbers}, {roots['request']}, {roots['response']}}},")
    header += ["/* All messages, those of the protocol in order of their keys, then stored ones, whose key is -1. */",
               f"enum {{ KAFKA_MESSAGES = {len(rows)} }};", "extern const struct wire_message kafka_messages[KAFKA_MESSAGES];",
               "", "#endif", ""]
    source += ["const struct wire_message kafka_messages[KAFKA_MESSAGES] = {", *rows, "};", ""]
    open(header_path, "w", encoding="utf-8").write("\n".join(header))
    open(source_path, "w", encoding="utf-8").write("\n".join(source))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
