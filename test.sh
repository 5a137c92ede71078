#!/bin/sh
# test.sh: installs what is missing, builds with the tests, and runs them all; ends with ctest's summary.
set -eu
cd "$(dirname "$0")"
. ./.setup.sh

need_system_packages libcmocka-dev
offer_packages libtiff-dev libwebp-dev libheif-dev libjxl-dev
build build -DNST_TESTS=ON
need_device build/nst

say "Running the tests (some minutes)"
exec ctest --test-dir build --output-on-failure
