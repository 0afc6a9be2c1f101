#!/usr/bin/env python3
"""Documents that are written by the program itself, and the check that they are up to date.

Usage: tools/docs.py            writes them
       tools/docs.py --check    exits 1 and names those that differ
The program that prints them is built first (build/src/cli/settings_print).
"""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = {"doc/settings.md": ["--markdown"], "doc/walmill.conf.5": ["--man"]}


def printer():
    """The path of the program that prints the settings table."""
    build = ROOT / "build"
    if not (build / "build.ninja").exists():
        subprocess.run(["meson", "setup", str(build)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    target = "src/cli/settings_print"
    subprocess.run(["ninja", "-C", str(build), target], check=True, stdout=subprocess.DEVNULL)
    return build / target


def main(check):
    program = printer()
    stale = 0
    for name, options in DOCUMENTS.items():
        text = subprocess.run([str(program), *options], check=True, capture_output=True).stdout
        path = ROOT / name
        if check:
            if not path.exists() or path.read_bytes() != text:
                print(f"{name} is not what the settings table says; run tools/docs.py")
                stale += 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
            print(name)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
