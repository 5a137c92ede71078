#!/bin/sh
# same_pixels.sh REVISION: do the present sources paint the same pixels as REVISION's?
#
# For changes that must not change results. Builds REVISION outside the checkout (once; it stays there) and the present
# tree in build-pixels, runs a table of small jobs with both programs, and compares the pictures at 16 bits: the text
# chunks, in which a picture says how it was made, may differ. Takes about a minute when kernels are compiled. Revisions
# in which transparent parts still counted give other pixels in the jobs that have any: alpha-average, styles-random and
# neural-style-adam.
#
# Exit status: 0 all pixels are the same; 1 some differ, or a job failed with one program only; 2 nothing was compared.
#
# Needs git, python3 (its standard library only), and an OpenCL device. From the environment:
#
#   NST_DEVICE, OCL_ICD_VENDORS, ...   choose the OpenCL device
#   NST_PIXELS                         where REVISION is built [$XDG_CACHE_HOME/nst/pixels, else ~/.cache/nst/pixels]
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 2
folder=${NST_PIXELS:-${XDG_CACHE_HOME:-$HOME/.cache}/nst/pixels}

die() {
    echo "same_pixels.sh: error: $*" >&2
    exit 2
}

[ $# -eq 1 ] || die "usage: same_pixels.sh REVISION"
for tool in git python3 cmake; do
    command -v "$tool" >/dev/null 2>&1 || die "$tool is missing"
done
revision=$(git rev-parse --verify --quiet "$1^{commit}") || die "there is no revision '$1'"

# ---- The two programs ------------------------------------------------------------------------------------------------

# build SOURCES BUILD
build() {
    mkdir -p "$2" || die "cannot write to $2"
    if ! cmake -S "$1" -B "$2" -DCMAKE_BUILD_TYPE=Release -DNST_TESTS=OFF >"$2/build.log" 2>&1 ||
        ! cmake --build "$2" --target nst --parallel "$(getconf _NPROCESSORS_ONLN)" >>"$2/build.log" 2>&1; then
        tail -n 30 "$2/build.log" >&2
        die "$1 could not be built"
    fi
}

before_sources=$folder/$revision
if [ ! -d "$before_sources" ]; then
    mkdir -p "$folder" || die "cannot write to $folder"
    unpacked=$(mktemp -d "$folder/unpacked.XXXXXX") || die "cannot write to $folder"
    git archive --output "$unpacked/archive.tar" "$revision" || die "git cannot unpack $revision"
    mkdir "$unpacked/sources"
    tar -xf "$unpacked/archive.tar" -C "$unpacked/sources" || die "$revision could not be unpacked"
    mv "$unpacked/sources" "$before_sources"
    rm -r "$unpacked"
fi
build "$before_sources" "$before_sources/build"
build "$root" build-pixels
before_program=$before_sources/build/nst now_program=$root/build-pixels/nst

# ---- Pictures --------------------------------------------------------------------------------------------------------

results=$(mktemp -d) || exit 2
remove_results() {
    rm -rf "$results"
}
trap remove_results EXIT
trap 'exit 2' INT TERM
photo=$root/docs/samples/landscape.png painting=$root/docs/samples/painting.png clear=$results/clear.png
python3 tests/pixels.py make "$clear" || die "no picture with alpha could be made"

# Since there are others, the recipe that was called default is called gram.
gram_of() { # program
    if "$1" "$photo" "$painting" -o "$results/unused.png" -q -n vgg19-reduced --preset gram --plan >/dev/null 2>&1; then
        echo gram
    else
        echo default
    fi
}

"$now_program" devices >/dev/null || die "there is no OpenCL device that can be used"
before_gram=$(gram_of "$before_program") now_gram=$(gram_of "$now_program")

# ---- Jobs ------------------------------------------------------------------------------------------------------------

# Kernels and verdicts are kept for each program, apart from the user's: tuning must not make a difference.
paint() { # before or now, recipe, arguments; reads job, body and block
    when=$1 recipe=$2
    shift 2
    case $when in
    before) program=$before_program gram=$before_gram cache=$before_sources/build/cache ;;
    now) program=$now_program gram=$now_gram cache=$root/build-pixels/cache ;;
    esac
    [ "$recipe" != gram ] || recipe=$gram
    NST_DEVICE_STYLE=$body NST_CHANNEL_BLOCK=$block NST_CACHE_DIR=$cache "$program" "$@" --preset "$recipe" \
        --network vgg19-reduced --depth 16 --quiet -o "$results/$job-$body-$when.png" 2>"$results/$job-$body-$when.log"
}

block="" count=0 different=0

# same JOB RECIPE BODIES ARGUMENT...: one job with each of BODIES, those for processors (cpu) and for GPUs (gpu).
same() {
    job=$1 recipe=$2 bodies=$3
    shift 3
    for body in $bodies; do
        before_status=0 now_status=0 about=$results/$job-$body
        paint before "$recipe" "$@" || before_status=$?
        paint now "$recipe" "$@" || now_status=$?
        case $before_status-$now_status in
        0-0) verdict=$(python3 tests/pixels.py compare "$about-before.png" "$about-now.png" 2>&1) ;;
        0-*) verdict="FAILED now: $(tail -n 1 "$about-now.log")" ;;
        *-0) verdict="FAILED before: $(tail -n 1 "$about-before.log")" ;;
        *) die "the job $job ($body) fails with both programs: $(tail -n 1 "$about-now.log")" ;;
        esac
        printf '%-20s %-4s  %s\n' "$job" "$body" "$verdict"
        count=$((count + 1))
        [ "$verdict" = same ] || different=$((different + 1))
    done
}

printf '%-20s %-4s  %s\n' job body pixels
same two-scales gram "cpu gpu" "$photo" "$painting" --size 64 --scales 2 -i 4,3
same adam-half gram "cpu gpu" "$photo" "$painting" --size 64 --scales 1 -i 4 --optimizer adam --precision half
same lbfgs-half gram "cpu gpu" "$photo" "$painting" --size 48 --scales 1 -i 5 --optimizer lbfgs --precision half
same alpha-average gram "cpu gpu" "$clear" "$painting" --size 48 --scales 1 -i 4 --pooling average --original-colors
same styles-random gram "cpu gpu" "$photo" "$painting" "$clear" --style-blend 3,1 --style-scale 0.7 --size 56 --scales 1 -i 4 \
    --init random --seed 7
same neural-style neural-style "cpu gpu" "$photo" "$painting" --size 64 --scales 2 -i 4,3
same neural-style-adam neural-style "cpu gpu" "$clear" "$painting" "$photo" --style-blend 1,2 --size 48 -i 4 --optimizer adam \
    --precision half --init content
same neural-style-auto neural-style "cpu gpu" "$photo" "$painting" --size 48 -i 6 --optimizer auto --pooling average
# Another number of channels innermost than is usual. GPUs have 1: CLBlast takes no other.
block=4
same block-4 gram cpu "$photo" "$painting" --size 48 --scales 1 -i 3
same block-4-half gram cpu "$photo" "$painting" --size 48 --scales 1 -i 3 --precision half

if [ $different -gt 0 ]; then
    trap - EXIT
    echo "same_pixels.sh: $different of $count jobs DIFFER from $1; the pictures are in $results" >&2
    exit 1
fi
echo "All $count jobs give the pixels of $1."
