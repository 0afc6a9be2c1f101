#!/usr/bin/env python3
"""The house style as far as a program can tell; see CONTRIBUTING.md.

Usage: tools/style.py [ROOT]
       tools/style.py --fix FILE...     mends indentation and wraps lines that are too wide, in C (read what it did)
Looks at the files that git knows (and new ones that it does not ignore). Prints `file:line: what` and exits 1 when there is something.
A banned call that is right where it stands carries its reason on the line: /* style: free, json_dumps allocates it */
"""
import pathlib
import re
import subprocess
import sys

WIDTH = 140
TAB = 4
FILE_LINES = 1000
FUNCTION_LINES = 70
BY_TABS = "indentation is by tabs"

# name: what to use instead
BANNED = {
    "strcpy": "memcpy with a length, or struct buf", "strcat": "struct buf", "strncpy": "memcpy with a length", "strncat": "struct buf",
    "sprintf": "snprintf or buf_printf", "vsprintf": "vsnprintf", "gets": "read with a bound", "strtok": "walk a struct view",
    "atoi": "text_i64", "atol": "text_i64", "atoll": "text_i64", "atof": "text_f64", "sscanf": "base/text.h", "alloca": "an arena",
    "system": "a library call", "popen": "a library call", "rand": "io_random", "srand": "io_random", "random": "io_random",
    "gmtime": "gmtime_r", "localtime": "localtime_r", "ctime": "strftime", "asctime": "strftime", "strerror": "strerror_r",
    "tmpnam": "mkstemp", "mktemp": "mkstemp", "setjmp": "an error return", "longjmp": "an error return",
}
# name: (instead, the files or folders where it is at home)
BANNED_OUTSIDE = {
    "malloc": ("mem_alloc", ("src/base/mem.c",)), "calloc": ("mem_zalloc", ("src/base/mem.c",)),
    "realloc": ("mem_realloc", ("src/base/mem.c",)), "free": ("mem_free", ("src/base/mem.c",)),
    "strdup": ("mem_strdup", ("src/base/mem.c",)), "asprintf": ("buf_printf", ()),
    "exit": ("an error return", ("src/cli/",)), "_exit": ("an error return", ("src/cli/", "src/base/inject.c")),
    "abort": ("wm_assert", ("src/base/",)),
}
LEFTOVER = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b")
FUNCTION_HEAD = re.compile(r"^[A-Za-z_].*\)\s*\{?\s*$")
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
EXCUSE = re.compile(r"/\* style: (\w+), \S")
DATA = re.compile(r"(^|/)(golden|corpus|data|generated|node_modules)/|^demo/nyc311/|\.(png|svg|ico|bin)$|^LICENSE$|package-lock\.json$")


def code_only(text):
    """The text with comments and literals blanked, line numbers kept."""
    def blank(found):
        word = found[0]
        return re.sub(r"[^\n]", " ", word) if word[0] == "/" else word[0] + re.sub(r"[^\n]", " ", word[1:-1]) + word[-1]
    return TOKEN.sub(blank, text)


def banned_calls(name, code, raw):
    for number, line in enumerate(code, 1):
        for found in re.finditer(r"(?<![\w.>])(\w+)\s*\(", line):
            word = found[1]
            instead = BANNED.get(word)
            if word in BANNED_OUTSIDE and not any(name.startswith(place) for place in BANNED_OUTSIDE[word][1]):
                instead = BANNED_OUTSIDE[word][0]
            excuse = EXCUSE.search(raw[number - 1])
            if instead and not (excuse and excuse[1] == word):
                yield number, f"{word}() is not used here; {instead}"


def long_functions(code):
    head = start = 0
    for number, line in enumerate(code, 1):
        if FUNCTION_HEAD.match(line):
            head = number
            start = number if line.rstrip().endswith("{") else start
        if line.startswith("{"):
            start = number
        if line.startswith("}"):
            if start and number - start - 1 > FUNCTION_LINES:
                yield head, f"function of {number - start - 1} lines, more than {FUNCTION_LINES}"
            start = 0


def c_findings(name, text, raw):
    code = code_only(text).split("\n")
    comment = False
    if not text.startswith("/*"):
        yield 1, "a file opens with a comment that says what it is for"
    if name.endswith(".h") and "#ifndef WALMILL_" not in text:
        yield 1, "a header has a guard WALMILL_MODULE_NAME_H"
    for number, line in enumerate(raw, 1):
        if line.startswith("  ") and not comment:
            yield number, BY_TABS
        opened = line.rfind("/*")
        comment = opened > line.rfind("*/") if "/*" in line or "*/" in line else comment
    if name.startswith("src/"):
        yield from banned_calls(name, code, raw)
    yield from long_functions(code)


def findings(name, text):
    raw = text.split("\n")
    source = re.search(r"\.(c|h|py|sh|ts|tsx|js|css|sql)$", name)
    if text and not text.endswith("\n"):
        yield len(raw), "no newline at the end"
    if source and len(raw) - 1 > FILE_LINES:
        yield len(raw) - 1, f"more than {FILE_LINES} lines"
    for number, line in enumerate(raw, 1):
        if line.rstrip() != line:
            yield number, "blanks at the end of the line"
        if source and wide(line):
            yield number, f"{len(line.expandtabs(TAB))} columns, more than {WIDTH}"
        if LEFTOVER.search(line):
            yield number, "a leftover of unfinished work"
    if name.endswith((".c", ".h")):
        yield from c_findings(name, text, raw)


def wide(line):
    return len(line.expandtabs(TAB)) > WIDTH


def wrap_comments(lines):
    """Moves what hangs over in comment lines to the next line: in front of its text in prose, as a line of its own in tables and lists."""
    out = []
    todo = list(lines)
    while todo:
        line = todo.pop(0)
        head = re.match(r"^(\s*)(/\*|\*|)\s+(?=\S)|^(\s*)(/\*)\s+", line)
        if not wide(line) or not head or "*" not in head[0]:
            out.append(line)
            continue
        cut = len(line)
        while wide(line[:cut]) or line[cut:].strip() == "*/":
            cut = line.rindex(" ", 0, cut)
        if cut <= len(head[0]):
            out.append(line)
            continue
        rest, prefix = line[cut + 1:], head[0].replace("/*", " *")
        out.append(line[:cut])
        after = todo[0] if todo else ""
        prose = "  " not in line[len(head[0]):] and after.startswith(prefix) and re.match(r"[\w(\"'`]", after[len(prefix):])
        if prose and not rest.endswith("*/") and "  " not in after[len(prefix):]:
            todo[0] = prefix + rest + " " + after[len(prefix):]
        else:
            todo.insert(0, prefix + rest)
    return out


def fix(names):
    for name in names:
        path = pathlib.Path(name)
        lines = path.read_text(encoding="utf-8").split("\n")
        for number, what in c_findings(name, "\n".join(lines), lines):
            if what == BY_TABS:
                lines[number - 1] = "\t" + lines[number - 1].lstrip()
        path.write_text("\n".join(wrap_comments(lines)), encoding="utf-8")
        for _ in range(5):  # wrapping one line moves the next
            numbers = [n for n, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1) if wide(line)]
            if not numbers:
                break
            subprocess.run(["clang-format-14", "-i", "--style=file", *[f"--lines={n}:{n}" for n in numbers], name], check=True)
    return 0


def main(root):
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root, check=True,
                            capture_output=True).stdout.decode().split("\0")
    bad = 0
    for name in sorted(set(filter(None, listed))):
        path = root / name
        if DATA.search(name) or not path.is_file() or path.is_symlink():
            continue
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            print(f"{name}:1: not UTF-8")
            bad += 1
            continue
        for number, what in sorted(findings(name, text)):
            print(f"{name}:{number}: {what}")
            bad += 1
    for module in sorted((root / "src").iterdir()):
        if module.is_dir() and any(module.glob("*.c")) and not (module / "README.md").is_file():
            print(f"src/{module.name}/README.md: each module has a README")
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fix"]:
        sys.exit(fix(sys.argv[2:]))
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()))
