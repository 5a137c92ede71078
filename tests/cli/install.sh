#!/bin/sh
# install.sh BUILD SOURCE CC CMAKE: installs into a folder below the build, moves that folder elsewhere, and checks what
# is there: program, header, libraries, what the shared one exports, the default network, and a client compiled by what
# pkg-config says, with either library. All find the network in the place that the installation was moved to.
set -eu
build=$1 source=$2 cc=$3 cmake=$4
client=$source/tests/cli/client.c
root="$build/install-test"

die() {
    echo "$*" >&2
    exit 1
}

# expect_network FILE COMMAND...: what the command prints says that the network is that file.
expect_network() {
    expected=$1
    shift
    found=$("$@") || die "failed: $*"
    echo "$found" | grep -qF "$expected" || die "$* does not find $expected, but: $found"
}

rm -rf "$root"
mkdir -p "$root/home" "$root/away/from"
"$cmake" --install "$build" --prefix "$root/first" >"$root/install.log"
mv "$root/first" "$root/away/from/there"
root=$(realpath "$root")
prefix="$root/away/from/there"

# Neither networks of the user nor libraries of another installation.
HOME="$root/home"
export HOME
unset XDG_DATA_HOME LD_LIBRARY_PATH

pc=$(find "$prefix" -name nst.pc)
lib=$(dirname "$(dirname "$pc")")
program=$(find "$prefix" -type f -path '*/bin/nst')
"$program" --version

# The default network is there, and whole.
network=$(find "$prefix" -path '*/share/nst/weights/vgg19-reduced.safetensors')
[ -n "$network" ] && cmp "$network" "$source/weights/vgg19-reduced.safetensors" ||
    die "the default network is not installed as it is in the source tree"

# The program finds it by whatever way it is called: by its path, through PATH, through a link.
ln -s "$program" "$root/linked"
expect_network "$network" "$program" weights info vgg19-reduced
expect_network "$network" env PATH="$(dirname "$program"):$PATH" nst weights info vgg19-reduced
expect_network "$network" "$root/linked" weights info vgg19-reduced

# It is one folder, though found by two ways: as that of the code and as that of the program.
[ "$("$program" weights list | grep -cF "  $(dirname "$network")  (installed)")" = 1 ] ||
    die "the folder of the networks is not listed once"

# Nothing but the place of nst.pc says where header and libraries are.
grep -q "$root" "$pc" && die "nst.pc names the folder that it was installed into"
PKG_CONFIG_PATH="$(dirname "$pc")"
export PKG_CONFIG_PATH

# A client outside of the installation, with the shared library. Words are to be split: they are options.
# shellcheck disable=SC2046
"$cc" -std=c11 -Wall -Werror "$client" -o "$root/client" $(pkg-config --cflags --libs nst)
LD_LIBRARY_PATH="$lib" "$root/client"
expect_network "$network" env LD_LIBRARY_PATH="$lib" "$root/client" network
(cd "$lib" && expect_network "$network" env LD_LIBRARY_PATH=. "$root/client" network)

# A client beside the program, with the static one.
# shellcheck disable=SC2046
"$cc" -std=c11 -Wall -Werror $(pkg-config --cflags nst) "$client" -o "$(dirname "$program")/client" "$lib/libnst.a" \
    $(pkg-config --static --libs nst | sed 's/-lnst //')
"$(dirname "$program")/client"
expect_network "$network" "$(dirname "$program")/client" network

# The shared library exports what nst.h declares and nothing else.
if command -v nm >/dev/null 2>&1 && [ -f "$lib/libnst.so" ]; then
    others=$(nm -D --defined-only "$lib/libnst.so" | awk '{print $3}' | grep -v '^nst_' || true)
    [ -z "$others" ] || die "exported besides nst_*: $others"
    nm -D --defined-only "$lib/libnst.so" | grep -q ' nst_job_run$'
fi
echo "installed and used"
