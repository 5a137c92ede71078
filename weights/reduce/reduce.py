#!/usr/bin/env python3
"""reduce.py PICTURES OUT.safetensors: makes the reduced VGG-19 of this repository from the original.

    weights/get.sh vgg19                              # the original
    weights/reduce/get_pictures.py pictures           # photographs and paintings to learn from
    weights/reduce/reduce.py pictures vgg19-reduced.safetensors

PICTURES is a folder of pictures (PNG, JPEG); those in its folder styles/, if it has one, are preferred as styles. The work is
done in steps, each kept in the folder OUT.work, so that a run that was broken off goes on where it was:

    1. nst paints half-stylized pictures with the original (half_stylized.py)
    2. layer after layer (fit.py), each convolution becomes a projection to few channels and a convolution of these
       (projections.py), which is fitted to the original's outputs (refit.py); weights become few values for each layer
       (quantize.py)
    3. these are stored as codes (store.py)

Needs: a built nst, VGG-19, Python 3.9 with PyTorch, NumPy, Pillow and safetensors, 8 GB of memory. With the same pictures and
seed the steps are the same; sums in PyTorch may differ in their last digits from machine to machine.

    --nst FILE        the program [build/nst]
    --original NAME   name or file of VGG-19 [vgg19]
    --runs N          of nst for half-stylized pictures [160]
    --fitted N        crops of pictures for step 2 [120]
    --seed N          [0]

One thread (OMP_NUM_THREADS=1) takes less of the processor than several where other work is running.
"""

import argparse
import os
import pathlib
import random
import subprocess
import sys
import time

import crops
import fit
import half_stylized
import store
import torch
from networks import REDUCED, VGG19, load_weights, parameter_count

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORIGIN = ("VGG-19 by Karen Simonyan and Andrew Zisserman (Very Deep Convolutional Networks, ILSVRC-2014 models), changed: "
          "reduced in rank by weights/reduce/reduce.py of nst, fitted to the original's features")
BITS = {layer.name: 7 if layer.name >= "conv4_2" else 8 for layer in REDUCED if layer.channels and layer.name != "conv1_1"}
CHECKED_CROPS = 12


def progress(label, items):
    """Goes through the items, with a bar on standard error."""
    items = list(items)
    started = time.monotonic()
    for i, item in enumerate(items):
        left_s = (time.monotonic() - started) * (len(items) - i) / i if i else 0
        bar = "#" * (30 * i // len(items))
        print(f"\r[{bar:30}] {label}: {i} of {len(items)}, {left_s / 60:.0f} min left   ", end="", file=sys.stderr, flush=True)
        yield item
    print(f"\r[{'#' * 30}] {label}: done in {(time.monotonic() - started) / 60:.1f} min   ", file=sys.stderr)


def save(value, path):
    torch.save(value, f"{path}.part")
    os.replace(f"{path}.part", path)


def kept(path, make):
    """The value that an earlier run saved, or what make() gives, saved."""
    if path.exists():
        return torch.load(path)
    value = make()
    save(value, path)
    return value


def pictures_below(folder):
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    if not found:
        sys.exit(f"reduce.py: no pictures in {folder}; weights/reduce/get_pictures.py gets some")
    return found


def network_path(options):
    done = subprocess.run([options.nst, "weights", "info", options.original], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"reduce.py: {done.stderr.strip()}")
    return next(line.split(None, 1)[1] for line in done.stdout.splitlines() if line.startswith("file"))


def random_crops(paths, half, count, seed):
    """Random crops, three of four from half-stylized pictures."""
    chance = random.Random(seed)
    return [crops.crop(chance.choice(half if i % 4 else paths), chance) for i in range(count)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pictures", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--nst", type=pathlib.Path, default=ROOT / "build" / "nst")
    parser.add_argument("--original", default="vgg19")
    parser.add_argument("--runs", type=int, default=160)
    parser.add_argument("--fitted", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    work = pathlib.Path(f"{options.out}.work")
    work.mkdir(parents=True, exist_ok=True)
    paths = pictures_below(options.pictures)
    styles = sorted((options.pictures / "styles").glob("*")) if (options.pictures / "styles").is_dir() else []
    original = load_weights(network_path(options), VGG19)

    half = half_stylized.paint(options.nst, options.original, work / "half-stylized", options.runs, paths, styles, options.seed,
                               progress)

    def some(purpose, count):
        return random_crops(paths, half, count, f"{options.seed} {purpose}")

    with torch.no_grad():
        generator = torch.Generator().manual_seed(options.seed)
        weights = kept(work / "fitted.pt", lambda: fit.fit(original, some("fitting", options.fitted), BITS, generator, progress))
        store.write(options.out, REDUCED, weights, ORIGIN)
        errors = [crops.errors(original, REDUCED, weights, picture) for picture in some("check", CHECKED_CROPS)]
        print(f"errors of features/Gram matrices in %: {crops.summary(errors)}")
    print(f"{options.out}: {options.out.stat().st_size / 2**20:.2f} MiB, {parameter_count(REDUCED) / 1e6:.2f} M parameters")


if __name__ == "__main__":
    main()
