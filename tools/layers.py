#!/usr/bin/env python3
"""Checks the #include lines of src/ against the order of modules in tools/layers.txt.

Usage: tools/layers.py [ROOT]
Prints one line for each include that breaks the order or a prohibition; exit status 1 when there is one. Nobody includes cli.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')


def read_layers(path):
    """[(module, set of forbidden modules and headers)] in order."""
    layers = []
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line:
            name, _, forbidden = line.partition("|")
            layers.append((name.strip(), set(forbidden.split())))
    return layers


def complaint(module, target, layers):
    """Why module must not include target, or None."""
    order = [name for name, _ in layers]
    forbidden = dict(layers)[module]
    other = target.split("/")[0]
    if target in forbidden:
        return f"{module} must not include \"{target}\""
    if other == module or "/" not in target or other not in order:
        return None
    if other in forbidden:
        return f"{module} must not include {other}"
    if order.index(other) > order.index(module):
        return f"{module} comes before {other}"
    return None


def main(root):
    layers = read_layers(root / "tools/layers.txt")
    known = {name for name, _ in layers}
    bad = 0
    for path in sorted((root / "src").rglob("*.[ch]")):
        module = path.relative_to(root / "src").parts[0]
        if module not in known:
            print(f"{path.relative_to(root)}: module \"{module}\" is not in tools/layers.txt")
            bad += 1
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found = INCLUDE.match(line)
            why = complaint(module, found[2], layers) if found else None
            if found and found[1] == '"' and "/" not in found[2]:
                why = "project headers are included with their module: \"module/name.h\""
            if why:
                print(f"{path.relative_to(root)}:{number}: {why}")
                bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)))
