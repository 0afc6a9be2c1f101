#!/bin/sh
# Builds and runs the tests: all of them under AddressSanitizer and UndefinedBehaviorSanitizer, those of the suite "threaded" under
# ThreadSanitizer as well. The last line is `N passed, N failed`; the exit status says the same.
# Usage: scripts/test.sh [TEST...]
set -u
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}"
export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}"

configured() {
	dir=$1
	shift
	# a changed meson.build: Meson's own reconfiguration is told only when it fails
	if [ -f "$dir/build.ninja" ]; then
		ninja -C "$dir" build.ninja >"$dir.log" 2>&1 && rm "$dir.log" && return 0
		cat "$dir.log"
		echo "0 passed, 1 failed"
		exit 1
	fi
	echo "test: configuring $dir"
	meson setup "$dir" "$@" >"$dir.log" 2>&1 && rm "$dir.log" || { cat "$dir.log"; echo "0 passed, 1 failed"; exit 1; }
}

# ThreadSanitizer of gcc 12 does not start where the kernel scatters addresses more widely than it knows
plain_addresses=
setarch "$(uname -m)" -R true 2>/dev/null && plain_addresses="setarch $(uname -m) -R"

configured build-asan -Db_sanitize=address,undefined -Db_lundef=false
ninja -C build-asan -j"$jobs" || { echo "0 passed, 1 failed"; exit 1; }
rm -f build-asan/meson-logs/testlog.json build-tsan/meson-logs/testlog.json
meson test -C build-asan --no-rebuild --num-processes "$jobs" --timeout-multiplier 3 --print-errorlogs "$@"
logs=build-asan/meson-logs/testlog.json

if [ $# = 0 ]; then
	configured build-tsan -Db_sanitize=thread -Db_lundef=false
	$plain_addresses meson test -C build-tsan --num-processes "$jobs" --timeout-multiplier 5 --print-errorlogs --suite threaded
	logs="$logs build-tsan/meson-logs/testlog.json"
fi
# a run without a log broke off
for log in $logs; do
	[ -f "$log" ] || { echo "0 passed, 1 failed"; exit 1; }
done
python3 tools/test_summary.py $logs
