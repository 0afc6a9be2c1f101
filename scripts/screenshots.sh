#!/bin/sh
# Takes the pictures of doc/screenshots: every page, light and dark, from a demonstration that it starts and ends.
# Usage: scripts/screenshots.sh [WALMILL]
set -eu
cd "$(dirname "$0")/.."
scripts/setup.sh screenshots
scripts/web.sh --require
mkdir -p doc/screenshots
node web/test/screenshots.mjs "${1:-build/src/cli/walmill}" doc/screenshots
pngquant --force --skip-if-larger --quality 70-95 --speed 1 --ext .png doc/screenshots/*.png || [ $? = 98 ]
ls -l doc/screenshots
