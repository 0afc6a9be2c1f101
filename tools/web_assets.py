#!/usr/bin/env python3
"""Makes the table of src/http/assets.h from what web/ was built into.

Usage: tools/web_assets.py WEB_DIR TABLE.c BLOB
A folder that is missing or empty gives an empty table. X.gz and X.br are the compressed forms of X. Nothing is written that did not change,
so that an unchanged page compiles nothing.
"""
import base64
import hashlib
import pathlib
import re
import sys

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".json": "application/json", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8", ".png": "image/png"}
# what a page may run besides files: text of inline scripts, exactly as it stands there
INLINE = re.compile(rb"<script>(.*?)</script>", re.S)
HASHED = re.compile(r"-[A-Z0-9]{8}\.\w+$")
HEAD = """/* Made by tools/web_assets.py; not edited. */
#include "http/assets.h"

__asm__(".pushsection .rodata\\n.balign 16\\nhttp_asset_blob:\\n.incbin \\"%s\\"\\n.byte 0\\n.popsection\\n");
extern const uint8_t http_asset_blob[] __attribute__((visibility("hidden")));

"""


def write_if_changed(path, data):
    if not path.is_file() or path.read_bytes() != data:
        path.write_bytes(data)


def main(web, table, blob_path):
    blob, rows = bytearray(), []
    files = {p.relative_to(web).as_posix(): p for p in web.rglob("*") if p.is_file()} if web.is_dir() else {}

    def piece(data):
        if not data:
            return "{NULL, 0}"
        at = len(blob)
        blob.extend(data)
        return f"{{http_asset_blob + {at}, {len(data)}}}"

    for name in sorted(files, key=lambda n: ("/" + n).encode()):
        suffix = pathlib.PurePosixPath(name).suffix
        if suffix not in TYPES:
            continue
        data = files[name].read_bytes()
        packed = [files[name + e].read_bytes() if name + e in files else b"" for e in (".gz", ".br")]
        packed = [p if len(p) < len(data) else b"" for p in packed]
        etag = '\\"' + hashlib.sha256(data).hexdigest()[:24] + '\\"'
        inline = INLINE.findall(data) if suffix == ".html" else []
        scripts = "".join(f" 'sha256-{base64.b64encode(hashlib.sha256(s).digest()).decode()}'" for s in inline)
        rows.append(f'\t{{"/{name}", "{TYPES[suffix]}", "{etag}", "{scripts}", {"true" if HASHED.search(name) else "false"}, '
                    f"{piece(data)}, {piece(packed[0])}, {piece(packed[1])}}},")
    if rows:
        text = HEAD % blob_path.resolve() + "const struct http_asset http_asset_table[] = {\n" + "\n".join(rows) + "\n};\n"
    else:
        text = "/* Made by tools/web_assets.py: no pages were built. */\n#include \"http/assets.h\"\n\n" \
            "const struct http_asset http_asset_table[1] = {{0}};\n"
    text += f"const size_t http_asset_count = {len(rows)};\n"
    write_if_changed(blob_path, bytes(blob))
    write_if_changed(table, text.encode())


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
