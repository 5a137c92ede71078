# .setup.sh: what demo.sh, test.sh and .ci/run share: installing what is missing, configuring, building.
# It is read by them (". ./.setup.sh") in the folder of the source tree. POSIX sh.

# Says what comes next, before it takes time.
say() {
    printf '\n==> %s\n' "$*"
}

# Says what is wrong, and stops.
stop() {
    printf '\nstopped: %s\n' "$*" >&2
    exit 1
}

build_packages="gcc libc6-dev make cmake pkg-config ocl-icd-opencl-dev opencl-c-headers libclblast-dev libpng-dev \
libjpeg-dev liblcms2-dev zlib1g-dev libjansson-dev libzip-dev nettle-dev"

# For systems without apt: what there is to install, by the names there.
print_packages() {
    cat <<'END'
These must be installed first:
  Fedora  sudo dnf install gcc make cmake pkgconf ocl-icd-devel opencl-headers clblast-devel libpng-devel \
              libjpeg-turbo-devel lcms2-devel jansson-devel libzip-devel nettle-devel libcmocka-devel pocl
          for more picture formats: libtiff-devel libwebp-devel libheif-devel libjxl-devel
  Arch    sudo pacman -S --needed gcc make cmake pkgconf ocl-icd opencl-headers clblast libpng libjpeg-turbo lcms2 \
              jansson libzip nettle cmocka pocl
          for more picture formats: libtiff libwebp libheif libjxl
  macOS   brew install cmake pkg-config opencl-headers opencl-icd-loader clblast libpng jpeg-turbo little-cms2 \
              jansson libzip nettle cmocka pocl
          for more picture formats: libtiff webp libheif jpeg-xl
END
}

# Installs those of the named Debian packages that are missing. When none is, it needs neither rights nor network.
need_packages() {
    missing=""
    for package in "$@"; do
        case "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" in
        *"ok installed") ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || stop "please install as root:$missing"
        as_root="sudo"
    fi
    say "Installing with apt-get:$missing"
    $as_root apt-get update -q || stop "apt-get update failed; is there a network?"
    # Word splitting is wanted: one argument per package.
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing ||
        stop "apt-get could not install:$missing"
}

# On Debian and Ubuntu installs what is missing; elsewhere says what to install and stops, unless it is all there.
need_system_packages() {
    if command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1; then
        # shellcheck disable=SC2086
        need_packages $build_packages "$@"
        return
    fi
    if ! command -v cmake >/dev/null 2>&1 || ! command -v pkg-config >/dev/null 2>&1 ||
        ! pkg-config --exists libpng libjpeg lcms2 jansson libzip nettle; then
        print_packages
        stop "packages are missing, and only on Debian and Ubuntu are they installed by this script"
    fi
}

# Installs packages without which nst does less: on Debian and Ubuntu only, and without them it goes on.
offer_packages() {
    if command -v apt-get >/dev/null 2>&1; then
        (need_packages "$@") || say "Going on without $*"
    fi
}

processors() {
    getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2
}

# build FOLDER [CMAKE OPTION...]: configures and builds.
build() {
    folder=$1
    shift
    say "Configuring in $folder"
    # CMake's own lines matter only when it fails.
    mkdir -p "$folder"
    if ! cmake -S . -B "$folder" "$@" >"$folder/configure.log" 2>&1; then
        cat "$folder/configure.log"
        command -v apt-get >/dev/null 2>&1 || print_packages
        stop "CMake could not configure; its lines are above"
    fi
    say "Building in $folder (a minute or less)"
    cmake --build "$folder" --parallel "$(processors)" || stop "the build failed"
}

# need_device PROGRAM: makes sure that there is an OpenCL device, installing PoCL, which runs OpenCL on the processor.
need_device() {
    "$1" devices >/dev/null 2>&1 && return 0
    if command -v apt-get >/dev/null 2>&1; then
        say "There is no OpenCL device that can be used; adding PoCL, which runs OpenCL on the processor"
        need_packages pocl-opencl-icd
    fi
    "$1" devices || stop "there is no OpenCL device that can be used"
}
