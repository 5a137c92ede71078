#!/bin/bash
# Compiles every kernel of cl/ for GPUs that need not be there, with the options that the program would use on them. Fails if one does not
# compile, uses memory where registers were meant (spills, scratch), or takes more local memory than devices must have.
# Prints a row for each: registers, scratch, local memory, what runs at once, share of multiply-adds in the hot loop.
#
#   nvidia   clang-15 and libclc-15 to PTX, then ptxas of the CUDA toolkit; nvdisasm, if it is there, for matrix units
#   amd      clang-15 and libclc-15; for matrix units clang-19, since 15 cannot compile those of gfx11 and knows no gfx12
#   intel    ocloc (package intel-opencl-icd); libiga64.so, if it finds that, for the instructions
#
# Kernels for matrix units are compiled for the targets that have them, and fail unless their hot loop has the matrix
# instructions.
#
# usage: compile_kernels.sh [--quick] [--write-docs] [VENDOR ...]
#
# --quick leaves out kernels that differ only in their epilogue. --write-docs puts the rows into docs/gpu-kernels.md.
# CLANG, UNIT_CLANG (for AMD's matrix units), PTXAS, NVDISASM and OCLOC name other programs than those in the PATH. Exit status: 0 all is well, 1 something failed, 77
# no compiler of the vendors asked for is here.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
cl=$root/cl
docs=$root/docs/gpu-kernels.md
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
clang=${CLANG:-clang-15}
unit_clang=${UNIT_CLANG:-clang-19}
nvdisasm=${NVDISASM:-$(command -v nvdisasm || echo /usr/local/cuda/bin/nvdisasm)}
ptxas=${PTXAS:-$(command -v ptxas || echo /usr/local/cuda/bin/ptxas)}
ocloc=${OCLOC:-ocloc}
local_limit=32768 # bytes, what the full profile of OpenCL promises
macros="-DBLOCK=1 -DLOOPS=0 -DWORK_GROUP=256"
# Sizes that the engines do not change: of gram_tiles.cl (network/product_tiles.c), winograd_product.cl
# (network/product_batched.c) and convolution_direct_gpu.cl.
macros="$macros -DTILE=64 -DSIDE=8 -DPARTS=8 -DBATCHES=36 -DGROUP_CHANNELS=64 -DGROUP_PANELS=16 -DNARROW_GROUP=64"
common="-x cl -cl-std=CL1.2 -cl-mad-enable -Xclang -finclude-default-header -O3 -w -I$cl $macros"
failures=0
quick=no
write_docs=no
vendors=
for argument in "$@"; do
    case $argument in
    --quick) quick=yes ;;
    --write-docs) write_docs=yes ;;
    nvidia | amd | intel) vendors="$vendors $argument" ;;
    *)
        echo "usage: $0 [--quick] [--write-docs] [nvidia|amd|intel ...]" >&2
        exit 1
        ;;
    esac
done
vendors=${vendors:-nvidia amd intel}

# The programs: file, options.
programs() {
    local epilogue epilogues="0 1 2 3"
    [ $quick = yes ] && epilogues=1
    for file in adam average bench_probe content cosine deviation earth_mover gram gram_tiles halo hold hypercolumns input lbfgs lbfgs_metric matching moments optical_flow pack padding palette pooling pyramid region resample samples self_distance similarity square_root subspace temporal total_variation_nine warp wasserstein winograd_input; do
        echo "$file.cl"
    done
    echo "total_variation.cl -DPOWER=1"
    echo "total_variation.cl -DPOWER=2"
    for epilogue in $epilogues; do
        echo "convolution_plain.cl -DEPILOGUE=$epilogue"
        echo "winograd_output.cl -DEPILOGUE=$epilogue"
        echo "product_epilogue.cl -DEPILOGUE=$epilogue"
        echo "convolution_direct_gpu.cl -DEPILOGUE=$epilogue -DKERNEL_SIZE=3 -DGROUP_TILES=8 -DDEPTH=8"
    done
    echo "winograd_product.cl -DGROUP_TILES=128 -DDEPTH=8"
    echo "winograd_product.cl -DGROUP_TILES=64 -DDEPTH=8"
    echo "convolution_direct_gpu.cl -DEPILOGUE=1 -DKERNEL_SIZE=3 -DGROUP_TILES=8 -DDEPTH=4"
    echo "convolution_direct_gpu.cl -DEPILOGUE=3 -DKERNEL_SIZE=1 -DGROUP_TILES=8 -DDEPTH=8"
    # In half precision: maps as 16 bits, and the filters of the direct engine.
    for file in content gram gram_tiles halo input padding pooling region samples similarity wasserstein winograd_input; do
        echo "$file.cl -DHALF_MAPS=1"
    done
    for epilogue in $epilogues; do
        echo "winograd_output.cl -DEPILOGUE=$epilogue -DHALF_MAPS=1"
        echo "convolution_direct_gpu.cl -DEPILOGUE=$epilogue -DKERNEL_SIZE=3 -DGROUP_TILES=8 -DDEPTH=8 -DHALF_MAPS=1 -DHALF_WEIGHTS=1"
    done
    echo "convolution_direct_gpu.cl -DEPILOGUE=1 -DKERNEL_SIZE=3 -DGROUP_TILES=8 -DDEPTH=4 -DHALF_MAPS=1 -DHALF_WEIGHTS=1"
    echo "convolution_direct_gpu.cl -DEPILOGUE=3 -DKERNEL_SIZE=1 -DGROUP_TILES=8 -DDEPTH=8 -DHALF_MAPS=1"
    echo "convolution_plain.cl -DEPILOGUE=1 -DHALF_MAPS=1 -DHALF_WEIGHTS=1"
}

# What is built on matrix units (network/convolution_units.c): unit, file, options.
unit_programs() { # vendor
    local unit epilogue narrow epilogues="1 2 3" convolution="-DWAVES_DOWN=2 -DHALF_MAPS=1"
    [ $quick = yes ] && epilogues=1
    for unit in $(units_of "$1"); do
        case $unit in
        nvidia-bf16) narrow="-DFRAGMENTS_DOWN=4 -DFRAGMENTS_ACROSS=4 -DWAVES_ACROSS=2" wide="${narrow/ACROSS=4/ACROSS=8}" ;;
        mfma-bf16) narrow="-DFRAGMENTS_DOWN=4 -DFRAGMENTS_ACROSS=2 -DWAVES_ACROSS=2" wide="${narrow/ACROSS=2/ACROSS=4}" ;;
        wmma-*) narrow="-DFRAGMENTS_DOWN=4 -DFRAGMENTS_ACROSS=1 -DWAVES_ACROSS=2" wide="${narrow/ACROSS=1/ACROSS=2}" ;;
        xmx-*) narrow= wide="-DFRAGMENTS_DOWN=4 -DFRAGMENTS_ACROSS=1 -DWAVES_ACROSS=8" ;;
        *) # floats
            echo "$unit matrix_unit_check.cl"
            echo "$unit product_units.cl -DGROUP_TILES=128 -DDEPTH=8"
            echo "$unit product_units.cl -DGROUP_TILES=64 -DDEPTH=8"
            continue
            ;;
        esac
        echo "$unit matrix_unit_check.cl"
        [[ $unit = xmx-* ]] || echo "$unit gram_units.cl -DHALF_MAPS=1" # not taken there (network/product_tiles.c)
        for epilogue in $epilogues; do
            echo "$unit convolution_units.cl -DEPILOGUE=$epilogue -DKERNEL_SIZE=3 -DDEPTH=16 $convolution $wide"
        done
        [ -z "$narrow" ] || echo "$unit convolution_units.cl -DEPILOGUE=1 -DKERNEL_SIZE=3 -DDEPTH=16 $convolution $narrow"
        [ $unit != nvidia-bf16 ] || wide=$narrow
        echo "$unit convolution_units.cl -DEPILOGUE=3 -DKERNEL_SIZE=1 -DDEPTH=32 $convolution $wide"
    done
}

units_of() { # vendor
    case $1 in
    nvidia) echo nvidia-bf16 nvidia-tf32 ;;
    amd) echo mfma-bf16 mfma-f32 wmma-gfx11 wmma-gfx12 ;;
    intel) echo xmx-8 xmx-16 ;;
    esac
}

# The sizes in src/device/matrix_unit.c, as the program gives them to the compiler.
unit_macros() { # unit
    awk -v name="$1" '$0 ~ "\"" name "\"" {
        n = split(substr($0, index($0, "\"" name "\"")), part, /[{},]+ */)
        printf "-DMATRIX_UNIT=%d -DUNIT_LANES=%d -DUNIT_ROWS=%d -DUNIT_COLUMNS=%d -DUNIT_DEPTH=%d -DUNIT_SPLITS=%d", part[2], part[3], part[4], part[5], part[6], part[9] == "true"
        exit
    }' "$root/src/device/matrix_unit.c"
}

# The targets that have it.
unit_targets() { # unit
    case $1 in
    nvidia-*) echo sm_80 sm_86 sm_90 sm_120 ;;
    mfma-*) echo gfx90a gfx942 ;;
    wmma-gfx11) echo gfx1100 ;;
    wmma-gfx12) echo gfx1201 ;;
    xmx-8) echo dg2 ;;
    xmx-16) echo pvc ;;
    esac
}

# Files of the engines for CPUs, and the one that is several of the others together.
not_for_gpus="convolution_direct_cpu.cl convolution_pointwise.cl convolution_winograd_cpu.cl gram_packed.cl matrix_product.cl job.cl"

fail() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

# Size of a kernel's work-group in the program, by its name and options.
work_group() {
    case "$1 $2" in
    convolution_units* | product_units* | gram_units* | matrix_unit_check*) group_of_units "$1" "$2" ;;
    winograd_product*GROUP_TILES=64*) echo 64 ;;
    convolution_direct* | winograd_product*) echo 128 ;;
    convolution_narrow* | "gram_tiles "*) echo 64 ;;
    *) echo 256 ;;
    esac
}

# So many lanes, times the waves.
group_of_units() {
    awk -v kernel="$1" -v options="$2" 'function value(name,    at) {
            at = index(options, name "=")
            return substr(options, at + length(name) + 1) + 0
        }
        BEGIN { print value("UNIT_LANES") * (kernel == "matrix_unit_check" ? 1 : kernel == "product_units" || kernel == "gram_units" ? 4 : value("WAVES_DOWN") * value("WAVES_ACROSS")) }'
}

# Fails unless a kernel for matrix units has their instructions in its loop; what share_of said of it.
label() { # unit options
    [ "$1" = none ] && echo "$2" || echo "$1 $2"
}

expect_units() { # target kernel options
    case "$2" in
    convolution_units | product_units | gram_units)
        [ "$(share_of "$2")" != - ] || fail "$2 has no matrix instructions in its loop on $1 ($3)"
        ;;
    esac
}

# row target kernel options registers scratch_bytes local_bytes at_once multiply_adds
row() {
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$@" >>"$folder/rows"
    case $5 in
    0 | unknown) ;;
    *) fail "$2 uses $5 bytes of scratch memory on $1 ($3)" ;;
    esac
    [ "$6" -le $local_limit ] || fail "$2 uses $6 bytes of local memory on $1 ($3); the limit is $local_limit"
}

# multiply_adds FILE LABEL INSTRUCTION MULTIPLY_ADD (regular expressions): for each kernel of an assembly listing, its share, in percent,
# of the block between labels that has most of them; blocks with fewer than 16 are no hot loop.
multiply_adds() {
    awk -v label="$2" -v instruction="$3" -v multiply_add="$4" -v least="${5:-16}" '
        function end_block() {
            if (fma >= least && fma > most) { most = fma; share = int(100 * fma / all + 0.5) "%" }
            fma = all = 0
        }
        function end_kernel() { end_block(); if (kernel != "") print kernel, share; most = 0; share = "-" }
        BEGIN { share = "-" }
        /Begin function/ { end_kernel(); kernel = $NF }
        /^\.text\.[a-z_]*:/ { end_kernel(); kernel = $1; gsub(/^\.text\.|:.*/, "", kernel) }
        /\.entry / { end_kernel(); kernel = $0; sub(/.*\.entry /, "", kernel); sub(/\(.*/, "", kernel) }
        $0 ~ label { end_block() }
        $0 ~ instruction { ++all; if ($0 ~ multiply_add) ++fma }
        END { end_kernel() }' "$1" >"$folder/multiply_adds"
}

share_of() { # kernel
    awk -v kernel="$1" '$1 == kernel { share = $2 } END { print share == "" ? "-" : share }' "$folder/multiply_adds"
}

# Threads of a multiprocessor that run at once, by its limits on threads, registers and shared memory.
nvidia_occupancy() { # arch registers local_bytes group
    awk -v arch="$1" -v registers="$2" -v local_bytes="$3" -v group="$4" 'BEGIN {
        threads = arch == "sm_75" ? 1024 : arch == "sm_90" ? 2048 : 1536
        memory = (arch == "sm_75" ? 64 : arch == "sm_90" ? 228 : 100) * 1024
        groups = int(threads / group)
        by_registers = int(65536 / (int((registers + 7) / 8) * 8 * group))
        by_memory = int(memory / (local_bytes + 1024))
        groups = by_registers < groups ? by_registers : groups
        groups = by_memory < groups ? by_memory : groups
        printf "%d of %d threads", groups * group, threads
    }'
}

# Of each of these: unit ("none": a kernel without), file, options; all targets.

nvidia() {
    local unit=$1 file=$2 name=${2%.cl} arch cpu=sm_75 ptx=+ptx64 targets="sm_75 sm_86 sm_90 sm_120" sizes=
    shift 2
    if [ $unit != none ]; then
        # Clang has NVIDIA's keyword in the dialects of GNU only.
        cpu=sm_80 ptx=+ptx74 targets=$(unit_targets $unit) sizes="$(unit_macros $unit) -Dasm=__asm__"
    fi
    if ! "$clang" $common $sizes "$@" -target nvptx64--nvidiacl -Xclang -target-cpu -Xclang $cpu -Xclang -target-feature \
        -Xclang $ptx -Xclang -mlink-builtin-bitcode -Xclang /usr/lib/clc/nvptx64--nvidiacl.bc -S "$cl/$file" \
        -o "$folder/$name.ptx"; then
        fail "$file $* for NVIDIA"
        return
    fi
    multiply_adds "$folder/$name.ptx" '^[$]L__BB' '^\t.*;$' '^\t(fma|mma)' "$([ $unit = none ] && echo 16 || echo 8)"
    for arch in $targets; do
        if ! "$ptxas" -arch=$arch -v "$folder/$name.ptx" -o "$folder/cubin" 2>"$folder/log"; then
            cat "$folder/log" >&2
            fail "$file $* for $arch"
            continue
        fi
        if [ $unit != none ] && [ -x "$nvdisasm" ] && "$nvdisasm" -c "$folder/cubin" >"$folder/$name.sass"; then
            multiply_adds "$folder/$name.sass" '^\.L_x_' '^ *\/\*[0-9a-f]+\*\/  ' ' HMMA' 8
        fi
        while read -r kernel registers spill local_bytes; do
            row $arch "$kernel" "$(label $unit "$*")" "$registers" "$spill" "$local_bytes" \
                "$(nvidia_occupancy $arch "$registers" "$local_bytes" "$(work_group "$kernel" "$sizes $*")")" "$(share_of "$kernel")"
            expect_units $arch "$kernel" "$*"
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
    local unit=$1 file=$2 name=${2%.cl} arch compiler=$clang targets="gfx906 gfx90a gfx1030 gfx1100" sizes=
    shift 2
    if [ $unit != none ]; then
        command -v "$unit_clang" >/dev/null || return 0 # said once, below
        compiler=$unit_clang targets=$(unit_targets $unit) sizes=$(unit_macros $unit)
    fi
    for arch in $targets; do
        if ! "$compiler" $common $sizes "$@" -target amdgcn--amdhsa -mcpu=$arch -nogpulib -Xclang -mlink-builtin-bitcode \
            -Xclang /usr/lib/clc/amdgcn--amdhsa.bc -S "$cl/$file" -o "$folder/$name.s"; then
            fail "$file $* for $arch"
            continue
        fi
        [ "$(grep -c "^ *\.reqd_workgroup_size:" "$folder/$name.s")" = "$(grep -c "\.amdhsa_kernel " "$folder/$name.s")" ] ||
            fail "$file $*: a kernel does not require the size of work-group that it is launched with"
        multiply_adds "$folder/$name.s" '^\.LBB' '^\t[a-z]' '^\tv_(fma|fmac|mac|mad|pk_fma|dual_fmac|wmma|mfma)_' \
            "$([ $unit = none ] && echo 16 || echo 8)"
        while read -r kernel registers spill local_bytes waves; do
            row $arch "$kernel" "$(label $unit "$*")" "$registers" "$spill" "$local_bytes" "$waves waves" "$(share_of "$kernel")"
            expect_units $arch "$kernel" "$*"
        done < <(awk '/Begin function/ { kernel = $NF }
            /^; NumVgprs:/ { registers = $3 }
            /^; ScratchSize:/ { spill = $3 }
            /^; LDSByteSize:/ { local_bytes = $3 }
            /^; Occupancy:/ { print kernel, registers, spill, local_bytes, $3 }' "$folder/$name.s")
    done
}

# What ocloc's listing calls patch tokens: 15 local memory, 18 scratch memory of a thread, 23 lanes (fourth number). Of dg2, the listing
# does not tell the scratch memory. A thread has 128 registers of 32 bytes (pvc: 64) for all its lanes; how many run at
# once does not depend on the kernel. The machine code can be read where ocloc finds libiga64.so; Debian's package has it
# under the name libiga64.so.1 only.
intel() {
    local unit=$1 file=$2 name=${2%.cl} device targets="skl tgllp dg2 pvc" sizes= # skl: of gen9, whose name means many
    shift 2
    if [ $unit != none ]; then
        targets=$(unit_targets $unit) sizes=$(unit_macros $unit)
    fi
    [[ "$file $*" != convolution_direct_gpu*-DDEPTH=4* ]] || return # not taken there (network/convolution_direct_gpu.c)
    for device in $targets; do
        rm -rf "$folder/intel" "$folder/dump"
        local lanes=8
        [ $device = pvc ] && lanes=16
        if ! "$ocloc" compile -q -file "$cl/$file" -device $device -out_dir "$folder/intel" \
            -options "-cl-std=CL1.2 -cl-mad-enable -w -I $cl $macros -DSUB_GROUP=$lanes $sizes $*" >"$folder/log" 2>&1; then
            cat "$folder/log" >&2
            fail "$file $* for $device"
            continue
        fi
        local binary
        binary=$(ls "$folder"/intel/*.bin | head -n 1)
        if ! "$ocloc" disasm -file "$binary" -dump "$folder/dump" -device $device >"$folder/log" 2>&1 ||
            [ ! -f "$folder/dump/PTM.txt" ]; then
            cat "$folder/log" >&2
            fail "$file $* for $device: the listing"
            continue
        fi
        while read -r kernel lanes spill local_bytes; do
            [ $device = dg2 ] && spill=unknown
            : >"$folder/multiply_adds"
            local listing="$folder/dump/${kernel}_KernelHeap.asm"
            if [ $unit != none ] && [ -f "$listing" ]; then
                { echo ".text.$kernel:" && cat "$listing"; } >"$folder/$name.asm"
                multiply_adds "$folder/$name.asm" '^L[0-9]+:' '^(\(W\)|\()? +[a-z]' ' dpas' 4
                expect_units $device "$kernel" "$*"
            fi
            row $device "$kernel" "$(label $unit "$*")" "$lanes lanes" "$spill" "$local_bytes" - "$(share_of "$kernel")"
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

is_here() { # vendor
    case $1 in
    nvidia) command -v "$clang" && command -v "$ptxas" && [ -f /usr/lib/clc/nvptx64--nvidiacl.bc ] ;;
    amd) command -v "$clang" && [ -f /usr/lib/clc/amdgcn--amdhsa.bc ] ;;
    intel) command -v "$ocloc" ;;
    esac >/dev/null 2>&1
}

# The rows as a table of docs/gpu-kernels.md, between the lines that begin with its markers. Epilogues other than ReLU are left out.
write_section() {
    {
        sed -n '1,/^<!-- begin of the table/p' "$docs"
        echo
        echo "| target | kernel | options | registers | local memory, bytes | at once | multiply-adds |"
        echo "|---|---|---|---|---|---|---|"
        awk -F '\t' '$3 !~ /EPILOGUE=[023]/ || $3 ~ /KERNEL_SIZE=1/ {
            gsub(/-D/, "", $3)
            printf "| %s | %s | %s | %s%s | %s | %s | %s |\n", $1, $2, $3, $4, $5 == "unknown" ? ", scratch unknown" : "", $6, $7, $8
        }' "$folder/rows"
        echo
        sed -n '/^<!-- end of the table/,$p' "$docs"
    } >"$folder/docs" && cp "$folder/docs" "$docs"
}

for path in "$cl"/*.cl; do
    file=$(basename "$path")
    case " $not_for_gpus " in
    *" $file "*) ;;
    *) { programs && for vendor in nvidia amd intel; do unit_programs $vendor | cut -d ' ' -f 2-; done; } | grep -q "^$file\b" || fail "$file is not in the list of programs in $0" ;;
    esac
done
: >"$folder/rows"
done_any=no
for vendor in $vendors; do
    if ! is_here "$vendor"; then
        echo "skipped: $vendor, whose compiler is not here (see the head of $0)"
        continue
    fi
    done_any=yes
    if [ $vendor = amd ] && ! command -v "$unit_clang" >/dev/null; then
        echo "skipped: AMD's matrix units, for which $unit_clang is not here"
    fi
    [ $vendor != nvidia ] || [ -x "$nvdisasm" ] || echo "without nvdisasm: NVIDIA's matrix instructions are counted in PTX"
    while read -r unit file options; do
        $vendor "$unit" "$file" $options
    done < <(programs | sed 's/^/none /' && unit_programs $vendor)
done
awk -F '\t' 'BEGIN { format = "%-8s %-22s %-56s %9s %8s %6s  %-22s %s\n"
        printf format, "target", "kernel", "options", "registers", "scratch", "local", "at once", "multiply-adds" }
    { printf format, $1, $2, $3, $4, $5, $6, $7, $8 }' "$folder/rows"
[ $write_docs = no ] || write_section
[ $failures -eq 0 ] || echo "$failures failures" >&2
[ $failures -eq 0 ] || exit 1
[ $done_any = yes ] || exit 77
