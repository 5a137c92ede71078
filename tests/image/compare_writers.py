#!/usr/bin/env python3
"""Checks nst's decoders with files that other programs write: Pillow and, where it is there, ImageMagick.

    compare_writers.py PRINT_PICTURE

PRINT_PICTURE is the program of that name (cmake --build BUILD --target print_picture). A noisy picture is written in every
kind that these programs have, and what nst reads is compared with what was written, or with Pillow's own decoder where
the kind loses something. Pictures with color profiles (Adobe RGB, Display P3, gray) are compared with the conversion of
Pillow's ImageCms, which works in 8 bits. A line for each kind; the exit status is 1 if one differs. Needs Pillow and NumPy.
"""
import io
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import numpy
from PIL import Image, ImageCms, ImageOps

LEVEL = 1 / 255 + 1e-6
EXACT = 1e-6


def make_profile(kind, columns, gamma):
    """An ICC profile of version 2: `columns` are the colorants for D50; none for gray."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, int(gamma * 256)) + bytes(2)
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)
    xyz = lambda v: b"XYZ " + bytes(4) + struct.pack(">3i", *(round(x * 65536) for x in v))
    tags = {b"desc": text, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": xyz((0.9642, 1, 0.8249))}
    if columns:
        tags.update({name + b"XYZ": xyz(c) for name, c in zip((b"r", b"g", b"b"), columns)})
        tags.update({name + b"TRC": curve for name in (b"r", b"g", b"b")})
    else:
        tags[b"kTRC"] = curve
    table, data, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += name + struct.pack(">2I", at + len(data), len(value))
        data += value
    header = struct.pack(">I4sI4s4s4s12x4s", at + len(data), b"none", 0x02400000, b"mntr", kind, b"XYZ ", b"acsp")
    header = header.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + data


ADOBE = make_profile(b"RGB ", ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)), 2.2)
P3 = make_profile(b"RGB ", ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407)), 2.2)
GRAY = make_profile(b"GRAY", None, 1.5)


def values(image):
    return numpy.asarray(image, numpy.float64) / 255


class Checker:
    def __init__(self, program, folder):
        self.program, self.folder, self.failed = program, folder, 0

    def path(self, name):
        return os.path.join(self.folder, name)

    def decode(self, name):
        """Values [height][width][channels], and a note; or None and the error."""
        result = subprocess.run([self.program, self.path(name)], capture_output=True, check=False)
        line, _, data = result.stdout.partition(b"\n")
        if not line:
            return None, f"ended with status {result.returncode}"
        width, height, channels, text = line.decode(errors="replace").split(" ", 3)
        if width == "0":
            return None, text
        return numpy.frombuffer(data, numpy.float32).reshape(int(height), int(width), int(channels)), text

    def check(self, what, name, expected, allowed=EXACT):
        found, text = self.decode(name)
        text = text.replace(self.folder + "/", "")
        if expected.ndim == 2:
            expected = numpy.repeat(expected[:, :, None], 3, 2)
        if found is None or found.shape != expected.shape:
            verdict = "REFUSED" if found is None else f"SHAPE {found.shape}, expected {expected.shape}"
            self.failed += 1
        else:
            difference = numpy.abs(found - expected).max()
            verdict = f"same within {difference:.2g}" if difference <= allowed else f"DIFFERS by {difference:.3f}"
            self.failed += difference > allowed
        print(f"{what:44} {verdict}  {text}".rstrip(), flush=True)


def check_pillow(checker, pixels):
    rgb, rgba, gray = Image.fromarray(pixels[:, :, :3]), Image.fromarray(pixels), Image.fromarray(pixels[:, :, 0])
    gray_alpha = Image.merge("LA", (gray, Image.fromarray(pixels[:, :, 1])))
    palette, bits = rgb.quantize(100), gray.convert("1")
    deep = Image.fromarray(pixels[:, :, 0].astype(numpy.uint16) * 257 + 3)
    real = Image.fromarray((pixels[:, :, 0] / 255).astype(numpy.float32))
    cmyk = Image.frombytes("CMYK", rgb.size, pixels.tobytes())
    naive = (1 - values(pixels)[:, :, :3]) * (1 - values(pixels)[:, :, 3:])
    twice = numpy.dstack([values(gray)] * 3 + [values(pixels)[:, :, 1]])

    def save(image, name, **options):
        image.save(checker.path(name), **options)
        return name

    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        checker.check(f"TIFF, RGB, {compression}", save(rgb, "a.tif", compression=compression), values(rgb))
    checker.check("TIFF, alpha", save(rgba, "a.tif"), values(rgba))
    checker.check("TIFF, gray with alpha", save(gray_alpha, "a.tif"), twice)
    checker.check("TIFF, CMYK", save(cmyk, "a.tif"), naive)
    checker.check("TIFF, palette", save(palette, "a.tif"), values(palette.convert("RGB")))
    checker.check("TIFF, one bit, group 4", save(bits, "a.tif", compression="group4"), values(bits.convert("L")))
    checker.check("TIFF, 16 bits", save(deep, "a.tif"), numpy.asarray(deep, numpy.float64) / 65535)
    checker.check("TIFF, floats", save(real, "a.tif"), numpy.asarray(real, numpy.float64))
    checker.check("TIFF, two pages", save(rgb, "a.tif", save_all=True, append_images=[gray]), values(rgb))
    for orientation in range(1, 9):
        save(rgb, "a.tif", tiffinfo={274: orientation})
        turned = values(ImageOps.exif_transpose(Image.open(checker.path("a.tif"))))
        checker.check(f"TIFF, orientation {orientation}", "a.tif", turned)
    checker.check("WebP, lossless, alpha", save(rgba, "a.webp", lossless=True, exact=True), values(rgba))
    save(rgba, "a.webp", quality=90)
    checker.check("WebP, lossy, alpha", "a.webp", values(Image.open(checker.path("a.webp"))), LEVEL)
    save(rgb, "a.webp", save_all=True, append_images=[rgb.rotate(180)], lossless=True)
    checker.check("WebP, animated", "a.webp", numpy.dstack([values(rgb), numpy.ones(pixels.shape[:2])]))
    for name, image in (("AVIF", rgb), ("AVIF, alpha", rgba)):
        save(image, "a.avif", quality=100, subsampling="4:4:4")
        checker.check(name, "a.avif", values(Image.open(checker.path("a.avif"))), 2 * LEVEL)

    srgb = ImageCms.createProfile("sRGB")
    for what, profile, image in (("Adobe RGB", ADOBE, rgb), ("Display P3", P3, rgb), ("gray, gamma 1.5", GRAY, gray)):
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        expected = values(ImageCms.profileToProfile(image, own, srgb, outputMode="RGB"))
        for name in ("a.png", "a.tif", "a.webp"):
            if image.mode == "RGB" or name != "a.webp":
                save(image, name, icc_profile=profile, **({"lossless": True} if name == "a.webp" else {}))
                checker.check(f"{what}, {name[2:]}, beside ImageCms", name, expected, 2 * LEVEL)
        save(image, "a.jpg", icc_profile=profile, quality=100, subsampling=0)
        decoded = ImageCms.profileToProfile(Image.open(checker.path("a.jpg")), own, srgb, outputMode="RGB")
        checker.check(f"{what}, jpg, beside ImageCms", "a.jpg", values(decoded), 2 * LEVEL)


def check_magick(checker, pixels):
    rgb, rgba = Image.fromarray(pixels[:, :, :3]), Image.fromarray(pixels)
    rgb.save(checker.path("rgb.png"))
    rgba.save(checker.path("rgba.png"))
    real = ["-define", "quantum:format=floating-point"]
    for what, source, options, target in (
        ("tiles", rgba, ["-define", "tiff:tile-geometry=16x16"], "a.tif"),
        ("planes", rgba, ["-interlace", "plane"], "a.tif"),
        ("16 bits, big-endian", rgb, ["-depth", "16", "-endian", "MSB"], "a.tif"),
        ("32 bits", rgb, ["-depth", "32"], "a.tif"),
        ("32-bit floats", rgb, ["-depth", "32", *real], "a.tif"),
        ("64-bit floats", rgb, ["-depth", "64", *real], "a.tif"),
        ("BigTIFF", rgb, [], "TIFF64:a.tif"),
        ("JPEG XL, lossless", rgb, ["-quality", "100"], "a.jxl"),
    ):
        name = "rgba.png" if source is rgba else "rgb.png"
        result = subprocess.run(["convert", name, *options, target], cwd=checker.folder, capture_output=True, check=False)
        if result.returncode == 0:
            checker.check(f"ImageMagick, {what}", target.split(":")[-1], values(source), 2e-5)
        else:
            print(f"ImageMagick, {what}: not written")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    pixels = numpy.clip(numpy.random.default_rng(1).normal(128, 60, (41, 67, 4)), 0, 255).astype(numpy.uint8)
    with tempfile.TemporaryDirectory() as folder:
        checker = Checker(os.path.abspath(sys.argv[1]), folder)
        check_pillow(checker, pixels)
        if shutil.which("convert"):
            check_magick(checker, pixels)
    sys.exit(1 if checker.failed else 0)


if __name__ == "__main__":
    main()
