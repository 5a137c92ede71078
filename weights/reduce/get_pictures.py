#!/usr/bin/env python3
"""get_pictures.py FOLDER: gathers photographs, paintings and drawings for reduce.py from Debian's packages.

Needs apt-get (Debian, Ubuntu) and Python with Pillow; downloads 270 MB of packages, installs nothing. Every picture goes to
FOLDER/photographs or FOLDER/styles, as PNG of at most 1024 pixels wide or high. The pictures are for making the network only, and are not part of it; each
has the license of its package. Left out are paintings and places that the evaluation in tests/quality uses.
"""

import io
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import zlib

from PIL import Image

PACKAGES = ["gcompris-qt-data", "gnome-backgrounds", "lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04", "mate-backgrounds",
            "plasma-workspace-wallpapers", "ukui-wallpapers", "xfdesktop4-data"]
HELD_BACK = re.compile(r"wave|starry|taj|golden_?gate|scream|tubingen|wheat|shipwreck|udnie|night_?cafe|gogh4", re.IGNORECASE)
PAINTED = re.compile(r"paintings/|gogh|gauguin|bruegel|bosschaert|unicorn|auvers|tanguy|abstract|wallpapers/", re.IGNORECASE)
MOST_PX, LEAST_PX = 1024, 180


def resource_files(data):
    """The files in a Qt resource file (.rcc): pairs of name and bytes."""
    version, tree, bodies, names = struct.unpack(">4I", data[4:20])
    step = 14 if version < 2 else 22

    def walk(node, prefix):
        start = tree + node * step
        name_offset, flags = struct.unpack(">IH", data[start:start + 6])
        length = struct.unpack(">H", data[names + name_offset:names + name_offset + 2])[0]
        first = names + name_offset + 6
        name = prefix + data[first:first + 2 * length].decode("utf-16-be")
        if flags & 2:
            count, child = struct.unpack(">2I", data[start + 6:start + 14])
            for i in range(count):
                yield from walk(child + i, name + "/")
            return
        body = bodies + struct.unpack(">I", data[start + 10:start + 14])[0]
        content = data[body + 4:body + 4 + struct.unpack(">I", data[body:body + 4])[0]]
        yield name, zlib.decompress(content[4:]) if flags & 1 else content

    yield from walk(0, "")


def candidates(folder):
    """Every file below the folder that may be a picture: pairs of name and bytes."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        if path.suffix == ".rcc":
            yield from resource_files(path.read_bytes())
        elif path.suffix in (".jpg", ".jpeg", ".png", ".webp"):
            yield str(path.relative_to(folder)), path.read_bytes()


def opened(name, content):
    """The picture in RGB and at its size for training, or None: too small, too plain, transparent, or no picture."""
    try:
        picture = Image.open(io.BytesIO(content))
        if min(picture.size) < LEAST_PX or HELD_BACK.search(name):
            return None
        if picture.mode in ("RGBA", "LA", "P") and picture.convert("RGBA").getextrema()[3][0] < 255:
            return None
        picture = picture.convert("RGB")
    except (OSError, ValueError):
        return None
    picture.thumbnail((MOST_PX, MOST_PX), Image.Resampling.LANCZOS)
    few_colors = picture.getcolors(maxcolors=4000)
    return None if few_colors is not None else picture


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("\n")[0])
    target = pathlib.Path(sys.argv[1])
    for kind in ("photographs", "styles"):
        (target / kind).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        unpacked = pathlib.Path(temporary, "unpacked")
        subprocess.run(["apt-get", "download", *PACKAGES], cwd=temporary, check=True)
        for package in sorted(pathlib.Path(temporary).glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(unpacked)], check=True)
        seen = set()
        for name, content in candidates(unpacked):
            picture = opened(name, content)
            small = picture and picture.resize((8, 8)).tobytes()  # the same picture at several sizes is taken once
            if picture is None or small in seen:
                continue
            seen.add(small)
            kind = "styles" if PAINTED.search(name) else "photographs"
            picture.save(target / kind / (re.sub(r"\W+", "_", "_".join(pathlib.PurePath(name).parts[-5:])) + ".png"))
    print(f"{len(seen)} pictures in {target}")


if __name__ == "__main__":
    main()
