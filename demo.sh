#!/bin/sh
# demo.sh: from a fresh clone to a painting: installs what is missing, builds, stylizes the samples with the network in
# weights/. Run again, it installs and downloads nothing.
set -eu
cd "$(dirname "$0")"
. ./.setup.sh
started=$(date +%s)

need_system_packages
offer_packages libtiff-dev libwebp-dev
build build -DNST_TESTS=OFF
need_device build/nst

say "The device and the network"
build/nst devices
build/nst weights list
say "Painting docs/samples/landscape.png in the style of docs/samples/painting.png (some minutes on a processor)"
build/nst docs/samples/landscape.png docs/samples/painting.png --size 512 -o nst-demo.png

say "Done in $(($(date +%s) - started)) seconds; the picture is $(pwd)/nst-demo.png"
