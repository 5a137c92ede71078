#!/usr/bin/env python3
"""strength.py OUT.jpg: what --strength does: our own samples painted with strengths of 0 to 1, side by side.

Makes one row of five pictures for each preset. docs/strength.jpg is made by
    tests/quality/strength.py docs/strength.jpg
Needs Python with Pillow, and a built nst.

    --nst FILE            the program [build/nst]
    --presets NAME,...    [gram,neighbors]
    --size PX             longer side of a picture [192]
"""
import argparse
import pathlib
import tempfile

from PIL import Image

import pairs

SAMPLES = pairs.ROOT / "docs" / "samples"
STRENGTHS = (0, 0.25, 0.5, 0.75, 1)
GAP_PX = 6


def paint(options, preset, strength, folder):
    picture = folder / f"{preset}-{strength}.png"
    pairs.run([options.nst, SAMPLES / "landscape.png", SAMPLES / "painting.png", "-o", picture, "--quiet", "--size",
               options.size, "--preset", preset, "--strength", strength])
    return Image.open(picture).convert("RGB")


def join(rows):
    width, height = rows[0][0].size
    sheet = Image.new("RGB", (len(rows[0]) * (width + GAP_PX) - GAP_PX, len(rows) * (height + GAP_PX) - GAP_PX), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            sheet.paste(picture, (x * (width + GAP_PX), y * (height + GAP_PX)))
    return sheet


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--nst", type=pathlib.Path, default=pairs.ROOT / "build" / "nst")
    parser.add_argument("--presets", type=lambda text: text.split(","), default=["gram", "neighbors"])
    parser.add_argument("--size", type=int, default=192)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [[paint(options, preset, strength, pathlib.Path(folder)) for strength in STRENGTHS]
                for preset in options.presets]
    join(rows).save(options.out, quality=85)


main()
