#!/bin/sh
# The tests of the pages: unit ones with Node.js alone, those of a face in headless Chromium over a running demonstration.
# Usage: scripts/web_test.sh unit | console WALMILL | dashboard WALMILL
# Exit status 77 with a line that says why, where Node.js, npm's packages or Chromium can't be had.
set -eu
walmill=${2:+$(realpath "$2")}
cd "$(dirname "$0")/.."
skip() { echo "SKIP: $*"; exit 77; }

scripts/web.sh || exit 1
command -v node >/dev/null || skip "no Node.js"
[ -d web/node_modules/esbuild ] && [ -f build/web/console.html ] || skip "the pages are not built: npm's registry could not be reached"
if [ "$1" = unit ]; then
	node --test web/test/unit.mjs >build/web-unit.log 2>&1 && status=0 || status=1
	[ $status = 0 ] || cat build/web-unit.log
	awk '/^# pass /{p=$3} /^# fail /{f=$3} /^# skipped /{s=$3}
		END {printf "%d passed, %d failed, %d skipped\n", p, f, s}' build/web-unit.log
	exit $status
fi
[ -x /usr/bin/chromium ] || scripts/setup.sh browser || skip "no Chromium (Debian package chromium)"
exec node web/test/browser.mjs "$walmill" "$1"
