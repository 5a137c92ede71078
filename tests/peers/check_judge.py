"""What `nst judge` measures besides Gram and content, against float64 in PyTorch: wasserstein, structure, patches (see nst.h).

    check_judge.py NST NETWORK.safetensors PICTURE CONTENT STYLE

NETWORK has weights of 32 bits (nst weights convert --bits 32). The picture is judged at its own size, so a small one is
quicker; content and style are resized by Pillow. Leaves with 1 if a distance is off by 1e-4 of it.
"""
import json
import subprocess
import sys

import numpy
import torch
from PIL import Image
from torch.nn import functional

import peer

STYLE_LAYERS = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
PATCH_LAYERS = ["relu3_1", "relu4_1"]
INPUT_SCALE = (1 / 0.229 + 1 / 0.224 + 1 / 0.225) / 3 / 255
STEPS = 12


def load(path, size=None):
    """As an image of 0..255, resized as nst does: without rounding to bytes in between."""
    picture = Image.open(path).convert("RGB")
    planes = [numpy.asarray(plane, numpy.float32) for plane in picture.split()]
    if size and size != picture.size:
        planes = [numpy.asarray(Image.fromarray(plane).resize(size, Image.LANCZOS)) for plane in planes]
    return torch.from_numpy(numpy.clip(numpy.stack(planes), 0, 255)).double()[None]


def fit(path, longer, enlarge):
    width, height = Image.open(path).size
    longer = longer if enlarge else min(longer, max(width, height))
    return round(width * longer / max(width, height)), round(height * longer / max(width, height))


def root(matrix):
    size = matrix.norm()
    identity = torch.eye(len(matrix), dtype=matrix.dtype)
    y, z = matrix / size, identity
    for _ in range(STEPS):
        t = (3 * identity - z @ y) / 2
        y, z = y @ t, t @ z
    return y * size.sqrt()


def statistics(features):
    flat = features[0].flatten(1)
    mean = flat.mean(1)
    return mean, (flat - mean[:, None]) @ (flat - mean[:, None]).T / flat.shape[1]


def wasserstein(features, target):
    (mean, own), (target_mean, other) = statistics(features), statistics(target)
    half = root(other)
    spread = (other + own - 2 * root(half @ own @ half)).trace()
    return float(((mean - target_mean).square().sum() + spread) / (target_mean.square().sum() + other.trace()))


def structure(features, target, scale):
    divergence, count = 0, features[0, 0].numel()
    flat, goal = features[0].flatten(1) * scale, target[0].flatten(1) * scale
    for i in range(0, count, 512):
        own = functional.log_softmax(flat[:, i:i + 512].T @ flat / len(flat), 1)
        other = functional.log_softmax(goal[:, i:i + 512].T @ goal / len(goal), 1)
        divergence += float((other.exp() * (other - own)).sum())
    return divergence / count


def nearest(features, styles):
    def centered(columns):
        return functional.normalize(columns - columns.mean(1, keepdim=True), dim=0)
    queries = centered(features[0].flatten(1))
    keys = centered(torch.cat([style[0].flatten(1) for style in styles], 1))
    parts = [(1 - (queries[:, i:i + 512].T @ keys).max(1).values) for i in range(0, queries.shape[1], 512)]
    return float(torch.cat(parts).mean())


def truth(network, picture, content, style):
    def features(image):
        return network.features(network.to_input(image), STYLE_LAYERS)
    with torch.no_grad():
        own_size = Image.open(picture).size
        found, goal = features(load(picture)), features(load(content, own_size))
        painted = features(load(style, fit(style, max(own_size), False)))
        result = {("wasserstein", name): wasserstein(found[name], painted[name]) for name in STYLE_LAYERS}
        scale = INPUT_SCALE / (network.range / 255 / network.over).mean()
        result["structure", None] = structure(found["relu3_1"], goal["relu3_1"], scale)
        found = features(load(picture, fit(picture, 384, True)))
        small = load(style, fit(style, 384, True))
        turned = [features(torch.rot90(small, turn, (2, 3))) for turn in range(4)]
        result.update({("patches", name): nearest(found[name], [each[name] for each in turned]) for name in PATCH_LAYERS})
    return result


def main(program, path, picture, content, style):
    command = [program, "judge", picture, "--content", content, "--style", style, "--network", path, "--json"]
    judged = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    network = peer.Network(path, set(STYLE_LAYERS), torch.float64)
    good = True
    for (kind, layer), expected in truth(network, picture, content, style).items():
        got = judged[kind]["layers"][layer] if layer else judged[kind]["distance"]
        error = abs(got / expected - 1)
        good = good and error <= 1e-4
        print(f"{kind} {layer or ''}: {expected:.6f}, nst is off by {error:.1e}")
    return 0 if good else 1


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
