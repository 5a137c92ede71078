"""style-transfer-pytorch's recipe (commit e7e2c71: Wasserstein-2 of means and covariances) as a program of our own.

    wasserstein.py check PRINT_GRADIENT NETWORK.safetensors
        losses and gradient of one evaluation of nst's preset against float64; leaves with 1 if one of them is off by
        1e-5. (PyTorch's own in float32 is printed beside it, and may be further off: a style loss is what is left of
        sizes up to fifty times as large, and rounding R V R to single precision alone costs 6e-5 at relu1_1.)
    wasserstein.py paint NETWORK.safetensors CONTENT STYLE OUT.png [--size 512] [--iterations 1000,500]
        the whole schedule in float32; prints seconds
    wasserstein.py time NST NETWORK.safetensors CONTENT STYLE [--size 512] [--iterations 333,167] [--steps 20] [--pairs 3]
        seconds of processor time and of the clock for a step of each scale, PyTorch and nst in turns, both over so many
        steps behind the first; and what the whole schedule comes to with each

NETWORK has weights of 32 bits (nst weights convert --bits 32). Features count as those of a network with torchvision's
input: times the ratio of the scales of the inputs, as in src/stylize/recipe.c.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy
import torch
from PIL import Image
from torch.nn import functional

import peer
import pictures
from clock import Clock

CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = {"relu1_1": 256 / 341, "relu2_1": 64 / 341, "relu3_1": 16 / 341, "relu4_1": 4 / 341, "relu5_1": 1 / 341}
CONTENT_WEIGHT, TV_WEIGHT, EPSILON, STEPS = 0.015, 2, 1e-4, 12
INPUT_SCALE = (1 / 0.229 + 1 / 0.224 + 1 / 0.225) / 3 / 255

# ---- Roots -----------------------------------------------------------------------------------------------------------


class Root(torch.autograd.Function):
    """The root of a matrix by Newton and Schulz, and the gradient through it by Lyapunov's equation (Lin and Maji 2017)."""

    @staticmethod
    def forward(context, matrix):
        size = matrix.norm()
        identity = torch.eye(len(matrix), dtype=matrix.dtype)
        y, z = matrix / size, identity
        for _ in range(STEPS):
            t = (3 * identity - z @ y) / 2
            y, z = y @ t, t @ z
        root = y * size.sqrt()
        context.save_for_backward(root)
        return root

    @staticmethod
    def backward(context, gradient):
        root, = context.saved_tensors
        size = root.norm()
        identity = torch.eye(len(root), dtype=root.dtype)
        a, q = root / size, gradient / size
        for step in range(STEPS):
            t = 3 * identity - a @ a
            q = (q @ t - a.T @ (a.T @ q - q @ a)) / 2
            if step < STEPS - 1:
                a = a @ t / 2
        return q / 2


# ---- Losses ----------------------------------------------------------------------------------------------------------


def moments(features):
    flat = features[0].flatten(1)
    return flat.mean(1), flat @ flat.T / flat.shape[1]


def covariance(mean, products):
    return products - torch.outer(mean, mean) + EPSILON * torch.eye(len(mean), dtype=mean.dtype)


class Style:
    def __init__(self, mean, products):
        self.mean, self.covariance = mean, covariance(mean, products)
        self.root = Root.apply(self.covariance)

    def distance(self, features):
        mean, products = moments(features)
        own = covariance(mean, products)
        spread = self.covariance + own - 2 * Root.apply(self.root @ own @ self.root)
        return (mean - self.mean).square().mean() + spread.diagonal().mean()


def total_variation(image):
    """Nine points."""
    framed = functional.pad(image, (1, 1, 1, 1), "replicate")
    inner, here, there = slice(1, -1), slice(None, -1), slice(1, None)
    right = framed[..., inner, 2:] - framed[..., inner, inner]
    below = framed[..., 2:, inner] - framed[..., inner, inner]
    one = framed[..., there, there] - framed[..., here, here]
    other = framed[..., there, here] - framed[..., here, there]
    return 2 * (right.square().mean() / 3 + below.square().mean() / 3 + one.square().mean() / 12 + other.square().mean() / 12)


class Objective:
    """Of images of 0..255, red, green, blue."""

    def __init__(self, path, dtype):
        self.network = peer.Network(path, set(STYLE_LAYERS) | {CONTENT_LAYER}, dtype)
        first = next(step for step in self.network.layers if step.get("padding"))
        if first["mode"] == "constant":
            first["mode"] = "replicate"
        scale = (self.network.range / 255 / self.network.over).mean()
        self.factor = INPUT_SCALE / scale

    def features(self, image):
        found = self.network.features(self.network.to_input(image), set(STYLE_LAYERS) | {CONTENT_LAYER})
        return {name: values * self.factor for name, values in found.items()}

    def set_targets(self, content, styles):
        with torch.no_grad():
            self.content = self.features(content)[CONTENT_LAYER]
            found = [self.features(style) for style in styles]
            self.styles = {}
            for name in STYLE_LAYERS:
                means, products = zip(*(moments(each[name]) for each in found))
                self.styles[name] = Style(sum(means) / len(styles), sum(products) / len(styles))

    def losses(self, image):
        found = self.features(image)
        losses = [("content", CONTENT_LAYER, CONTENT_WEIGHT * functional.mse_loss(found[CONTENT_LAYER], self.content))]
        losses += [("style", name, weight * self.styles[name].distance(found[name]))
                   for name, weight in STYLE_LAYERS.items()]
        return losses + [("tv", "tv", TV_WEIGHT * total_variation(image / 255))]

    def evaluate(self, image):
        image = image.detach().requires_grad_()
        losses = self.losses(image)
        gradient = torch.autograd.grad(sum(loss for _, _, loss in losses), image)[0]
        return [(kind, name, loss.item()) for kind, name, loss in losses], gradient


# ---- Check -----------------------------------------------------------------------------------------------------------


def check(options):
    good = True
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name + ".png") for name in ("content", "style", "image")]
        pictures.make_picture(files[0], 128, 96, 1)
        pictures.make_picture(files[1], 112, 101, 2)
        pictures.disturb(files[0], files[2], 3)
        output = os.path.join(folder, "gradient")
        command = [options.program, "--image", files[2], "--preset", "wasserstein", files[0], files[1], options.network, output]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        found = [(loss["kind"], loss["layer"], loss["loss"]) for loss in json.loads(printed)["losses"]]
        content, style, image = (peer.read_picture(file) for file in files)
        gradient = torch.from_numpy(numpy.fromfile(output, numpy.float32)).reshape(image.shape)
    evaluations = {}
    for dtype in (torch.float64, torch.float32):
        objective = Objective(options.network, dtype)
        objective.set_targets(content.to(dtype), [style.to(dtype)])
        evaluations[dtype] = objective.evaluate(image.to(dtype))
    true_losses, true_gradient = evaluations[torch.float64]
    for mine, true, single in zip(found, true_losses, evaluations[torch.float32][0]):
        assert mine[:2] == true[:2]
        error = abs(mine[2] / true[2] - 1)
        good = good and error <= 1e-5
        print(f"{true[0]} {true[1]}: {true[2]:.9g}, nst {error:.1e}, PyTorch in float32 {abs(single[2] / true[2] - 1):.1e}")
    errors = [float((each.double() - true_gradient).norm() / true_gradient.norm())
              for each in (gradient, evaluations[torch.float32][1])]
    print(f"gradient: nst {errors[0]:.1e}, PyTorch in float32 {errors[1]:.1e}")
    return 0 if good and errors[0] <= 1e-5 else 1


# ---- Paint -----------------------------------------------------------------------------------------------------------


def fit(picture, longer, enlarge):
    width, height = picture.size
    if not enlarge and max(width, height) <= longer:
        return width, height
    return (round(longer * width / height), longer) if height > width else (longer, round(longer * height / width))


def load(picture, size):
    values = numpy.asarray(picture.resize(size, Image.BICUBIC), numpy.float32)
    return torch.from_numpy(values.copy()).permute(2, 0, 1)[None]


def resize(values, shape, mode):
    return functional.interpolate(values, shape, mode=mode, align_corners=False)


class Average:
    def __init__(self, image, decay=0.99):
        self.decay, self.rest, self.sum = decay, 1, torch.zeros_like(image)
        self.add(image)

    def add(self, image):
        self.rest *= self.decay
        self.sum = self.sum * self.decay + (1 - self.decay) * image.detach()

    def image(self):
        return self.sum / (1 - self.rest)


def run_scale(objective, optimizer, image, steps):
    average = Average(image)
    for _ in range(steps):
        loss = sum(loss for _, _, loss in objective.losses(image * 255))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            image.clamp_(0, 1)
        average.add(image)
    return average.image()


def scale_sizes(size):
    sizes, number = [size], 1
    while (px := round(size / 2**(number / 2))) >= 128:
        sizes.insert(0, px)
        number += 1
    return sizes


def paint(options):
    content, style = (Image.open(path).convert("RGB") for path in (options.content, options.style))
    objective, start = Objective(options.network, torch.float32), Clock()
    sizes = scale_sizes(options.size)
    first, later = (int(count) for count in options.iterations.split(","))
    image, state = load(content, fit(content, sizes[0], True)) / 255, None
    for px in sizes:
        width, height = fit(content, px, True)
        image = resize(image, (height, width), "bicubic").clamp(0, 1).requires_grad_()
        objective.set_targets(load(content, (width, height)), [load(style, fit(style, px, False))])
        optimizer = torch.optim.Adam([image], lr=0.02, betas=(0.9, 0.99))
        if state:
            moments_of = state["state"][0]
            moments_of["exp_avg"] = resize(moments_of["exp_avg"], (height, width), "bicubic")
            moments_of["exp_avg_sq"] = resize(moments_of["exp_avg_sq"], (height, width), "bilinear").relu()
            optimizer.load_state_dict(state)
        image = run_scale(objective, optimizer, image, first if px == sizes[0] else later)
        state = optimizer.state_dict()
        print(f"{width} x {height}: {(Clock() - start).wall:.0f} s", flush=True)
    values = (image[0].clamp(0, 1) * 255).round().permute(1, 2, 0).to(torch.uint8).numpy()
    Image.fromarray(values).save(options.out)
    return 0


# ---- Time ------------------------------------------------------------------------------------------------------------


def time_torch(objective, options, px):
    content, style = (Image.open(path).convert("RGB") for path in (options.content, options.style))
    width, height = fit(content, px, True)
    objective.set_targets(load(content, (width, height)), [load(style, fit(style, px, False))])
    image = (load(content, (width, height)) / 255).requires_grad_()
    optimizer = torch.optim.Adam([image], lr=0.02, betas=(0.9, 0.99))
    run_scale(objective, optimizer, image, 1)
    start = Clock()
    run_scale(objective, optimizer, image, options.steps)
    return (Clock() - start) / options.steps


def time_nst(options, px):
    """A run of so many steps more, less one of few."""
    def run(steps):
        with tempfile.TemporaryDirectory() as folder:
            start = Clock()
            subprocess.run([options.program, options.content, options.style, "-o", os.path.join(folder, "out.png"), "-q",
                            "--preset", "wasserstein", "--network", options.network, "--size", str(px), "--scales", "1",
                            "--iterations", str(steps)], check=True)
            return Clock() - start
    few = run(2)
    return (run(2 + options.steps) - few) / options.steps


def time_both(options):
    objective = Objective(options.network, torch.float32)
    first, later = (int(count) for count in options.iterations.split(","))
    sizes = scale_sizes(options.size)
    for pair in range(options.pairs):
        totals = {"processor": [0, 0], "wall": [0, 0]}
        for px in sizes:
            both = time_torch(objective, options, px), time_nst(options, px)
            for kind, total in totals.items():
                seconds = [getattr(each, kind) for each in both]
                for i in range(2):
                    total[i] += (first if px == sizes[0] else later) * seconds[i]
                print(f"{px} px, {kind}: PyTorch {seconds[0]:.3f} s a step, nst {seconds[1]:.3f}, ratio {seconds[1] / seconds[0]:.3f}",
                      flush=True)
        for kind, (peer_total, own_total) in totals.items():
            print(f"pair {pair + 1}, whole schedule, {kind}: PyTorch {peer_total:.0f} s, nst {own_total:.0f}, "
                  f"ratio {own_total / peer_total:.3f}", flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    checking = commands.add_parser("check")
    checking.add_argument("program")
    checking.add_argument("network")
    checking.set_defaults(run=check)
    painting = commands.add_parser("paint")
    for name in ("network", "content", "style", "out"):
        painting.add_argument(name)
    painting.add_argument("--size", type=int, default=512)
    painting.add_argument("--iterations", default="1000,500")
    painting.set_defaults(run=paint)
    timing = commands.add_parser("time")
    for name in ("program", "network", "content", "style"):
        timing.add_argument(name)
    timing.add_argument("--size", type=int, default=512)
    timing.add_argument("--iterations", default="333,167")
    timing.add_argument("--steps", type=int, default=20)
    timing.add_argument("--pairs", type=int, default=3)
    timing.set_defaults(run=time_both)
    options = parser.parse_args()
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
