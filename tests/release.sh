#!/bin/sh
# release.sh [CHECK ...]: what takes too long for ./test.sh and is to hold before a release. Without names all checks run,
# each a function below. It needs a build in build/ (or BUILD).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$root/build}

# 50 runs that are killed at random moments, and resumed to the same bytes.
kills() {
    "$root/tests/kill_and_resume.py" --kills 50 "$build"
}

# Of 24 frames with a known motion, results do not flicker: with the default network and its usual iterations.
film() {
    (cd "$build/tests/cli" && NST_TEST_FILM=whole ./test_cli_film)
}

[ -x "$build/nst" ] || { echo "release.sh: error: $build/nst is missing: ./test.sh builds it" >&2 && exit 2; }
[ $# -gt 0 ] || set -- kills film
failed=
for check in "$@"; do
    echo "== $check"
    "$check" || failed="$failed $check"
done
[ -z "$failed" ] || { echo "release.sh: failed:$failed" >&2 && exit 1; }
