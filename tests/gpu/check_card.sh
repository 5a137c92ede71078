#!/bin/bash
# Everything that a machine with a card is needed for, in one command of a few minutes: builds the program, checks the
# kernels and the matrix units, times the layers, and compares with PyTorch where that is installed with CUDA. Writes its
# findings into a folder, and the most important lines to standard output.
#
# usage: check_card.sh FOLDER [DEVICE]
#
# DEVICE is as for -d [gpu]. From the environment: NST_CHECK_NETWORK, a file of VGG-19 [weights/vgg19.safetensors, else the
# network of the repository]; NST_CHECK_PYTHON, a Python with PyTorch for CUDA [python3]; NST_CHECK_SECONDS, when to leave
# out what has not begun [420]. Exit status: 0 all that ran is right, 1 something is wrong, 77 there is no such device.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
[ $# -ge 1 ] || { echo "usage: $0 FOLDER [DEVICE]" >&2; exit 1; }
mkdir -p "$1" || exit 1
folder=$(cd "$1" && pwd) device=${2:-gpu} wrong=0
limit=${NST_CHECK_SECONDS:-420}
python=${NST_CHECK_PYTHON:-python3}
network=${NST_CHECK_NETWORK:-$root/weights/vgg19.safetensors}
[ -f "$network" ] || network=$root/weights/vgg19-reduced.safetensors
export NST_CACHE_DIR=$folder/cache
nst=$folder/build/nst

say() { echo "[$SECONDS s] $*"; }

# part NAME COMMAND...: runs it into FOLDER/NAME.txt, unless time is over.
part() {
    local name=$1
    shift
    if [ $SECONDS -ge "$limit" ]; then
        say "$name: left out, no time"
        return 1
    fi
    say "$name"
    if ! timeout $((limit + 60 - SECONDS)) "$@" >"$folder/$name.txt" 2>&1; then
        say "$name FAILED: $(tail -n 1 "$folder/$name.txt")"
        wrong=1
        return 1
    fi
}

build() {
    cmake -S "$root" -B "$folder/build" -DCMAKE_BUILD_TYPE=Release &&
        cmake --build "$folder/build" -j "$(nproc)" --target nst bench_convolution print_gradient test_network_units \
            test_network_convolution test_network_product
}

# Without the matrix units, and as they are: one after the other on the same card, so that they can be compared.
layers() { # precision
    for units in off ""; do
        echo "== NST_MATRIX_UNIT=$units, $1 precision"
        NST_MATRIX_UNIT=$units "$nst" bench -q -d "$device" --network "$network" --precision "$1" --sizes 128,256,512,1024 \
            --seconds 12 --layers || return 1
    done
}

pictures() {
    for precision in single half; do
        for units in off half ""; do
            NST_MATRIX_UNIT=$units "$nst" "$root/docs/samples/landscape.png" "$root/docs/samples/painting.png" -q -d "$device" \
                --network "$network" --precision $precision -o "$folder/$precision-${units:-all}.png" || return 1
        done
    done
}

peers() { # size
    "$python" "$root/tests/peers/time_iteration.py" --nst "$nst" --network "$network" --size "$1" --pairs 2 --iterations 20 \
        --pytorch-device cuda --as-people-run-it "$folder/peers-$1.md"
}

part build build || exit 1
if ! "$nst" devices | grep -q ' gpu ' && [ "$device" = gpu ]; then
    say "there is no GPU that OpenCL offers"
    exit 77
fi
part devices "$nst" devices
part selftest "$nst" selftest -d "$device"
grep -hE 'matrix units|right$' "$folder/selftest.txt" | tail -n 12
export NST_DEVICE=$device
part units "$folder/build/tests/network/test_network_units"
part convolutions "$folder/build/tests/network/test_network_convolution"
part products "$folder/build/tests/network/test_network_product"
part layers-half layers half
part layers-single layers single
grep -hE '^==| x |px' "$folder"/layers-*.txt | head -n 40
if "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    for size in 512 1024 256; do
        part peers-$size peers $size && grep '^|' "$folder/peers-$size.md"
    done
else
    say "$python has no PyTorch with CUDA: not compared with it"
fi
part pictures pictures
say "done; all findings are in $folder"
exit $wrong
