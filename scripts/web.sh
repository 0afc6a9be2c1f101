#!/bin/sh
# Builds the pages of web/ into build/web, from where the build takes them into the binary. Quick when nothing changed.
# Without Node.js, npm or npm's registry there are no pages: it says so and succeeds, for the program works without them.
# Usage: scripts/web.sh [--require]     (--require: fail instead)
set -eu
cd "$(dirname "$0")/.."
out=build/web
stamp=build/web.stamp
require=${1:-}

without() {
	echo "web: $*" >&2
	if [ -f "$out/console.html" ]; then
		echo "web: the pages in $out are those of an earlier build" >&2
	else
		echo "web: walmill is built without its pages; scripts/web.sh makes them, then make" >&2
	fi
	[ "$require" = --require ] && exit 1
	exit 0
}

mkdir -p build
wanted=$(git ls-files -co --exclude-standard web/src web/*.mjs web/*.json 2>/dev/null | sort | xargs cksum | cksum)
[ -f "$out/console.html" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
	scripts/setup.sh web || without "Node.js and npm are missing (Debian packages nodejs and npm)"
	command -v node >/dev/null && command -v npm >/dev/null || without "Node.js and npm are missing"
fi
case $(node --version) in
v[0-9].* | v1[0-7].*) without "Node.js $(node --version) is too old; 18 or newer" ;;
esac

# The packages of the lock file, once a lock file.
lock=$(cksum <web/package-lock.json)
if [ "$(cat web/node_modules/.walmill 2>/dev/null)" != "$lock" ]; then
	echo "web: npm ci"
	(cd web && npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 --fetch-timeout=60000 --loglevel=error) ||
		without "npm could not fetch the packages of web/package-lock.json"
	echo "$lock" >web/node_modules/.walmill
fi
echo "web: building the pages"
(cd web && node build.mjs "../$out") || exit 1
echo "$wanted" >"$stamp"
