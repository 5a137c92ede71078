#!/usr/bin/env python3
"""reduce.py PICTURES OUT.safetensors: makes the reduced VGG-19 of this repository from the original.

    weights/get.sh vgg19                              # the original
    weights/reduce/get_pictures.py pictures           # photographs and paintings to learn from
    weights/reduce/reduce.py pictures vgg19-reduced.safetensors

PICTURES is a folder of pictures (PNG, JPEG); those in its folder styles/, if it has one, are preferred as styles. The work is
done in steps, each kept in the folder OUT.work, so that a run that was broken off goes on where it was:

    1. nst paints half-stylized pictures with the original (half_stylized.py)
    2. channels are chosen and weights fitted by least squares (start.py)
    3. the weights are refined against features and Gram matrices (refine.py), halfway also on pictures that nst paints
       with the reduced network itself
    4. weights become codes of BITS each (store.py)

Needs: a built nst, VGG-19, Python 3.9 with PyTorch, NumPy, Pillow and safetensors, 8 GB of memory. With the same pictures and
seed the steps are the same; sums in PyTorch may differ in their last digits from machine to machine.

    --nst FILE        the program [build/nst]
    --original NAME   name or file of VGG-19 [vgg19]
    --steps N         of refinement [1500]
    --crops N         different crops to learn from [1000]
    --runs N          of nst for half-stylized pictures, with each network [80]
    --fitted N        crops for the least squares [120]
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

import half_stylized
import refine
import start
import store
import torch
from networks import REDUCED, STYLE_TAPS, VGG19, load_weights, parameter_count

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORIGIN = ("VGG-19 by Karen Simonyan and Andrew Zisserman (Very Deep Convolutional Networks, ILSVRC-2014 models), changed: "
          "reduced in width and rank by weights/reduce/reduce.py of nst, fitted to the original's features")
BITS = {}  # of the codes of a layer, where they are not 8
CHECKED_CROPS = 12
MEASURED_CROPS = 24  # for the second moments in refine.py
SAVE_EVERY_S = 120


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


def crops(paths, half, count, seed):
    """Random crops, half of them from half-stylized pictures."""
    chance = random.Random(seed)
    return [refine.crop(chance.choice(half if i % 2 else paths), chance) for i in range(count)]


def make_start(original, paths, half, options):
    generator = torch.Generator().manual_seed(options.seed)
    with torch.no_grad():
        pictures = crops(paths, half, options.fitted, f"{options.seed} start")
        channels = start.select_channels(original, REDUCED, pictures, generator, progress)
        return start.fit(REDUCED, original, channels, pictures, generator, progress)


def summary(errors):
    """The mean errors of several crops, in percent: features and Gram matrix at each tap."""
    parts = []
    for tap in errors[0]:
        means = [100 * sum(float(error[tap][i]) for error in errors) / len(errors) for i in range(2)]
        parts.append(f"{tap.replace('conv', 'relu')} {means[0]:.2f}" + (f"/{means[1]:.2f}" if tap in STYLE_TAPS else ""))
    return "  ".join(parts)


class Teacher:
    """The crops with what the original makes of them, made as they are needed."""

    def __init__(self, original, paths, half, options, label):
        self.original, self.paths, self.half = original, paths, half
        self.count, self.seed = options.crops, f"{options.seed} {label}"
        self.lessons = {}

    def lesson(self, step):
        i = random.Random(f"{self.seed} step {step}").randrange(self.count)
        if i not in self.lessons:
            chance = random.Random(f"{self.seed} crop {i}")
            source = self.half if chance.random() < 0.6 else self.paths
            self.lessons[i] = refine.Lesson(self.original, refine.crop(chance.choice(source), chance))
        return self.lessons[i]


def descend(refinement, until, teacher, checked, path):
    """Steps up to `until`, saved every few minutes."""
    saved = time.monotonic()
    for _ in progress("refinement", range(refinement.step, until)):
        refinement.advance(teacher.lesson(refinement.step))
        if time.monotonic() - saved > SAVE_EVERY_S or refinement.step == until:
            save(refinement.state(), path)
            saved = time.monotonic()
            with torch.no_grad():
                errors = [lesson.losses(refinement.layers, refinement.averaged()) for lesson in checked]
            print(f"\rstep {refinement.step}, errors of features/Gram in %: {summary(errors)}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pictures", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--nst", type=pathlib.Path, default=ROOT / "build" / "nst")
    parser.add_argument("--original", default="vgg19")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--crops", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=80)
    parser.add_argument("--fitted", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    work = pathlib.Path(f"{options.out}.work")
    work.mkdir(parents=True, exist_ok=True)
    paths = pictures_below(options.pictures)
    styles = sorted((options.pictures / "styles").glob("*")) if (options.pictures / "styles").is_dir() else []
    original = load_weights(network_path(options), VGG19)

    def painted(network, folder):
        return half_stylized.paint(options.nst, network, work / folder, options.runs, paths, styles, options.seed, progress)

    half = painted(options.original, "half-original")
    weights = kept(work / "start.pt", lambda: make_start(original, paths, half, options))
    checked = [refine.Lesson(original, crop) for crop in crops(paths, half, CHECKED_CROPS, f"{options.seed} check")]
    first = Teacher(original, paths, half, options, "first")
    refinement = refine.Refinement(REDUCED, weights, [first.lesson(step) for step in range(MEASURED_CROPS)], options.steps)
    state = work / "refinement.pt"
    if state.exists():
        refinement.restore(torch.load(state))
    descend(refinement, options.steps // 2, first, checked, state)
    halfway = work / "halfway.safetensors"
    if not halfway.exists():
        store.write(halfway, REDUCED, refinement.averaged(), BITS, ORIGIN)
    second = Teacher(original, paths, half + painted(halfway, "half-reduced"), options, "second")
    descend(refinement, options.steps, second, checked, state)
    store.write(options.out, REDUCED, refinement.averaged(), BITS, ORIGIN)
    with torch.no_grad():
        errors = [lesson.losses(refinement.layers, store.quantized(refinement.averaged(), BITS)) for lesson in checked]
    print(f"{options.out}: {options.out.stat().st_size / 2**20:.2f} MiB, {parameter_count(REDUCED) / 1e6:.2f} M parameters\n"
          f"errors in % on crops: {summary(errors)}")


if __name__ == "__main__":
    main()
