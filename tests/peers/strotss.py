"""The losses of STROTSS (Kolkin, Salavon and Shakhnarovich 2019; the published program, commit 41937e2, but for its network
and the order of its pixels) as a program of our own.

    strotss.py check PRINT_GRADIENT NETWORK.safetensors
        losses and gradient of one evaluation of nst's preset against float64; leaves with 1 if a loss is off by 1e-5.
        (PyTorch's own in float32 is printed beside it.) The pictures have so few pixels that all of them are drawn.

NETWORK has weights of 32 bits (nst weights convert --bits 32). Features count as those of a network whose input goes from 0
to 1, as in src/stylize/recipe_objective.c.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy
import torch

import peer
import pictures

LAYERS = ["relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_3", "relu4_3", "relu5_1"]
CONTENT_WEIGHT, EPSILON = 16, 1e-6
AXES = ((0.577350, 0.577350, 0.577350), (-0.577350, 0.788675, -0.211325), (-0.577350, -0.211325, 0.788675))


def cosine_distances(x, y):
    return 1 - (x / x.norm(dim=1, keepdim=True)) @ (y / y.norm(dim=1, keepdim=True)).T


def relaxed_earth_mover(distances):
    return torch.maximum(distances.min(1).values.mean(), distances.min(0).values.mean())


def colors_apart(x, y):
    axes = torch.tensor(AXES, dtype=x.dtype)
    x, y = x @ axes.T, y @ axes.T
    squares = (x[:, None] - y[None]).square().sum(2)
    return cosine_distances(x, y) + (squares.clamp(1e-5, 1e5) / 3).sqrt()


def moments_apart(x, y):
    def covariance(each):
        centered = each - each.mean(0)
        return centered.T @ centered / len(each)

    return (x.mean(0) - y.mean(0)).abs().mean() + (covariance(x) - covariance(y)).abs().mean()


def shares_of_distance(x):
    distances = cosine_distances(x, x) * (1 - torch.eye(len(x), dtype=x.dtype))
    return distances / (distances.sum(0, keepdim=True) + EPSILON * len(x))


def self_distances_apart(x, y):
    return (shares_of_distance(x) - shares_of_distance(y)).abs().mean() * len(x)


class Objective:
    """Of images of 0..255, red, green, blue."""

    def __init__(self, path, dtype):
        self.network = peer.Network(path, set(LAYERS), dtype)
        self.factor = 1 / (255 * (self.network.range / 255 / self.network.over).mean())

    def columns(self, image, interpolates):
        """Vectors of all pixels: between those of a map, or the one above and to the left."""
        height, width = image.shape[2:]
        found = self.network.features(self.network.to_input(image), set(LAYERS))
        maps = [(image / 255 - 0.5, 1)] + [(found[name] * self.factor, 2 ** (int(name[4]) - 1)) for name in LAYERS]
        columns = []
        for values, stride in maps:
            rows, row_shares = self.places(height, stride, values, interpolates)
            columns_at, column_shares = self.places(width, stride, values, interpolates)
            upper, lower = (self.line(self.line(values[0], 1, rows + next_row), 2, columns_at) * (1 - column_shares)
                            + self.line(self.line(values[0], 1, rows + next_row), 2, columns_at + 1) * column_shares
                            for next_row in (0, 1))
            columns.append((upper * (1 - row_shares[:, None]) + lower * row_shares[:, None]).flatten(1).T)
        return torch.cat(columns, 1)

    @staticmethod
    def places(side, stride, values, interpolates):
        at = torch.arange(side)
        return at // stride, (at % stride).to(values.dtype) / stride * interpolates

    @staticmethod
    def line(values, dimension, places):
        return values.index_select(dimension, places.clamp(max=values.shape[dimension] - 1))

    def set_targets(self, content, style):
        with torch.no_grad():
            self.content, self.style = self.columns(content, True), self.columns(style, False)

    def losses(self, image):
        own = self.columns(image, True)
        return [CONTENT_WEIGHT * self_distances_apart(own, self.content),
                relaxed_earth_mover(cosine_distances(own, self.style)),
                moments_apart(own, self.style),
                relaxed_earth_mover(colors_apart(own[:, :3], self.style[:, :3]))]

    def evaluate(self, image):
        image = image.detach().requires_grad_()
        losses = self.losses(image)
        gradient = torch.autograd.grad(sum(losses), image)[0]
        return [loss.item() for loss in losses], gradient


def check(options):
    good = True
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name + ".png") for name in ("content", "style", "image")]
        pictures.make_picture(files[0], 37, 27, 1)
        pictures.make_picture(files[1], 64, 51, 2)
        pictures.disturb(files[0], files[2], 3)
        output = os.path.join(folder, "gradient")
        command = [options.program, "--image", files[2], "--preset", "strotss", files[0], files[1], options.network, output]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        found = [loss["loss"] for loss in json.loads(printed)["losses"]]
        content, style, image = (peer.read_picture(file) for file in files)
        gradient = torch.from_numpy(numpy.fromfile(output, numpy.float32)).reshape(image.shape)
    evaluations = {}
    for dtype in (torch.float64, torch.float32):
        objective = Objective(options.network, dtype)
        objective.set_targets(content.to(dtype), style.to(dtype))
        evaluations[dtype] = objective.evaluate(image.to(dtype))
    true_losses, true_gradient = evaluations[torch.float64]
    names = ("self-distance", "earth mover", "moments", "palette")
    for name, mine, true, single in zip(names, found, true_losses, evaluations[torch.float32][0], strict=True):
        error = abs(mine / true - 1)
        good = good and error <= 1e-5
        print(f"{name}: {true:.9g}, nst {error:.1e}, PyTorch in float32 {abs(single / true - 1):.1e}")
    errors = [float((each.double() - true_gradient).norm() / true_gradient.norm())
              for each in (gradient, evaluations[torch.float32][1])]
    print(f"gradient: nst {errors[0]:.1e}, PyTorch in float32 {errors[1]:.1e}")
    return 0 if good else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("check")
    command.add_argument("program")
    command.add_argument("network")
    command.set_defaults(act=check)
    options = parser.parse_args()
    return options.act(options)


if __name__ == "__main__":
    sys.exit(main())
