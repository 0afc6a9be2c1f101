#!/bin/sh
# Runs what test and bench folders declare with Meson's benchmark(), in an optimized build of their own.
# Usage: scripts/bench.sh [BENCHMARK...]
set -eu
cd "$(dirname "$0")/.."
[ -f build-release/build.ninja ] || meson setup build-release -Dbuildtype=release
ninja -C build-release -j"${JOBS:-$(nproc)}"
meson test -C build-release --no-rebuild --benchmark --num-processes 1 --verbose "$@"
