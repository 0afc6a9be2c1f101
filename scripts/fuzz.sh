#!/bin/sh
# Builds the libFuzzer targets (executables named fuzz_*) with clang and lets each run for FUZZ_SECONDS, starting from the corpus in
# test/fuzz/corpus/NAME (without fuzz_). Inputs that widen the coverage are kept in build-fuzz/corpus/NAME; a crash stops the run with
# its input.
# Usage: scripts/fuzz.sh [FUZZER...]
set -eu
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-60}
[ -f build-fuzz/build.ninja ] || CC=clang-14 meson setup build-fuzz -Dfuzzers=true -Db_sanitize=address,undefined -Db_lundef=false
ninja -C build-fuzz -j"${JOBS:-$(nproc)}"
found=$(find build-fuzz -type f -name 'fuzz_*' -perm -u+x | sort)
[ -n "$found" ] || { echo "fuzz: the build has no fuzzer" >&2; exit 1; }
for fuzzer in $found; do
	name=$(basename "$fuzzer")
	name=${name#fuzz_}
	case " $* " in
	"  " | *" $name "*) ;;
	*) continue ;;
	esac
	mkdir -p "build-fuzz/corpus/$name" build-fuzz/crashes
	seeds=
	[ ! -d "test/fuzz/corpus/${name#fuzz_}" ] || seeds="test/fuzz/corpus/${name#fuzz_}"
	echo "fuzz: $name for $seconds s"
	"$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="build-fuzz/crashes/$name-" -print_final_stats=1 \
		"build-fuzz/corpus/$name" $seeds
done
