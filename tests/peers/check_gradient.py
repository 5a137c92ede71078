"""Checks losses and image gradient of one evaluation of nst's objective against PyTorch in float64.

    check_gradient.py [OPTION...] PRINT_GRADIENT NETWORK...

PRINT_GRADIENT is the program of that name (cmake --build BUILD --target print_gradient). The pictures are made here, or given.
An error is the relative L2 error of the gradient, the median over several images: where the two largest values of a pooling
window nearly agree, or a ReLU's input is nearly 0, the gradient jumps, and rounding decides which side a program is on. One
such jump outweighs all other errors. PyTorch's own error in float32 is the measure: the direct and the plain engine may
have twice as much, Winograd ten times. A loss may be off by 1e-5 of it. Leaves with 1 if anything is worse.

    --engines A,B         of plain, direct, winograd [direct,winograd]
    --sizes WxH,WxH       [128x96,97x61]
    --images N            [5]
    --cases N             only the first N of each network: objectives, poolings, layers [all]
    --content FILE --style FILE   pictures, taken at their own size, instead of made ones
    --report FILE         the table goes there too
"""
import argparse
import json
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

ALLOWED = {"plain": 2, "direct": 2, "winograd": 10}
ALLOWED_LOSS = 1e-5

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
        yield "normalized", "max", size, usual_content, usual_style
        yield "normalized", "average", size, usual_content, usual_style
    other_content = {"relu2_2": 1.0, "relu3_3": 0.25}
    other_style = {"relu1_2": 1.0, "relu2_2": 0.5, "relu3_1": 2.0, "relu3_3": 1.0}
    yield "normalized", "max", sizes[-1], other_content, other_style


def text_of(layers):
    return ",".join(f"{name}:{weight:g}" for name, weight in layers.items())


def relative(value, truth):
    return float((value.double() - truth).norm() / truth.norm())


def evaluate_peer(dtype, path, files, case):
    objective_kind, pooling, _, content_layers, style_layers = case
    content, style, image = (peer.read_picture(picture).to(dtype) for picture in files)
    network = peer.Network(path, set(content_layers) | set(style_layers), dtype, pooling)
    objective = peer.Objective(objective_kind, network, content, style, None, content_layers, style_layers)
    return objective.image_gradient(image)


def evaluate_nst(program, engine, path, files, case, folder):
    objective_kind, pooling, _, content_layers, style_layers = case
    content, style, image = files
    output = os.path.join(folder, "gradient")
    command = [program, "--image", image, "--objective", objective_kind, "--pooling", pooling, "--engine", engine,
               "--content-layers", text_of(content_layers), "--style-layers", text_of(style_layers), content, style, path,
               output]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    found = json.loads(printed)
    if found["with_engine"] <= found["with_another"]:
        sys.exit(f"check_gradient: only {found['with_engine']} convolutions took the {engine} engine, "
                 f"{found['with_another']} another")
    height, width = peer.read_picture(content).shape[2:]
    gradient = torch.from_numpy(numpy.fromfile(output, numpy.float32)).reshape(1, 3, height, width)
    return found["losses"], gradient


def loss_error(losses, truth, total):
    """The largest error of a loss, relative to that loss or, where that is small, to a thousandth of the total."""
    return max(abs(a - b) / max(abs(b), 1e-3 * abs(total)) for a, b in zip(losses, truth))


def compare(options, path, files, case, folder):
    """[(gradient error, loss error)] of PyTorch in float32 and of each engine, at one image."""
    total, truth, gradient = evaluate_peer(torch.float64, path, files, case)
    _, losses32, gradient32 = evaluate_peer(torch.float32, path, files, case)
    truth_losses = [loss for _, _, loss in truth]
    errors = {"PyTorch": (relative(gradient32, gradient),
                          loss_error([loss for _, _, loss in losses32], truth_losses, total))}
    for engine in options.engines.split(","):
        losses, found = evaluate_nst(options.program, engine, path, files, case, folder)
        assert [(loss["kind"], loss["layer"]) for loss in losses] == [(kind, name) for kind, name, _ in truth]
        errors[engine] = (relative(found, gradient), loss_error([loss["loss"] for loss in losses], truth_losses, total))
    return errors


def check(options, path, case, folder):
    """Prints a row for each engine; returns the rows and whether all is well."""
    files = [os.path.join(folder, name + ".png") for name in ("content", "style", "image")]
    if options.content:
        files[:2] = options.content, options.style
    else:
        pictures.make_picture(files[0], *case[2], 1)
        pictures.make_picture(files[1], case[2][0] - 16, case[2][1] + 5, 2)
    found = []
    for seed in range(options.images):
        pictures.disturb(files[0], files[2], 3 + seed)  # the content itself has no content loss
        found.append(compare(options, path, files, case, folder))
    gradient = {name: statistics.median(errors[name][0] for errors in found) for name in found[0]}
    losses = {name: max(errors[name][1] for errors in found) for name in found[0]}
    width, height = Image.open(files[0]).size
    rows, good = [], True
    for engine in options.engines.split(","):
        ratio = gradient[engine] / gradient["PyTorch"]
        fine = ratio <= ALLOWED[engine] and losses[engine] <= ALLOWED_LOSS
        good = good and fine
        rows.append(f"| {os.path.basename(path)} | {case[0]} | {case[1]} | {width}x{height} | {engine} | "
                    f"{gradient['PyTorch']:.1e} | {gradient[engine]:.1e} | {ratio:.2f} | {losses['PyTorch']:.0e} | "
                    f"{losses[engine]:.0e} | {'ok' if fine else 'WORSE'} |")
        print(rows[-1], flush=True)
    return rows, good


HEADER = """| network | objective | pooling | size | engine | gradient, PyTorch float32 | nst | ratio | losses, PyTorch | nst | |
|---|---|---|---|---|---|---|---|---|---|---|"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("networks", nargs="+")
    parser.add_argument("--engines", default="direct,winograd")
    parser.add_argument("--sizes", default="128x96,97x61")
    parser.add_argument("--images", type=int, default=5)
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
