#!/usr/bin/env python3
"""networks.py PICTURES OUT: is a reduced network as good as VGG-19? A table and a sheet.

PICTURES has the folders content/ and style/ with pictures that had no part in making the network. For each pair, nst
paints once with each network, by the same recipe, and `nst judge` measures both results with VGG-19. Written are

    OUT/report.md   distances of each pair and their ratios, mean and worst; with PyTorch also the features' relative
                    errors at each tap, on photographs, paintings and half-stylized pictures
    OUT/sheet.png   the pictures side by side: content, style, VGG-19's, the reduced network's

What is in OUT already is not painted again. Needs Python with Pillow, a built nst, and VGG-19 (weights/get.sh vgg19).

    --nst FILE           the program [build/nst]
    --network NAME       the network to be compared, as for nst [vgg19-reduced]
    --original NAME      the one that it stands for, which also judges [vgg19]
    --size PX            longer side of the results [256]
    --pairs N            how many pairs: each style in turn, the contents in turn [12]
    --without NAME,...   pictures that are not to be used, by the starts of their names
    --option "OPTION..." more options for nst, such as "--iterations 50"
"""
import argparse
import pathlib
import shlex
import statistics
import sys

from PIL import Image

import pairs

TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1")


# ---- Pictures and distances ----------------------------------------------------------------------------------------


def paint_and_judge(options, content, style, network):
    """The path of the result and its distances under the original: (path, style, content)."""
    stem = f"{content.stem}-{style.stem}-{options.size}-{pathlib.Path(network).stem}"
    picture = options.out / (stem + ".png")
    if not picture.exists():
        pairs.run([options.nst, content, style, "-o", picture, "--size", options.size, "--network", network, "--quiet",
                   *shlex.split(options.option)])
    distances = pairs.judge(options.nst, picture, content, style, options.original)
    return picture, distances["style"]["distance"], distances["content"]["distance"]


def distance_table(rows):
    """Lines of Markdown: rows are (content, style, original's (path, style, content), reduced network's)."""
    lines = ["| content | style | style distance, original | reduced | ratio | content distance, original | reduced | ratio |",
             "|---|---|---|---|---|---|---|---|"]
    style_ratios = [reduced[1] / original[1] for _, _, original, reduced in rows]
    content_ratios = [reduced[2] / original[2] for _, _, original, reduced in rows]
    for (content, style, original, reduced), style_ratio, content_ratio in zip(rows, style_ratios, content_ratios):
        lines.append(f"| {content.stem} | {style.stem} | {original[1]:.5f} | {reduced[1]:.5f} | {style_ratio:.3f} "
                     f"| {original[2]:.4f} | {reduced[2]:.4f} | {content_ratio:.3f} |")
    lines += [f"| **mean** | | | | **{statistics.mean(style_ratios):.3f}** | | | **{statistics.mean(content_ratios):.3f}** |",
              f"| worst | | | | {max(style_ratios):.3f} | | | {max(content_ratios, key=lambda x: abs(x - 1)):.3f} |"]
    return lines


# ---- Features ------------------------------------------------------------------------------------------------------


def network_path(options, name):
    text = pairs.run([options.nst, "weights", "info", name])[0].decode()
    return next(line.split(None, 1)[1] for line in text.splitlines() if line.startswith("file"))


def feature_table(options, kinds):
    """Lines of Markdown: |F - F*|^2 / |F*|^2 and the same of Gram matrices, at each tap, means over each kind of picture."""
    sys.path.insert(0, str(pairs.ROOT / "tests" / "peers"))
    import numpy
    import torch
    import peer

    networks = [peer.Network(network_path(options, name), TAPS) for name in (options.original, options.network)]

    def errors(path):
        picture = Image.open(path).convert("RGB")
        picture.thumbnail((options.size, options.size), Image.Resampling.LANCZOS)
        image = torch.from_numpy(numpy.array(picture, dtype=numpy.float32)).permute(2, 0, 1)[None]
        with torch.no_grad():
            wanted, found = [network.features(network.to_input(image), TAPS) for network in networks]
            grams = [{tap: peer.gram(maps[tap], 1) for tap in TAPS} for maps in (wanted, found)]

        def relative(a, b):
            return float((a - b).square().sum() / a.square().sum())

        return [relative(wanted[tap], found[tap]) for tap in TAPS], [relative(grams[0][tap], grams[1][tap]) for tap in TAPS]

    lines = ["| relative squared error | " + " | ".join(TAPS) + " |", "|---|" + "---|" * len(TAPS)]
    for kind, paths in kinds.items():
        found = [errors(path) for path in paths]
        for which, title in enumerate(("features", "Gram matrices")):
            means = [statistics.mean(pair[which][i] for pair in found) for i in range(len(TAPS))]
            lines.append(f"| {kind}, {title} | " + " | ".join(f"{mean:.4f}" for mean in means) + " |")
    return lines


# ---- Command -------------------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pictures", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--nst", type=pathlib.Path, default=pairs.ROOT / "build" / "nst")
    parser.add_argument("--network", default="vgg19-reduced")
    parser.add_argument("--original", default="vgg19")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--without", default="")
    parser.add_argument("--option", default="")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    chosen = pairs.choose_pairs(options.pictures, options.pairs, tuple(filter(None, options.without.split(","))))
    rows = []
    for i, (content, style) in enumerate(chosen):
        print(f"pair {i + 1} of {len(chosen)}: {content.stem}, {style.stem}", file=sys.stderr)
        rows.append((content, style, paint_and_judge(options, content, style, options.original),
                     paint_and_judge(options, content, style, options.network)))
    lines = [f"# {options.network} beside {options.original}, {options.size} pixels", "", *distance_table(rows)]
    pairs.make_sheet(("content", "style", "original", "reduced"),
                     [(content, style, original[0], reduced[0]) for content, style, original, reduced in rows],
                     options.out / "sheet.png")
    try:
        lines += ["", *feature_table(options, {
            "photographs": pairs.pictures_in(options.pictures / "content"),
            "paintings": pairs.pictures_in(options.pictures / "style"),
            "half-stylized": [row[2][0] for row in rows]})]
    except ImportError:
        print("networks.py: without PyTorch there is no table of features", file=sys.stderr)
    (options.out / "report.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
