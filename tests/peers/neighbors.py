"""Nearest neighbors (Kolkin et al. 2022, optimized form) as a plain PyTorch program of our own.

    neighbors.py paint NETWORK.safetensors CONTENT STYLE OUT.png [--size 512] [--iterations 200,200,150,60,120] [--match-every 1]
        the whole schedule in float32, so many steps for each scale from 64 px on, and for the phase in which each layer is
        matched by itself; prints seconds
    neighbors.py time NST NETWORK.safetensors CONTENT STYLE [--size 512] [--iterations ...] [--match-every 1] [--steps 20]
                      [--pairs 3]
        seconds of processor time and of the clock for a schedule, PyTorch and nst in turns: nst runs it, start included;
        PyTorch matches, and makes so many steps of each scale, which are counted up

Matching is exact. NETWORK has weights of 32 bits (nst weights convert --bits 32).
"""
import argparse
import os
import subprocess
import sys
import tempfile

import numpy
import torch
from PIL import Image
from torch.nn import functional

import peer
from clock import Clock

LAYERS = ("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_3", "relu4_1", "relu4_2", "relu4_3")
LEVELS, MOST_SIDE, CONTENT_SHARE, COLUMNS = 8, 64, 0.7, 1024

# ---- Pictures --------------------------------------------------------------------------------------------------------


def resize(values, shape, corners=False):
    return functional.interpolate(values, shape, mode="bilinear", align_corners=corners)


def halves(shape):
    return tuple(max(side // 2, 1) for side in shape)


def load(path, longer):
    picture = Image.open(path).convert("RGB")
    factor = longer / max(picture.size)
    picture = picture.resize([max(round(side * factor), 1) for side in picture.size], Image.BILINEAR)
    return torch.from_numpy(numpy.asarray(picture, numpy.float32) / 255).permute(2, 0, 1)[None]


def decompose(image):
    levels = []
    for _ in range(LEVELS):
        smaller = resize(image, halves(image.shape[2:]))
        levels.append(image - resize(smaller, image.shape[2:]))
        image = smaller
    return [*levels, image]


def synthesize(levels):
    image = levels[-1]
    for level in reversed(levels[:-1]):
        image = level + resize(image, level.shape[2:])
    return image


def turned(picture):
    return [picture.rot90(turn, (2, 3)) for turn in range(4)]


# ---- Features --------------------------------------------------------------------------------------------------------


class Features:
    def __init__(self, path):
        self.network = peer.Network(path, set(LAYERS), torch.float32)

    def maps(self, image):
        found = self.network.features(self.network.to_input(255 * image), set(LAYERS))
        return [found[name] for name in LAYERS]

    def stack(self, image, scales=None):
        shape = [max(side // 4, 1) for side in image.shape[2:]]
        columns = [resize(values, shape, True)[0].flatten(1) for values in self.maps(image)]
        return columns if scales is None else torch.cat([scale * each for scale, each in zip(scales, columns)])


def nearest(queries, candidates):
    """For each column the number of the candidate of least cosine distance; both centered already."""
    candidates = functional.normalize(candidates, dim=0)
    return torch.cat([(queries[:, first : first + COLUMNS].T @ candidates).argmax(1)
                      for first in range(0, queries.shape[1], COLUMNS)])


def centered(columns):
    return columns - columns.mean(1, keepdim=True)


# ---- Losses ----------------------------------------------------------------------------------------------------------


class Stacked:
    """All layers at once; matched when it is made."""

    def __init__(self, features, content, styles):
        self.features = features
        found = [features.stack(style) for style in styles]
        joined = [torch.cat(layer, 1) for layer in zip(*found)]
        self.scales = [layer.square().sum(0).mean().rsqrt() for layer in joined]
        candidates = torch.cat([scale * layer for scale, layer in zip(self.scales, joined)])
        queries = features.stack(content, self.scales)
        self.target = candidates[:, nearest(centered(queries), centered(candidates))]

    def loss(self, image):
        return (1 - functional.cosine_similarity(self.features.stack(image, self.scales), self.target, dim=0)).mean()


class Layered:
    """Each layer by itself, matched anew every so many evaluations."""

    def __init__(self, features, styles, every):
        self.features, self.every, self.evaluations = features, every, 0
        self.styles = [torch.cat([self.sample(values) for values in layer], 1)
                       for layer in zip(*(features.maps(style) for style in styles))]

    def sample(self, values):
        stride = max(max(values.shape[2:]) // MOST_SIDE, 1)
        self.grid = [slice(int(torch.randint(min(stride, side), ())), None, stride) for side in values.shape[2:]]
        return self.at_grid(values)

    def at_grid(self, values):
        return values[0][:, self.grid[0], self.grid[1]].flatten(1)

    def loss(self, image):
        total, maps = 0, self.features.maps(image)
        if self.evaluations % self.every == 0:
            self.found = []
            for values, style in zip(maps, self.styles):
                with torch.no_grad():
                    own, theirs = self.sample(values), centered(style)
                    mean = own.mean(1, keepdim=True)
                    self.found.append((self.grid, mean, theirs[:, nearest(own - mean, theirs)]))
        self.evaluations += 1
        for values, (self.grid, mean, target) in zip(maps, self.found):
            total = total + (1 - functional.cosine_similarity(self.at_grid(values) - mean, target, dim=0)).mean()
        return total


# ---- Painting --------------------------------------------------------------------------------------------------------


def optimize(loss, image, steps, rate):
    levels = [level.requires_grad_() for level in decompose(image)]
    optimizer = torch.optim.Adam(levels, lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        loss.loss(synthesize(levels)).backward()
        optimizer.step()
    return synthesize(levels).detach()


def scale_sizes(size):
    sizes = [size]
    while sizes[0] // 2 >= 64:
        sizes.insert(0, sizes[0] // 2)
    return sizes


def schedule(options):
    """The steps of each scale, and of the last phase; the last number stands for those that are missing."""
    steps = [int(count) for count in options.iterations.split(",")]
    return steps + [steps[-1]] * (len(scale_sizes(options.size)) + 1 - len(steps))


def mixture(content, image):
    detail = content - resize(resize(content, halves(content.shape[2:])), content.shape[2:])
    return CONTENT_SHARE * content + (1 - CONTENT_SHARE) * (image + detail)


def stacked(features, options, px, image):
    content, styles = load(options.content, px), turned(load(options.style, px))
    image = content if image is None else resize(image, content.shape[2:])
    with torch.no_grad():
        return image, styles, Stacked(features, content if px == scale_sizes(options.size)[0] else mixture(content, image), styles)


def paint(options):
    torch.manual_seed(0)
    features, start, image = Features(options.network), Clock(), None
    steps = schedule(options)
    for px, count in zip(scale_sizes(options.size), steps):
        image, styles, loss = stacked(features, options, px, image)
        image = optimize(loss, image, count, options.rate)
        print(f"{px} px: {(Clock() - start).wall:.0f} s", flush=True)
    with torch.no_grad():
        loss = Layered(features, styles, options.match_every)
    image = optimize(loss, image, steps[-1], options.rate)
    print(f"each layer by itself: {(Clock() - start).wall:.0f} s, processor {(Clock() - start).processor:.0f} s")
    values = (image[0].clamp(0, 1) * 255).round().permute(1, 2, 0).to(torch.uint8).numpy()
    Image.fromarray(values).save(options.out)
    return 0

# ---- Time ------------------------------------------------------------------------------------------------------------


def seconds_of(work):
    start = Clock()
    result = work()
    return Clock() - start, result


def time_torch(features, options):
    """(what is made before, a step) for each scale and for the last phase."""
    found, image = [], None
    for px in scale_sizes(options.size):
        matching, (image, styles, loss) = seconds_of(lambda: stacked(features, options, px, image))
        stepping, image = seconds_of(lambda: optimize(loss, image, options.steps, options.rate))
        found.append((matching, stepping / options.steps))
    with torch.no_grad():
        loss = Layered(features, styles, options.match_every)
    stepping, _ = seconds_of(lambda: optimize(loss, image, options.steps, options.rate))
    return [*found, (Clock(0, 0), stepping / options.steps)]


def time_nst(options):
    with tempfile.TemporaryDirectory() as folder:
        command = [options.program, options.content, options.style, "-o", os.path.join(folder, "out.png"), "-q", "--preset",
                   "neighbors", "--network", options.network, "--size", str(options.size), "--iterations", options.iterations]
        return seconds_of(lambda: subprocess.run(command, check=True))[0]


def time_both(options):
    features, steps = Features(options.network), schedule(options)
    for pair in range(options.pairs):
        found, own = time_torch(features, options), time_nst(options)
        for kind in ("processor", "wall"):
            theirs = sum(getattr(matching, kind) + count * getattr(step, kind) for (matching, step), count in zip(found, steps))
            print(f"pair {pair + 1}, {kind}: PyTorch {theirs:.0f} s, nst {getattr(own, kind):.0f} s, "
                  f"ratio {getattr(own, kind) / theirs:.3f}", flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    painting, timing = commands.add_parser("paint"), commands.add_parser("time")
    timing.add_argument("program")
    for command in (painting, timing):
        for name in ("network", "content", "style"):
            command.add_argument(name)
        command.add_argument("--size", type=int, default=512)
        command.add_argument("--iterations", default="200,200,150,60,120")
        command.add_argument("--match-every", type=int, default=1)
        command.add_argument("--rate", type=float, default=0.002)
    painting.add_argument("out")
    painting.set_defaults(run=paint)
    timing.add_argument("--steps", type=int, default=20)
    timing.add_argument("--pairs", type=int, default=3)
    timing.set_defaults(run=time_both)
    options = parser.parse_args()
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
