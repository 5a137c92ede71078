#!/bin/sh
# time_iteration.sh REPORT [OPTION...]: nst's time per iteration beside that of the newest PyTorch.
#
# Installs PyTorch into a virtual environment outside the checkout, and runs time_iteration.py with REPORT and the options
# (time_iteration.py --help tells them). From the environment:
#
#   NST_PEER_ENVIRONMENT   folder of the virtual environment [$XDG_CACHE_HOME/nst/peers, else ~/.cache/nst/peers]
#   NST_PEER_UPDATE=no     use what is installed there already
#   NST_DEVICE, OCL_ICD_VENDORS, ...   choose the OpenCL device
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
environment=${NST_PEER_ENVIRONMENT:-${XDG_CACHE_HOME:-$HOME/.cache}/nst/peers}

die() {
    echo "time_iteration.sh: error: $*" >&2
    exit 1
}

[ $# -ge 1 ] || die "usage: time_iteration.sh REPORT [OPTION...]"
command -v python3 >/dev/null 2>&1 || die "python3 is missing"
mkdir -p "$environment"
environment=$(cd "$environment" && pwd)
case $environment/ in
"$root"/*) die "$environment lies in the checkout: set NST_PEER_ENVIRONMENT to a folder elsewhere" ;;
esac

if [ ! -x "$environment/bin/python" ]; then
    python3 -m venv "$environment" || die "no virtual environment could be made (Debian, Ubuntu: apt install python3-venv)"
fi
if [ "${NST_PEER_UPDATE:-yes}" != no ]; then
    "$environment/bin/python" -m pip install --quiet --upgrade torch numpy pillow ||
        die "PyTorch could not be installed; with NST_PEER_UPDATE=no an older one is used as it is"
fi
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
exec "$environment/bin/python" "$here/time_iteration.py" "$@"
