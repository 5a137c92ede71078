#!/usr/bin/env python3
"""Compares nst's decoders with Pillow's over folders of pictures.

    compare_decoders.py PRINT_PICTURE FOLDER...

PRINT_PICTURE is the program of that name (cmake --build BUILD --target print_picture). Every PNG and JPEG file below the
folders, told by its first bytes, is decoded by both. Printed is a line for each file on which they differ, and a summary
to which README.md has the reasons. Needs Pillow and NumPy.

Pillow has its say about size, orientation and pixels: what is compared are red, green, blue and alpha in 0..255. Pillow
keeps 8 bits only of 16-bit color, and cuts off where nst rounds: a difference of one level is allowed there, and in CMYK,
whose conversion to RGB the two round differently.
"""
import collections
import os
import subprocess
import sys
import warnings

import numpy
from PIL import Image, ImageFile, ImageOps

SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff")
LEVEL = 1.001  # one of 255, with room for rounding


def find_pictures(folders):
    for folder in folders:
        for root, _, names in sorted(os.walk(folder)):
            for name in sorted(names):
                path = os.path.join(root, name)
                with open(path, "rb") as stream:
                    if stream.read(4).startswith(SIGNATURES):
                        yield path


def decode_with_nst(program, path):
    """Values in 0..255, [height][width][channels], and a note; or None and the error."""
    result = subprocess.run([program, path], capture_output=True, check=False)
    line, _, data = result.stdout.partition(b"\n")
    if result.returncode != 0 or not line:
        return None, f"ended with status {result.returncode}"
    width, height, channels, text = line.decode(errors="replace").split(" ", 3)
    if width == "0":
        return None, text
    values = numpy.frombuffer(data, numpy.float32).reshape(int(height), int(width), int(channels))
    return values.astype(numpy.float64) * 255, text


def to_color(image):
    """The values of a Pillow image as RGB or RGBA in 0..255, and the error that its format allows."""
    if image.mode.startswith("I"):  # 16 bits of gray
        gray = numpy.asarray(image, numpy.float64) / 257
        return numpy.repeat(gray[:, :, None], 3, 2), 0.01
    allowed = 0.01
    if image.mode == "CMYK":
        allowed = LEVEL
    has_alpha = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    return numpy.asarray(image.convert("RGBA" if has_alpha else "RGB"), numpy.float64), allowed


def decode_with_pillow(path):
    """Values, allowed error and no text; or None, 0 and the error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                image.load()
                turned = ImageOps.exif_transpose(image)
                turned.info.update({k: v for k, v in image.info.items() if k == "transparency"})
                values, allowed = to_color(turned)
    except Exception as error:  # whatever Pillow raises for a file is its refusal
        return None, 0, f"{type(error).__name__}: {error}"
    return values, allowed, ""


def depth_bits(path):
    with open(path, "rb") as stream:
        start = stream.read(26)
    return start[24] if start.startswith(b"\x89PNG") and len(start) > 24 else 8


def compare(program, path):
    """What differs, as a kind and details; or the kind of agreement."""
    ours, text = decode_with_nst(program, path)
    theirs, allowed, pillow_text = decode_with_pillow(path)
    if ours is None and theirs is None:
        return "both refuse", ""
    if ours is None:
        return "only nst refuses", text
    if theirs is None:
        return "only Pillow refuses", f"{pillow_text}; nst: {text or 'reads it without a note'}"
    if ours.shape[:2] != theirs.shape[:2]:
        return "sizes differ", f"{ours.shape[1]}x{ours.shape[0]}, Pillow {theirs.shape[1]}x{theirs.shape[0]}"
    if ours.shape[2] != theirs.shape[2]:
        return "channels differ", f"{ours.shape[2]}, Pillow {theirs.shape[2]}"
    if depth_bits(path) == 16:
        allowed = max(allowed, LEVEL)
    difference = numpy.abs(ours - theirs)
    if difference.max() > allowed:
        share = numpy.mean(difference.max(2) > allowed)
        return "pixels differ", f"by up to {difference.max():.2f} of 255, {100 * share:.1f} % of them; note: {text}"
    return ("same, with a note" if text else "same"), text


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    program, folders = sys.argv[1], sys.argv[2:]
    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    counts = collections.Counter()
    for path in find_pictures(folders):
        kind, details = compare(program, path)
        counts[kind] += 1
        if kind not in ("same", "both refuse"):
            print(f"{kind}: {path}: {' '.join(details.split())}", flush=True)
    print(f"\n{sum(counts.values())} files")
    for kind, count in counts.most_common():
        print(f"{count:6} {kind}")


if __name__ == "__main__":
    main()
