#!/bin/bash
# Compiles every kernel of cl/ for GPUs that need not be there, with the options that the program would use on them, and prints
# a table: registers, spills, local memory, occupancy. Fails if a kernel does not compile or spills registers.
#
#   NVIDIA   clang-15 and libclc-15 to PTX, then ptxas of the CUDA toolkit
#   AMD      clang-15 and libclc-15
#   Intel    ocloc (package intel-opencl-icd)
#
# usage: compile_kernels.sh [file.cl ...]     CLANG, PTXAS and OCLOC name other programs than those in the PATH; a vendor whose
# compiler is missing is left out, with a line that says so.
set -u
cl=$(cd "$(dirname "$0")/../../cl" && pwd) || exit 1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
clang=${CLANG:-clang-15}
ptxas=${PTXAS:-$(command -v ptxas || echo /usr/local/cuda/bin/ptxas)}
ocloc=${OCLOC:-ocloc}
failures=0

# The programs: file, options. Those of the CPUs alone: convolution_direct.cl, convolution_pointwise.cl,
# convolution_winograd.cl, winograd_filters.cl; passes.cl is made of others.
programs() {
    local epilogue
    for file in adam content gram gram_tiles input lbfgs pack padding pooling probe; do
        echo "$file.cl"
    done
    echo "total_variation.cl -DPOWER=1"
    echo "total_variation.cl -DPOWER=2"
    for epilogue in 0 1 2 3; do
        echo "convolution_plain.cl -DEPILOGUE=$epilogue"
        echo "winograd_transform.cl -DEPILOGUE=$epilogue"
        echo "product_epilogue.cl -DEPILOGUE=$epilogue"
        echo "convolution_tiled.cl -DEPILOGUE=$epilogue -DKERNEL_SIZE=3"
        echo "convolution_tiled.cl -DEPILOGUE=$epilogue -DKERNEL_SIZE=3 -DGROUP_TILES=8 -DDEPTH=8"
    done
    echo "convolution_tiled.cl -DEPILOGUE=1 -DKERNEL_SIZE=3 -DGROUP_TILES=8 -DDEPTH=4"
    echo "convolution_tiled.cl -DEPILOGUE=3 -DKERNEL_SIZE=1 -DGROUP_TILES=8 -DDEPTH=8"
}

fail() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

# Size of a kernel's work-group in the program.
work_group() {
    case $1 in
    convolution_tiled) echo 128 ;;
    convolution_narrow | gram_tiles) echo 64 ;;
    *) echo 256 ;;
    esac
}

# row target kernel options registers spill_bytes local_bytes occupancy
row() {
    printf '%-8s %-24s %-44s %9s %6s %6s  %s\n' "$@"
    [ "$5" = 0 ] || fail "$2 spills $5 bytes on $1 ($3)"
}

# Share of the threads of a multiprocessor that run at once: threads, registers and shared memory there.
nvidia_occupancy() { # arch registers local_bytes group
    awk -v arch="$1" -v registers="$2" -v local_bytes="$3" -v group="$4" 'BEGIN {
        threads = arch == "sm_75" ? 1024 : arch == "sm_86" ? 1536 : 2048
        memory = (arch == "sm_75" ? 64 : arch == "sm_86" ? 100 : 228) * 1024
        groups = int(threads / group)
        by_registers = int(65536 / (int((registers + 7) / 8) * 8 * group))
        by_memory = int(memory / (local_bytes + 1024))
        groups = by_registers < groups ? by_registers : groups
        groups = by_memory < groups ? by_memory : groups
        printf "%d of %d threads", groups * group, threads
    }'
}

nvidia() { # file, options; all targets
    local file=$1 name=${1%.cl} arch
    shift
    if ! "$clang" $common "$@" -target nvptx64--nvidiacl -Xclang -target-cpu -Xclang sm_75 -Xclang -target-feature \
        -Xclang +ptx64 -Xclang -mlink-builtin-bitcode -Xclang /usr/lib/clc/nvptx64--nvidiacl.bc -S "$cl/$file" \
        -o "$folder/$name.ptx"; then
        fail "$file $* for NVIDIA"
        return
    fi
    for arch in sm_75 sm_86 sm_90; do
        if ! "$ptxas" -arch=$arch -v "$folder/$name.ptx" -o /dev/null 2>"$folder/log"; then
            cat "$folder/log" >&2
            fail "$file $* for $arch"
            continue
        fi
        while read -r kernel registers spill local_bytes; do
            row $arch "$kernel" "$*" "$registers" "$spill" "$local_bytes" \
                "$(nvidia_occupancy $arch "$registers" "$local_bytes" "$(work_group "$kernel")")"
        done < <(awk '/Compiling entry/ { split($0, part, "\047"); kernel = part[2] }
            /bytes stack frame/ && !(kernel in spill) { spill[kernel] = $1 + 0 }
            /Used .* registers/ {
                shared = 0
                for (i = 1; i <= NF; ++i) { if ($i ~ /^smem/) shared = $(i - 2) }
                for (i = 1; i <= NF; ++i) { if ($i == "Used") registers = $(i + 1) }
                print kernel, registers, spill[kernel], shared
            }' "$folder/log")
    done
}

amd() {
    local file=$1 name=${1%.cl} arch
    shift
    for arch in gfx906 gfx1030 gfx1100; do
        if ! "$clang" $common "$@" -target amdgcn--amdhsa -mcpu=$arch -nogpulib -Xclang -mlink-builtin-bitcode \
            -Xclang /usr/lib/clc/amdgcn--amdhsa.bc -S "$cl/$file" -o "$folder/$name.s"; then
            fail "$file $* for $arch"
            continue
        fi
        while read -r kernel registers spill local_bytes waves; do
            row $arch "$kernel" "$*" "$registers" "$spill" "$local_bytes" "$waves waves"
        done < <(awk '/Begin function/ { kernel = $NF }
            /^; NumVgprs:/ { registers = $3 }
            /^; ScratchSize:/ { spill = $3 }
            /^; LDSByteSize:/ { local_bytes = $3 }
            /^; Occupancy:/ { print kernel, registers, spill, local_bytes, $3 }' "$folder/$name.s")
    done
}

# What ocloc's listing calls patch tokens: 15 local memory, 18 scratch memory of a thread, 23 lanes (fourth number).
# Registers are 128 of 32 bytes (pvc: 64) for all lanes together.
intel() {
    local file=$1 device
    shift
    for device in skl tgllp dg2 pvc; do
        rm -rf "$folder/intel" "$folder/dump"
        local lanes=8
        [ $device = pvc ] && lanes=16
        if ! "$ocloc" compile -q -file "$cl/$file" -device $device -out_dir "$folder/intel" \
            -options "-cl-std=CL1.2 -cl-mad-enable -w -I $cl $macros -DSUB_GROUP=$lanes $*" >"$folder/log" 2>&1 ||
            ! "$ocloc" disasm -file "$folder"/intel/*.bin -dump "$folder/dump" -device $device >>"$folder/log" 2>&1 ||
            [ ! -f "$folder/dump/PTM.txt" ]; then
            cat "$folder/log" >&2
            fail "$file $* for $device"
            continue
        fi
        while read -r kernel lanes spill local_bytes; do
            row $device "$kernel" "$*" "$lanes lanes" "$spill" "$local_bytes" ""
        done < <(awk 'function number(at,    i, value) {
                value = 0
                for (i = 3; i >= 0; --i) { value = value * 256 + hex($(at + i)) }
                return value
            }
            function hex(text,    i, value) {
                value = 0
                for (i = 1; i <= length(text); ++i) { value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1 }
                return value
            }
            function finish() { if (kernel != "") print kernel, lanes, spill, local_bytes }
            /KernelName / { finish(); kernel = $2; lanes = spill = local_bytes = 0 }
            / Token / { token = $3 }
            /^\tToken |^\t4 Token / { token = $3 }
            /Hex/ && token == 18 { spill = number(6) }
            /Hex/ && token == 15 { local_bytes = number(6) }
            /Hex/ && token == 23 { lanes = number(14) }
            END { finish() }' "$folder/dump/PTM.txt")
    done
}

for path in "$cl"/*.cl; do
    file=$(basename "$path")
    case $file in
    convolution_direct.cl | convolution_pointwise.cl | convolution_winograd.cl | winograd_filters.cl | passes.cl) ;;
    *) programs | grep -q "^$file\b" || fail "$file is not in the list of programs in $0" ;;
    esac
done

macros="-DBLOCK=1 -DLOOPS=0 -DWORK_GROUP=256"
common="-x cl -cl-std=CL1.2 -cl-mad-enable -Xclang -finclude-default-header -O3 -w -I$cl $macros"
vendors=
if command -v "$clang" >/dev/null; then
    [ -x "$ptxas" ] && [ -f /usr/lib/clc/nvptx64--nvidiacl.bc ] && vendors="$vendors nvidia"
    [ -f /usr/lib/clc/amdgcn--amdhsa.bc ] && vendors="$vendors amd"
fi
command -v "$ocloc" >/dev/null && vendors="$vendors intel"
for vendor in nvidia amd intel; do
    case "$vendors" in *$vendor*) ;; *) echo "left out: $vendor (see the head of $0)" ;; esac
done

printf '%-8s %-24s %-44s %9s %6s %6s  %s\n' target kernel options registers spill local "runs at once"
for vendor in $vendors; do
    while read -r file options; do
        if [ $# -eq 0 ] || [[ " $* " == *" $file "* ]]; then
            $vendor "$file" $options
        fi
    done < <(programs)
done
[ $failures -eq 0 ] || echo "$failures failures" >&2
[ $failures -eq 0 ]
