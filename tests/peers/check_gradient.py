"""Checks losses and image gradient of one evaluation of nst's objective against PyTorch in float64.

    check_gradient.py [OPTION...] PRINT_GRADIENT NETWORK...

PRINT_GRADIENT is the program of that name (cmake --build BUILD --target print_gradient). The pictures are made here, or given.

Where a ReLU's input is nearly 0, or the two largest values of a pooling window nearly agree, rounding decides which side a
program is on, and the gradient jumps: one such jump can outweigh all other errors a thousandfold. So each evaluation is
compared with float64 that lets through the same elements as that evaluation did; and what it lets through may change no
output of a layer by more than 1e-5 of the layer's RMS, so that only rounding can have decided.

An error is the relative L2 error of the gradient, the RMS over several images. PyTorch's own in float32 is the measure:
the direct and the plain engine may have twice as much, Winograd ten times. A loss may be off by 1e-5 of it. Leaves with 1
if anything is worse.

    --engines A,B         of plain, direct, winograd [direct,winograd]
    --sizes WxH,WxH       [128x96,97x61]
    --images N            [3]
    --cases N             only the first N of each network: objectives, poolings, layers [all]
    --content FILE --style FILE   pictures, taken at their own size, instead of made ones
    --report FILE         the table goes there too
"""
import argparse
import collections
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

import numpy
import torch
from PIL import Image

import peer
import pictures

ALLOWED = {"PyTorch": 1, "plain": 2, "direct": 2, "winograd": 10}
ALLOWED_LOSS = 1e-5
ALLOWED_CHANGE = 1e-5

# ---- Inputs --------------------------------------------------------------------------------------------------------


def quarter_width_layers():
    """VGG-19 with a quarter of the channels (Wang et al. 2020): a color transform, then reflection padding."""
    layers = [{"convolution": "conv0", "kernel": 1}]
    for layer in peer.vgg19_layers():
        if "convolution" in layer:
            name = layer["convolution"]
            layer = {"convolution": name, "tensor": name.replace("_", ""), "padding_mode": "reflect"}
        layers.append(layer)
    return layers


def describe(path, folder):
    """The network, with a description beside it if it has none and is known here."""
    tensors, metadata = peer.read_safetensors(path)
    if "conv11.weight" not in tensors:
        return path
    copy = os.path.join(folder, os.path.basename(path))
    shutil.copyfile(path, copy)
    with open(os.path.splitext(copy)[0] + ".json", "w", encoding="utf-8") as file:
        json.dump({"format": 1, "name": "quarter", "input": metadata["input"], "layers": quarter_width_layers()}, file)
    return copy


# ---- Cases ---------------------------------------------------------------------------------------------------------


def layer_names(path):
    metadata = peer.read_safetensors(path)[1]
    layers = peer.read_description(path, metadata)["layers"]
    tensors = peer.read_safetensors(path)[0]
    names = []
    for layer in layers:
        if "convolution" in layer and layer.get("tensor", layer["convolution"]) + ".weight" not in tensors:
            break
        names.append(next(layer[kind] for kind in ("convolution", "relu", "pooling") if kind in layer))
    return names


def cases(path, sizes):
    """(objective, pooling, size, content layers, style layers)"""
    names = set(layer_names(path))
    usual_content = peer.CONTENT_LAYERS if "relu4_2" in names else {"relu3_2": 1.0}
    usual_style = {name: weight for name, weight in peer.STYLE_LAYERS.items() if name in names}
    for size in sizes:
        yield "neural-style", "max", size, usual_content, usual_style
        yield "gram", "max", size, usual_content, usual_style
        yield "gram", "average", size, usual_content, usual_style
    other_content = {"relu2_2": 1.0, "relu3_3": 0.25}
    other_style = {"relu1_2": 1.0, "relu2_2": 0.5, "relu3_1": 2.0, "relu3_3": 1.0}
    yield "gram", "max", sizes[-1], other_content, other_style


def text_of(layers):
    return ",".join(f"{name}:{weight:g}" for name, weight in layers.items())


def rms(values):
    return math.sqrt(statistics.fmean(value**2 for value in values))


def make_objective(dtype, path, files, case):
    objective_kind, pooling, _, content_layers, style_layers = case
    content, style = (peer.read_picture(picture).to(dtype) for picture in files[:2])
    network = peer.Network(path, set(content_layers) | set(style_layers), dtype, pooling)
    return peer.Objective(objective_kind, network, content, style, None, content_layers, style_layers)


def read_selections(path):
    """Masks by layer: see print_gradient.c."""
    masks = {}
    with open(path, "rb") as file:
        while line := file.readline().decode():
            name, *shape = line.split()
            channels, height, width = (int(number) for number in shape)
            values = numpy.frombuffer(file.read(channels * height * width), numpy.bool_)
            masks[name] = torch.from_numpy(values.copy()).reshape(1, channels, height, width)
    return masks


def evaluate_nst(program, engine, path, files, case, folder):
    """Losses, gradient and masks."""
    objective_kind, pooling, _, content_layers, style_layers = case
    content, style, image = files
    output = os.path.join(folder, "gradient")
    command = [program, "--image", image, "--preset", objective_kind, "--pooling", pooling, "--engine", engine,
               "--content-layers", text_of(content_layers), "--style-layers", text_of(style_layers), content, style, path,
               output]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    found = json.loads(printed)
    if found["with_engine"] <= found["with_another"]:
        sys.exit(f"check_gradient: only {found['with_engine']} convolutions took the {engine} engine, "
                 f"{found['with_another']} another")
    height, width = peer.read_picture(content).shape[2:]
    gradient = torch.from_numpy(numpy.fromfile(output, numpy.float32)).reshape(1, 3, height, width)
    losses = [(loss["kind"], loss["layer"], loss["loss"]) for loss in found["losses"]]
    return losses, gradient, read_selections(output + ".selections")


def evaluate_peer(objective, image):
    """The same of PyTorch in float32."""
    selections = peer.RecordedSelections()
    _, losses, gradient = objective.image_gradient(image.float(), selections)
    return losses, gradient, selections.masks


Errors = collections.namedtuple("Errors", "gradient loss change flips")


def compare(evaluation, truth, image, own_masks):
    """With what `truth`, an objective in float64, finds where it lets through the same."""
    losses, gradient, masks = evaluation
    selections = peer.GivenSelections(masks)
    total, true_losses, true_gradient = truth.image_gradient(image.double(), selections)
    assert [loss[:2] for loss in losses] == [loss[:2] for loss in true_losses]
    # Relative to the loss or, where that is small, to a thousandth of the total.
    loss = max(abs(a - b) / max(abs(b), 1e-3 * abs(total)) for (_, _, a), (_, _, b) in zip(losses, true_losses))
    flips = sum(int((mask != own_masks[name]).sum()) for name, mask in masks.items())
    return Errors(float((gradient.double() - true_gradient).norm() / true_gradient.norm()), loss, selections.change, flips)


def check(options, path, case, folder):
    """Prints a row for each engine; returns the rows and whether all is well."""
    files = [os.path.join(folder, name + ".png") for name in ("content", "style", "image")]
    if options.content:
        files[:2] = options.content, options.style
    else:
        pictures.make_picture(files[0], *case[2], 1)
        pictures.make_picture(files[1], case[2][0] - 16, case[2][1] + 5, 2)
    truth, single = (make_objective(dtype, path, files, case) for dtype in (torch.float64, torch.float32))
    found = {name: [] for name in ["PyTorch"] + options.engines.split(",")}
    for seed in range(options.images):
        pictures.disturb(files[0], files[2], 3 + seed)  # the content itself has no content loss
        image = peer.read_picture(files[2])
        own = peer.RecordedSelections()
        with torch.no_grad():
            truth.losses(truth.network.to_input(image.double()), own)
        for name, errors in found.items():
            evaluation = (evaluate_peer(single, image) if name == "PyTorch" else
                          evaluate_nst(options.program, name, path, files, case, folder))
            errors.append(compare(evaluation, truth, image, own.masks))
    measure = rms(errors.gradient for errors in found["PyTorch"])
    width, height = Image.open(files[0]).size
    rows, good = [], True
    for engine, errors in found.items():
        gradient = rms(error.gradient for error in errors)
        ratio = gradient / measure
        loss, change = (max(getattr(error, name) for error in errors) for name in ("loss", "change"))
        fine = ratio <= ALLOWED[engine] and loss <= ALLOWED_LOSS and change <= ALLOWED_CHANGE
        good = good and fine
        rows.append(f"| {os.path.basename(path)} | {case[0]} | {case[1]} | {width}x{height} | {engine} | {gradient:.1e} | "
                    f"{ratio:.2f} | {loss:.0e} | {sum(error.flips for error in errors)} | {change:.0e} | "
                    f"{'ok' if fine else 'WORSE'} |")
        print(rows[-1], flush=True)
    return rows, good


HEADER = """| network | objective | pooling | size | engine | gradient's error | over PyTorch's | losses' | flips | change by one | |
|---|---|---|---|---|---|---|---|---|---|---|"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("networks", nargs="+")
    parser.add_argument("--engines", default="direct,winograd")
    parser.add_argument("--sizes", default="128x96,97x61")
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--content")
    parser.add_argument("--style")
    parser.add_argument("--report")
    options = parser.parse_args()
    sizes = [tuple(int(side) for side in size.split("x")) for size in options.sizes.split(",")]
    rows, good = [HEADER], True
    print(HEADER, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for network in options.networks:
            path = describe(network, folder)
            for case in list(cases(path, [None] if options.content else sizes))[: options.cases]:
                found, fine = check(options, path, case, folder)
                rows += found
                good = good and fine
    if options.report:
        with open(options.report, "w", encoding="utf-8") as file:
            file.write("\n".join(rows) + "\n")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
