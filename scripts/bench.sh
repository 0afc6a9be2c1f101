#!/bin/sh
# The measurements of bench/bench.py, with an optimized build of their own.
# Usage: scripts/bench.sh [PART...]        (parts and environment: bench/bench.py; RESULTS=bench/RESULTS.md keeps the report; PEERS=1:
# Kafka, Debezium and Flink beside it)
set -eu
cd "$(dirname "$0")/.."
if [ -n "${PEERS:-}" ] && ! { command -v mvn && command -v java && command -v kcat; } >/dev/null; then scripts/setup.sh peers; fi
[ -f build-release/build.ninja ] || meson setup build-release -Dbuildtype=release
ninja -C build-release -j"${JOBS:-$(nproc)}"
exec python3 bench/bench.py "$@"
