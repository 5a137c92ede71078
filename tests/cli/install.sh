#!/bin/sh
# install.sh BUILD SOURCE CC CMAKE: installs into a folder below the build and checks what is there: program, header,
# libraries, what the shared one exports, the default network, and a client compiled by what pkg-config says, with either
# library.
set -eu
build=$1 source=$2 cc=$3 cmake=$4
client=$source/tests/cli/client.c
root="$build/install-test"
rm -rf "$root"
mkdir -p "$root"
DESTDIR="$root" "$cmake" --install "$build" >"$root/install.log"

pc=$(find "$root" -name nst.pc)
lib=$(dirname "$(dirname "$pc")")
program=$(find "$root" -type f -path '*/bin/nst')
"$program" --version

# The default network is there, and whole.
network=$(find "$root" -path '*/share/nst/weights/vgg19-reduced.safetensors')
[ -n "$network" ] && cmp "$network" "$source/weights/vgg19-reduced.safetensors" || {
    echo "the default network is not installed as it is in the source tree"
    exit 1
}

# PKG_CONFIG_SYSROOT_DIR puts the folder in front of the paths.
PKG_CONFIG_PATH="$(dirname "$pc")"
PKG_CONFIG_SYSROOT_DIR="$root"
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR

# Words are to be split: they are options of the compiler.
# shellcheck disable=SC2046
"$cc" -std=c11 -Wall -Werror "$client" -o "$root/client" $(pkg-config --cflags --libs nst)
LD_LIBRARY_PATH="$lib" "$root/client"
# shellcheck disable=SC2046
"$cc" -std=c11 -Wall -Werror $(pkg-config --cflags nst) "$client" -o "$root/client-static" "$lib/libnst.a" \
    $(pkg-config --static --libs nst | sed 's/-lnst //')
"$root/client-static"

# The shared library exports what nst.h declares and nothing else.
if command -v nm >/dev/null 2>&1 && [ -f "$lib/libnst.so" ]; then
    others=$(nm -D --defined-only "$lib/libnst.so" | awk '{print $3}' | grep -v '^nst_' || true)
    [ -z "$others" ] || {
        echo "exported besides nst_*: $others"
        exit 1
    }
    nm -D --defined-only "$lib/libnst.so" | grep -q ' nst_job_run$'
fi
echo "installed and used"
