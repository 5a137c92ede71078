#!/usr/bin/env python3
"""compare.py PICTURES OUT: which preset paints best? Tables, sheets, a blind choice, and curves.

PICTURES has the folders content/ and style/. Every pair is painted by every column (a preset, or any options of nst), and
`nst judge` measures the results with VGG-19 (weights/get.sh vgg19). Written are

    OUT/report.md          seconds and distances: means over the pairs, how often each column is nearest, each pair
    OUT/sheet-SIZE.png     the pictures side by side: content, style, the columns
    OUT/blind-SIZE.png     the same with the columns of each row shuffled and called A, B, ... (key-SIZE.json tells them)
    OUT/curves.md, .png    with --curves: distances of one pair over the seconds, for each column

What is in OUT already is not painted or judged again, so that it goes on where it was stopped. To choose blind, look at
blind-SIZE.png, write one letter for each row into OUT/choice-SIZE.txt ("-" for none), and run it again: the report then
says how often each column won. Needs Python with Pillow, and a built nst.

    --nst FILE              the program [build/nst]
    --column NAME=OPTIONS   a column, given once for each; NAME alone is a preset [the presets that nst has]
    --given NAME=FOLDER     a column of other programs' pictures: FOLDER/CONTENT-STYLE-SIZE.png
    --sizes PX:PAIRS,...    longer sides of the results, and how many pairs for each [256:12,512:3]
    --without NAME,...      pictures that are not to be used, by the starts of their names
    --curves N              pictures to judge on the way, at the first size, for the first pair [none]
"""
import argparse
import json
import pathlib
import random
import re
import shlex
import statistics
import sys

from PIL import Image, ImageDraw

import pairs

# What a picture is measured by: the heading, and where it is in the judgment. Less is nearer, but for seconds.
MEASURES = {
    "Gram": lambda judged: judged["style"]["distance"],
    "Wasserstein-2": lambda judged: judged["wasserstein"]["distance"],
    "relu3_1 patches": lambda judged: judged["patches"]["layers"]["relu3_1"],
    "relu4_1 patches": lambda judged: judged["patches"]["layers"]["relu4_1"],
    "content": lambda judged: judged["content"]["distance"],
    "CFSD": lambda judged: judged["structure"]["distance"],
}


def presets(nst):
    text = pairs.run([nst, "help", "presets"])[0].decode()
    return re.findall(r"^  ([a-z0-9][a-z0-9-]*) ", text, re.MULTILINE)


def paint(options, column, content, style, size):
    """The picture of one column for one pair: (path, seconds), the seconds None where another program painted it."""
    stem = f"{content.stem}-{style.stem}-{size}"
    if column in options.given:
        return options.given[column] / f"{stem}.png", None
    picture = options.out / column / f"{stem}.png"
    seconds = picture.with_suffix(".seconds")
    if not seconds.exists():
        picture.parent.mkdir(exist_ok=True)
        _, taken = pairs.run([options.nst, content, style, "-o", picture, "--size", size, "--quiet", *options.columns[column]])
        seconds.write_text(json.dumps(taken))
    return picture, json.loads(seconds.read_text())


def measure(options, size, count):
    """One row for each pair: (content, style, {column: (path, seconds, {measure: distance})})."""
    rows = []
    for content, style in pairs.choose_pairs(options.pictures, count, options.without):
        found = {}
        for column in (*options.columns, *options.given):
            print(f"{size} px, {content.stem}, {style.stem}: {column}", file=sys.stderr)
            picture, seconds = paint(options, column, content, style, size)
            # Pictures of others are judged beside our own, in OUT.
            if column in options.given:
                copy = options.out / column / picture.name
                copy.parent.mkdir(exist_ok=True)
                Image.open(picture).convert("RGB").save(copy)
                picture = copy
            judged = pairs.judge(options.nst, picture, content, style)
            found[column] = (picture, seconds, {name: get(judged) for name, get in MEASURES.items()})
        rows.append((content, style, found))
    return rows


# ---- Tables --------------------------------------------------------------------------------------------------------


def table(heading, lines):
    return ["| " + " | ".join(heading) + " |", "|" + "---|" * len(heading), *("| " + " | ".join(line) + " |" for line in lines)]


def mean_table(rows):
    """For each column the mean of its seconds and distances, and in how many pairs each of its distances is the least."""
    lines = []
    for column in rows[0][2]:
        seconds = [found[column][1]["processor_s"] for _, _, found in rows if found[column][1]]
        line = [column, f"{statistics.mean(seconds):.1f}" if seconds else ""]
        for name in MEASURES:
            wins = sum(min(found, key=lambda other: found[other][2][name]) == column for _, _, found in rows)
            line.append(f"{statistics.mean(found[column][2][name] for _, _, found in rows):.4f} ({wins})")
        lines.append(line)
    return ["Means over the pairs; in brackets in how many of them the column is nearest.", "",
            *table(["column", "processor s", *MEASURES], lines)]


def pair_table(rows):
    lines = []
    for content, style, found in rows:
        for column, (_, seconds, distances) in found.items():
            lines.append([content.stem, style.stem, column, f"{seconds['processor_s']:.1f}" if seconds else "",
                          *(f"{distances[name]:.4f}" for name in MEASURES)])
    return table(["content", "style", "column", "processor s", *MEASURES], lines)


# ---- The blind choice ----------------------------------------------------------------------------------------------


def blind_sheet(options, rows, size):
    """Shuffles the columns of each row, the same way each time. The key: for each row its columns in order."""
    shuffle, key = random.Random(size), []
    for _, _, found in rows:
        order = sorted(found)
        shuffle.shuffle(order)
        key.append(order)
    letters = [chr(ord("A") + i) for i in range(len(rows[0][2]))]
    pictures = [[content, style, *(found[column][0] for column in order)]
                for (content, style, found), order in zip(rows, key)]
    pairs.make_sheet(["content", "style", *letters], pictures, options.out / f"blind-{size}.png", min(size, 384))
    (options.out / f"key-{size}.json").write_text(json.dumps(key, indent=1))
    return key


def choice_table(options, key, size):
    """How often each column was chosen, where choices were written down."""
    path = options.out / f"choice-{size}.txt"
    if not path.exists():
        return []
    letters = path.read_text().split()
    if len(letters) != len(key):
        sys.exit(f"compare.py: {path} has {len(letters)} letters where the sheet has {len(key)} rows")
    chosen = [order[ord(letter) - ord("A")] for order, letter in zip(key, letters) if letter != "-"]
    return ["", "Chosen blind:", "",
            *table(["column", "chosen"], [[column, f"{chosen.count(column)} of {len(letters)}"] for column in sorted(key[0])])]


# ---- Curves --------------------------------------------------------------------------------------------------------


def curve(options, column, content, style, size):
    """[(seconds, {measure: distance})] of one column's picture on the way."""
    folder = options.out / "curves" / column
    log = folder / "log.jsonl"
    if not (folder / "picture.png").exists():
        folder.mkdir(parents=True, exist_ok=True)
        pairs.run([options.nst, content, style, "-o", folder / "picture.png", "--size", size, "--quiet", "--log", log,
                   "--save-every", 5, *options.columns[column]])
    # The pictures on the way are numbered by iterations of all scales together, of which each may have several evaluations.
    seconds = {}
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        seconds[entry["scale"], entry["iteration"]] = entry["seconds"]
    seconds = list(seconds.values())
    pictures = sorted(folder.glob("picture-*.png"))
    chosen = pictures[::-1][::max(1, len(pictures) // options.curves)][::-1]
    return [(seconds[min(int(picture.stem.rsplit("-", 1)[1]), len(seconds)) - 1],
             {name: get(pairs.judge(options.nst, picture, content, style)) for name, get in MEASURES.items()})
            for picture in chosen]


def plot(curves, path, side=360):
    """One panel for each measure: distance over seconds, a line for each column."""
    colors = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f")
    sheet = Image.new("RGB", (len(MEASURES) * side, side + 16 * (len(curves) // 2 + 1)), "white")
    draw = ImageDraw.Draw(sheet)
    longest = max(point[0] for points in curves.values() for point in points)
    for i, name in enumerate(MEASURES):
        highest = max(point[1][name] for points in curves.values() for point in points)
        left, top, width, height = i * side + 10, 20, side - 20, side - 40
        draw.text((left, 4), f"{name}: 0 to {highest:.3g}, in {longest:.0f} s", fill="black")
        draw.rectangle((left, top, left + width, top + height), outline="#888888")
        for color, points in zip(colors, curves.values()):
            line = [(left + width * seconds / longest, top + height * (1 - distances[name] / highest))
                    for seconds, distances in points]
            draw.line(line, fill=color, width=2)
    for i, (color, column) in enumerate(zip(colors, curves)):
        draw.text((10 + i * 120, side), column, fill=color)
    sheet.save(path)


def make_curves(options, size):
    content, style = pairs.choose_pairs(options.pictures, 1, options.without)[0]
    curves = {column: curve(options, column, content, style, size) for column in options.columns}
    plot(curves, options.out / "curves.png")
    lines = [[column, f"{seconds:.1f}", *(f"{distances[name]:.4f}" for name in MEASURES)]
             for column, points in curves.items() for seconds, distances in points]
    (options.out / "curves.md").write_text("\n".join(
        [f"# {content.stem}, {style.stem}, {size} px: distances over time", "",
         *table(["column", "seconds", *MEASURES], lines)]) + "\n")


# ---- Command -------------------------------------------------------------------------------------------------------


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pictures", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--nst", type=pathlib.Path, default=pairs.ROOT / "build" / "nst")
    parser.add_argument("--column", action="append", default=[])
    parser.add_argument("--given", action="append", default=[])
    parser.add_argument("--sizes", default="256:12,512:3")
    parser.add_argument("--without", default="")
    parser.add_argument("--curves", type=int, default=0)
    options = parser.parse_args()
    options.without = tuple(filter(None, options.without.split(",")))
    options.columns = {}
    for column in options.column or presets(options.nst):
        name, _, words = column.partition("=")
        options.columns[name] = shlex.split(words) if words else ["--preset", name]
    options.given = {name: pathlib.Path(folder) for name, _, folder in (given.partition("=") for given in options.given)}
    return options


def main():
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    lines = ["# Presets, side by side", ""]
    for size, count in (map(int, part.split(":")) for part in options.sizes.split(",")):
        rows = measure(options, size, count)
        pairs.make_sheet(["content", "style", *rows[0][2]],
                         [[content, style, *(path for path, _, _ in found.values())] for content, style, found in rows],
                         options.out / f"sheet-{size}.png", min(size, 384))
        key = blind_sheet(options, rows, size)
        lines += [f"## {size} px, {len(rows)} pairs", "", *mean_table(rows), *choice_table(options, key, size), "",
                  *pair_table(rows), ""]
    if options.curves:
        make_curves(options, int(options.sizes.split(":")[0]))
    (options.out / "report.md").write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
