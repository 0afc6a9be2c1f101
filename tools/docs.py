#!/usr/bin/env python3
"""Documents that are written by the program itself, and the check that they are up to date.

Usage: tools/docs.py            writes them
       tools/docs.py --check    exits 1 and names those that differ
The program that prints them is built first (build/src/cli/settings_print).
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = {"doc/settings.md": ["--markdown"], "doc/walmill.conf.5": ["--man"]}
JOBS = "doc/jobs.md"


def printer():
    """The path of the program that prints the settings table."""
    build = ROOT / "build"
    if not (build / "build.ninja").exists():
        subprocess.run(["meson", "setup", str(build)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    target = "src/cli/settings_print"
    subprocess.run(["ninja", "-C", str(build), target], check=True, stdout=subprocess.DEVNULL)
    return build / target


def functions():
    """The names in the tables of src/sql/func_*.c, as a paragraph for doc/jobs.md."""
    keys = {key for f in sorted((ROOT / "src/sql").glob("func_*.c")) for key in re.findall(r'\{"([^"(]+)\(', f.read_text(encoding="utf-8"))}
    names = sorted(k for k in keys | {"concat", "now", "transaction_timestamp"} if k[0].isalpha())
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > 118:
            lines.append("")
        lines[-1] += f"`{name}`, "
    listed = "\n".join(line.rstrip() for line in lines).rstrip(",")
    return f"Functions: {listed}. Operators: those of numbers, text, dates and times, and comparisons."


def jobs_document():
    text = (ROOT / JOBS).read_text(encoding="utf-8")
    return re.sub(r"(<!-- functions:[^>]*-->\n).*?(<!-- end -->)", lambda m: m[1] + functions() + "\n" + m[2], text, flags=re.S).encode()


def main(check):
    program = printer()
    stale = 0
    texts = {name: subprocess.run([str(program), *options], check=True, capture_output=True).stdout for name, options in DOCUMENTS.items()}
    texts[JOBS] = jobs_document()
    for name, text in texts.items():
        path = ROOT / name
        if check:
            if not path.exists() or path.read_bytes() != text:
                print(f"{name} is not what the program's tables say; run tools/docs.py")
                stale += 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
            print(name)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
