#!/usr/bin/env python3
"""Compiles files into the program as they are.

Usage: tools/embed.py OUT.c FILE...
Each FILE becomes `const struct view NAME`, NAME being its file name with _ for every dot. JSON loses its white space.
"""
import json
import pathlib
import sys


def main(out, files):
    text = "/* Made by tools/embed.py; not edited. */\n#include \"api/docs.h\"\n"
    for file in map(pathlib.Path, files):
        data = file.read_bytes()
        if file.suffix == ".json":
            data = json.dumps(json.loads(data), separators=(",", ":"), ensure_ascii=False).encode()
        name = file.name.replace(".", "_")
        rows = "\n".join("\t" + ",".join(map(str, data[i:i + 40])) + "," for i in range(0, len(data), 40))
        text += f"\nstatic const uint8_t bytes_of_{name}[] = {{\n{rows}\n}};\n" \
            f"const struct view {name} = {{bytes_of_{name}, sizeof(bytes_of_{name})}};\n"
    pathlib.Path(out).write_text(text)


main(sys.argv[1], sys.argv[2:])
