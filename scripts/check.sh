#!/bin/sh
# Everything that can be said about the tree without running it. Prints one line a check and ends with `N passed, N failed`.
# Usage: scripts/check.sh [CHECK...]        (style, layers, docs, scripts, cppcheck, tidy)
set -u
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
passed=0 failed=0
log=$(mktemp)
trap 'rm -f "$log" "$log.tidy"' EXIT

# clang's own build directory: its compile commands name only flags that clang knows; nothing is compiled there, only made what is generated
tidy_dir() {
	[ -f build-tidy/build.ninja ] || CC=clang-14 meson setup build-tidy >"$log" 2>&1 || return 1
	ninja -C build-tidy build.ninja src/kafka/messages.h src/http/assets_table.c src/api/docs_files.c >/dev/null
}

check_style() { python3 tools/style.py; }
check_layers() { python3 tools/layers.py; }
check_docs() { python3 tools/docs.py --check; }
check_scripts() {
	for f in $(git ls-files '*.sh' .ci/run); do
		if head -1 "$f" | grep -q bash; then bash -n "$f" || return 1; else sh -n "$f" || return 1; fi
	done
	for f in $(git ls-files '*.py'); do
		python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$f" || return 1
	done
}
check_cppcheck() {
	tidy_dir && cppcheck --project=build-tidy/compile_commands.json --enable=warning,performance,portability --inline-suppr -q -j"$jobs" \
		--suppressions-list=tools/cppcheck.txt --error-exitcode=1 --template=gcc
}
check_tidy() {
	tidy_dir || return 1
	# a third of the states that the analyzer would follow in a function: what it finds, it finds early, and all of them take twice the time
	git ls-files 'src/*.c' | xargs -r -n 4 -P "$jobs" clang-tidy-14 --quiet -p build-tidy --warnings-as-errors='*' \
		--extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=max-nodes=75000 >"$log.tidy" 2>/dev/null
	status=$?
	# the findings without the paths that lead to them: clang-tidy-14 -p build-tidy FILE shows those
	grep -E ': (error|warning): ' "$log.tidy" | sed "s|^$PWD/build-tidy/../||; s|^\.\./||" | sort -u
	return $status
}

run() {
	if "check_$1" >"$log" 2>&1; then
		passed=$((passed + 1))
		echo "check $1: ok"
	else
		failed=$((failed + 1))
		cat "$log"
		echo "check $1: FAILED"
	fi
}

[ $# -gt 0 ] || set -- style layers docs scripts cppcheck tidy
for name in "$@"; do
	run "$name"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
