#!/bin/sh
# tests/conformance.sh: runs the suites on every OpenCL implementation that can be had for a processor, installs those
# that are missing, and prints a table. Oclgrind simulates a device and watches it: races, accesses out of bounds and
# reads of uninitialized values count as failures there.
#
# usage: tests/conformance.sh [--short] [IMPLEMENTATION ...]
#
# The implementations: pocl intel rusticl oclgrind-cpu oclgrind-gpu (with the bodies for processors, for GPUs).
# --short: a few suites at small sizes, for .ci/run; what test.sh has done on PoCL is left out.
# Exit status: 0 all is well; 1 a suite failed; 3 nothing failed, but an implementation could not be had.
set -u
cd "$(dirname "$0")/.." || exit 1
. ./.setup.sh
short=no
implementations="pocl intel rusticl oclgrind-cpu oclgrind-gpu"
if [ "${1:-}" = --short ]; then
    short=yes
    implementations="intel rusticl oclgrind-cpu oclgrind-gpu"
    shift
fi
for implementation in "$@"; do
    case $implementation in
    pocl | intel | rusticl | oclgrind-cpu | oclgrind-gpu) ;;
    *) stop "there is no implementation '$implementation' here; usage: tests/conformance.sh [--short] [IMPLEMENTATION ...]" ;;
    esac
done
[ $# -eq 0 ] || implementations=$*
# Where Intel's runtime lies, outside the checkout.
installed=${XDG_CACHE_HOME:-$HOME/.cache}/nst/conformance
rusticl_sizes=all
results=$(mktemp -d) || exit 1
trap 'rm -rf "$results"' EXIT
trap 'exit 130' INT TERM

# ---- Suites ---------------------------------------------------------------------------------------------------------

# The suites of kernels, of which Oclgrind runs each with the bodies for processors and with those for GPUs.
kernel_suites="network.input network.padding network.pooling network.fused_pooling network.convolution network.model network.square_product \
loss.content loss.gram loss.total_variation loss.samples loss.cosine loss.matching loss.similarity loss.wasserstein optimizer.adam optimizer.lbfgs \
optimizer.pyramid optimizer.resample evaluate.evaluation network.units"
short_suites="network.input network.padding network.pooling network.fused_pooling loss.content loss.gram \
loss.total_variation optimizer.adam evaluate.evaluation"
oclgrind_short_suites="network.input network.padding network.pooling loss.total_variation"

# Those that never compute on a device run once, on the first implementation.
suites_of() {
    case $short-$1 in
    yes-oclgrind*) echo "$oclgrind_short_suites" ;;
    yes-*) echo "$short_suites" ;;
    no-oclgrind*) echo "$kernel_suites" ;;
    no-pocl) ctest --test-dir build -N | sed -n 's/^ *Test *#[0-9]*: //p' ;;
    no-*) ctest --test-dir build -N -L '^(device|network|loss|optimizer|evaluate|stylize|measure|check|tune|bench|cli|faults)$' |
        sed -n 's/^ *Test *#[0-9]*: //p' ;;
    esac
}

# Why a suite cannot run there; nothing if it can.
reason_to_skip() { # implementation, suite
    case $1-$2 in
    rusticl-faults.unset_memory_*_cpu)
        echo "llvmpipe ends long loops early, so that the bodies for processors are not used there" ;;
    esac
}

# ---- Implementations ------------------------------------------------------------------------------------------------

# Each is the only one that its suites see.
run_on() { # implementation, command
    implementation=$1
    shift
    # shellcheck disable=SC2016
    case $implementation in
    pocl) OCL_ICD_VENDORS=/etc/OpenCL/vendors/pocl.icd "$@" ;;
    intel) OCL_ICD_VENDORS=$installed/intel-vendors LD_LIBRARY_PATH=$installed/intel/lib "$@" ;;
    rusticl)
        OCL_ICD_VENDORS=/etc/OpenCL/vendors/rusticl.icd RUSTICL_ENABLE=llvmpipe NST_TEST_SIZES=$rusticl_sizes "$@" ;;
    # Its check for uninitialized values stops at `freeze` instructions and takes `poison` in vectors for a value
    # (21.10): LLVM's optimizer makes both, so it is off. Binaries made with it must not be found in the cache. What is
    # preloaded mends the check; it must come before Oclgrind's own library, which Oclgrind puts first. Work-groups of
    # 128 are the smallest that every body for GPUs takes: sums cost time for each work-item, however short they are.
    oclgrind-*) NST_DEVICE_STYLE=${implementation#oclgrind-} NST_TEST_SIZES=small NST_CACHE_DIR=$results/cache \
        oclgrind --build-options -cl-opt-disable --max-wgsize 128 --data-races --uninitialized --max-errors 20 \
        sh -c 'LD_PRELOAD=$PWD/build/tests/faults/liboclgrind_shadow.so:$LD_PRELOAD exec "$@"' sh "$@" ;;
    esac
}

install_intel() {
    [ -f "$installed/intel/lib/libintelocl.so" ] && [ -f "$installed/intel/lib/libsvml.so" ] || {
        say "Installing Intel's runtime for processors (800 MB) from PyPI in $installed/intel"
        mkdir -p "$installed" && python3 -m venv "$installed/intel" &&
            "$installed/intel/bin/pip" install -q intel-opencl-rt intel-cmplr-lib-rt
    } || return 1
    # A folder: the loader that comes with it, unlike ocl-icd, takes no single file.
    mkdir -p "$installed/intel-vendors" && echo "$installed/intel/lib/libintelocl.so" >"$installed/intel-vendors/intel.icd"
}

# One package at a time, since one that is missing must not keep the others away.
install() { # implementation
    case $1 in
    pocl) set -- pocl-opencl-icd ;;
    intel) set -- python3-venv ;;
    rusticl) set -- mesa-opencl-icd ;;
    oclgrind-*) set -- oclgrind ;;
    esac
    command -v apt-get >/dev/null 2>&1 || return 0 # whatever is there is tried
    (need_packages "$1")
}

# Sets `why` and fails if the implementation cannot be had.
obtain() { # implementation
    why="not installed, and the package cannot be had"
    install "$1" || return 1
    case $1 in
    intel)
        why="intel-opencl-rt cannot be had from PyPI"
        install_intel || return 1
        ;;
    esac
    why="it offers no device"
    case $1 in
    oclgrind-*) command -v oclgrind >/dev/null ;;
    *) run_on "$1" build/nst devices >/dev/null 2>&1 ;;
    esac
}

# ---- Running --------------------------------------------------------------------------------------------------------

# One suite there; leaves "outcome" in $results/IMPLEMENTATION/SUITE.
run_suite() { # implementation, suite
    log=$results/log
    reason=$(reason_to_skip "$1" "$2")
    if [ -n "$reason" ]; then
        echo "skip: $reason" >"$results/$1/$2"
        return
    fi
    # llvmpipe does 0.4 GFLOP/s: only what the short form does is small enough for all sizes there.
    rusticl_sizes=small
    case " $short_suites " in
    *" $2 "*) rusticl_sizes=all ;;
    esac
    started=$(date +%s)
    outcome=pass
    run_on "$1" ctest --test-dir build -V --timeout 3600 -R "^$(echo "$2" | sed 's/\./[.]/')\$" >"$log" 2>&1 || outcome=FAIL
    grep -q '100% tests passed, 0 tests failed out of 1' "$log" || outcome=FAIL
    case $1 in
    oclgrind-*) ! grep -qE '^[0-9]*:? *Entity: |FATAL' "$log" || outcome=FAIL ;; # where a fault happened
    esac
    if [ $outcome = FAIL ]; then
        failures=$((failures + 1))
        grep -vE '^[0-9]*: \[ +(RUN|OK) |^$' "$log" | tail -40
    fi
    echo "$outcome $(($(date +%s) - started)) s" >"$results/$1/$2"
    printf '%-14s %-26s %s\n' "$1" "$2" "$(cat "$results/$1/$2")"
}

need_system_packages libcmocka-dev
[ "$short" = yes ] && [ -x build/nst ] || build build -DNST_TESTS=ON

failures=0
missing=""
for implementation in $implementations; do
    mkdir "$results/$implementation"
    if ! obtain "$implementation"; then
        missing="$missing$implementation: $why
"
        continue
    fi
    say "Suites on $implementation"
    for suite in $(suites_of "$implementation"); do
        run_suite "$implementation" "$suite"
    done
done

# ---- The table ------------------------------------------------------------------------------------------------------

say "Suites and implementations (seconds; - : does not concern it)"
printf '%-26s' suite
for implementation in $implementations; do
    printf ' %-13s' "$implementation"
done
echo
for suite in $(for implementation in $implementations; do ls "$results/$implementation"; done | sort -u); do
    printf '%-26s' "$suite"
    for implementation in $implementations; do
        outcome=-
        [ ! -f "$results/$implementation/$suite" ] || outcome=$(cut -d: -f1 "$results/$implementation/$suite")
        printf ' %-13s' "$outcome"
    done
    echo
done
for implementation in $implementations; do
    for suite in $(ls "$results/$implementation"); do
        sed -n "s/^skip: /skipped on $implementation, $suite: /p" "$results/$implementation/$suite"
    done
done
[ -z "$missing" ] || printf 'NOT CHECKED %s' "$missing"
[ $failures -eq 0 ] || stop "$failures suites failed"
[ -z "$missing" ] || exit 3
