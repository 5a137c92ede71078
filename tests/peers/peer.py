"""The same computation in PyTorch: networks, both objectives, and neural-style-pt's use of L-BFGS.

For the scripts in this folder; a reference to compare with, not a program. It reads what nst reads: PNG files at the size that
they have, and safetensors files with a description of the network (weights/README.md), F32 or codebooks.
Everything works in any floating-point type: float64 is the truth, float32 the peer.

neural-style-pt is github.com/ProGamerGov/neural-style-pt, commit 7251405.
"""
import json
import math
import os
import re
import struct

import numpy
import torch
import torch.nn.functional as functional
from PIL import Image

CONTENT_LAYERS = {"relu4_2": 1.0}
STYLE_LAYERS = {"relu1_1": 1.0, "relu2_1": 1.0, "relu3_1": 1.0, "relu4_1": 1.0, "relu5_1": 1.0}

# Content, style and total variation, as the two presets of nst weigh them.
WEIGHTS = {"neural-style": (5.0, 100.0, 1e-3), "gram": (0.05, 1.0, 0.08)}

INPUTS = {
    "caffe": "BGR, 0..255, minus (103.939, 116.779, 123.68)",
    "torchvision": "RGB, 0..1, minus (0.485, 0.456, 0.406), over (0.229, 0.224, 0.225)",
}

# ---- Files ---------------------------------------------------------------------------------------------------------


def read_picture(path):
    """The picture as it is, uint8 [1, 3, height, width], red, green, blue."""
    pixels = numpy.asarray(Image.open(path).convert("RGB"))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]


def read_safetensors(path):
    """Tensors by name, codes replaced by their values, and the metadata."""
    kinds = {"F32": numpy.float32, "U8": numpy.uint8}
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = numpy.frombuffer(data[begin:end], kinds[entry["dtype"]]).reshape(entry["shape"])
    for name in [name for name in tensors if name.endswith(".codes")]:
        stem = name[: -len(".codes")]
        tensors[stem] = tensors.pop(stem + ".codebook")[tensors.pop(name)]
    # Packed codes stay without a shape, which the description has: [count], and perhaps some values more at the end.
    for name in [name for name in tensors if name.endswith(".packed")]:
        stem = name[: -len(".packed")]
        codebook = tensors.pop(stem + ".codebook")
        bits = len(codebook).bit_length() - 1
        each = numpy.unpackbits(tensors.pop(name), bitorder="little")
        each = each[: len(each) // bits * bits].reshape(-1, bits)
        tensors[stem] = codebook[each @ (1 << numpy.arange(bits))]
    return {name: torch.from_numpy(values.copy()) for name, values in tensors.items()}, metadata


def vgg19_layers():
    """The layers up to relu5_1, under torchvision's names of the tensors."""
    layers, index = [], 0
    for block, count in enumerate([2, 2, 4, 4, 1], start=1):
        for number in range(1, count + 1):
            layers += [{"convolution": f"conv{block}_{number}", "tensor": f"features.{index}"},
                       {"relu": f"relu{block}_{number}"}]
            index += 2
        layers.append({"pooling": f"pool{block}"})
        index += 1
    return layers[:-1]


def read_description(path, metadata):
    """The JSON description in the metadata, or beside the file; without one, VGG-19 under torchvision's names."""
    beside = os.path.splitext(path)[0] + ".json"
    if "nst.network" in metadata:
        return json.loads(metadata["nst.network"])
    if os.path.exists(beside):
        with open(beside, encoding="utf-8") as file:
            return json.load(file)
    return {"layers": vgg19_layers(), "input": metadata["input"]}


# ---- ReLU and maximum pooling --------------------------------------------------------------------------------------


class Selections:
    """ReLU and maximum pooling as they are."""

    def relu(self, name, x):
        return functional.relu(x)

    def pool(self, name, x):
        return functional.max_pool2d(x, 2, 2)


class RecordedSelections(Selections):
    """The same; keeps masks of what they let through, by layer: in each window the first largest, if it is positive."""

    def __init__(self):
        self.masks = {}

    def relu(self, name, x):
        self.masks[name] = x > 0
        return functional.relu(x)

    def pool(self, name, x):
        pooled, places = functional.max_pool2d(x, 2, 2, return_indices=True)
        largest = torch.zeros_like(x, dtype=torch.bool).flatten(2).scatter(2, places.flatten(2), True)
        self.masks[name] = largest.view_as(x) & (x > 0)
        return pooled


class GivenSelections(Selections):
    """Let through what another evaluation did. A ReLU that has no mask is left to the pooling behind it."""

    def __init__(self, masks):
        self.masks = masks
        self.change = 0.0  # the largest of an output by this, relative to the layer's RMS

    def relu(self, name, x):
        return self._compare(x * self.masks[name], functional.relu(x)) if name in self.masks else x

    def pool(self, name, x):
        largest = functional.max_pool2d(functional.relu(x), 2, 2)
        return self._compare(4 * functional.avg_pool2d(x * self.masks[name], 2, 2), largest)

    def _compare(self, given, own):
        change = (given - own).detach().abs().max() / own.detach().square().mean().sqrt()
        self.change = max(self.change, float(change))
        return given


# ---- Network -------------------------------------------------------------------------------------------------------


class Network:
    """A network up to the deepest of the layers asked for."""

    def __init__(self, path, until, dtype=torch.float32, pooling="max"):
        tensors, metadata = read_safetensors(path)
        description = read_description(path, metadata)
        self.pooling = pooling
        self.layers = []
        wanted, channels = set(until), 3
        for layer in description["layers"]:
            kind = next(kind for kind in ("convolution", "relu", "pooling") if kind in layer)
            name = layer[kind]
            step = {"kind": kind, "name": name}
            if kind == "convolution":
                stem = layer.get("tensor", name)
                weight = tensors[stem + ".weight"].to(dtype)
                if weight.ndim == 1:
                    side = layer.get("kernel", 3)
                    shape = (layer["channels"], channels, side, side)
                    weight = weight[: math.prod(shape)].reshape(shape)
                step["weight"], channels = weight, len(weight)
                step["bias"] = tensors[stem + ".bias"].to(dtype) if layer.get("bias", True) else None
                step["padding"] = layer.get("padding", weight.shape[2] // 2)
                step["mode"] = {"zero": "constant"}.get(layer.get("padding_mode", "zero"), layer.get("padding_mode"))
            self.layers.append(step)
            wanted.discard(name)
            if not wanted:
                break
        if wanted:
            raise SystemExit(f"{path}: has no layer {', '.join(sorted(wanted))}")
        self._read_input(description["input"], dtype)

    def _read_input(self, text, dtype):
        text = INPUTS.get(text, text)
        triples = {key: [float(number) for number in numbers.split(",")]
                   for key, numbers in re.findall(r"(minus|over) \((.*?)\)", text)}
        shape = (1, 3, 1, 1)
        self.order = [2, 1, 0] if text.startswith("BGR") else [0, 1, 2]
        self.range = 255.0 if "0..255" in text else 1.0
        self.minus = torch.tensor(triples.get("minus", [0, 0, 0]), dtype=dtype).reshape(shape)
        self.over = torch.tensor(triples.get("over", [1, 1, 1]), dtype=dtype).reshape(shape)

    def to_input(self, image):
        """The network's input for an image of values 0..255, red, green, blue. Without a scale it is left alone, as in
        neural-style-pt, so that no digits are lost."""
        ordered = image[:, self.order]
        if self.range != 255:
            ordered = ordered * (self.range / 255)
        return (ordered - self.minus) / self.over

    def image_differences_scale(self):
        """Differences of the input times this are differences of the image, channel by channel."""
        return self.over * (255 / self.range)

    def convert(self, dtype=None, memory_format=None, device=None):
        """In place: another type, another order in memory, another device."""
        for step in self.layers:
            if step["kind"] == "convolution":
                step["weight"] = step["weight"].to(device, dtype, memory_format=memory_format or torch.preserve_format)
                step["bias"] = None if step["bias"] is None else step["bias"].to(device)
        self.minus, self.over = self.minus.to(device), self.over.to(device)
        return self

    def features(self, x, names, selections=Selections()):
        """Outputs of the named layers for a network input."""
        found = {}
        for step in self.layers:
            if step["kind"] == "relu":
                x = selections.relu(step["name"], x)
            elif step["kind"] == "pooling":
                x = selections.pool(step["name"], x) if self.pooling == "max" else functional.avg_pool2d(x, 2, 2)
            elif step["mode"] == "constant":
                x = functional.conv2d(x, step["weight"], step["bias"], padding=step["padding"])
            else:
                x = functional.pad(x, [step["padding"]] * 4, mode=step["mode"])
                x = functional.conv2d(x, step["weight"], step["bias"])
            if step["name"] in names:
                found[step["name"]] = x
        return found


# ---- Objectives ----------------------------------------------------------------------------------------------------


def gram(features, divisor):
    flat = features.flatten(2)[0]
    return torch.mm(flat, flat.t()) / divisor


class Objective:
    """Losses of a network input against the content and style pictures, which are given as images of 0..255.

    neural-style: neural-style-pt's losses: MSELoss of features, of Gram / (C H W); TV as a sum of absolute differences.
    gram:         nst's own, see src/stylize/recipe.c.
    """

    def __init__(self, kind, network, content, style, weights=None, content_layers=None, style_layers=None):
        self.kind, self.network = kind, network
        self.weights = weights or WEIGHTS[kind]
        self.content_layers = self._layer_weights(content_layers or CONTENT_LAYERS)
        self.style_layers = self._layer_weights(style_layers or STYLE_LAYERS)
        self.names = set(self.content_layers) | set(self.style_layers)
        with torch.no_grad():
            found = network.features(network.to_input(content), self.names)
            self.content_targets = {name: found[name] for name in self.content_layers}
            found = network.features(network.to_input(style), self.names)
            self.style_targets = {name: self._gram(found[name]) for name in self.style_layers}

    def _layer_weights(self, layers):
        total = sum(layers.values()) if self.kind == "gram" else 1
        return {name: weight / total for name, weight in layers.items()}

    def _gram(self, features):
        pixels = features.shape[2] * features.shape[3]
        return gram(features, pixels if self.kind == "gram" else features.numel())

    def _distance(self, value, target):
        if self.kind == "gram":
            return (value - target).square().sum() / target.square().sum()
        return functional.mse_loss(value, target)

    def _total_variation(self, x):
        x = x * self.network.image_differences_scale() if self._is_scaled() else x
        down, right = x[:, :, 1:] - x[:, :, :-1], x[:, :, :, 1:] - x[:, :, :, :-1]
        if self.kind == "gram":
            return (down.square().sum() + right.square().sum()) / 255**2 / x.numel()
        return down.abs().sum() + right.abs().sum()

    def _is_scaled(self):
        return self.network.range != 255 or bool((self.network.over != 1).any())

    def losses(self, x, selections=Selections()):
        """[(kind, layer, weighted loss)], in nst's order."""
        content, style, tv = self.weights
        found = self.network.features(x, self.names, selections)
        result = [("content", name, content * weight * self._distance(found[name], self.content_targets[name]))
                  for name, weight in self.content_layers.items()]
        result += [("style", name, style * weight * self._distance(self._gram(found[name]), self.style_targets[name]))
                   for name, weight in self.style_layers.items()]
        if tv > 0:
            result.append(("tv", "tv", tv * self._total_variation(x)))
        return result

    def evaluate(self, x):
        """Total, losses, and gradient with respect to the network input."""
        x = x.detach().requires_grad_()
        losses = self.losses(x)
        total = sum(loss for _, _, loss in losses)
        gradient = torch.autograd.grad(total, x)[0]
        return total.item(), [(kind, name, loss.item()) for kind, name, loss in losses], gradient

    def image_gradient(self, image, selections=Selections()):
        """As evaluate, with respect to an image of values 0..255, red, green, blue."""
        image = image.detach().requires_grad_()
        losses = self.losses(self.network.to_input(image), selections)
        total = sum(loss for _, _, loss in losses)
        gradient = torch.autograd.grad(total, image)[0]
        return total.item(), [(kind, name, loss.item()) for kind, name, loss in losses], gradient


# ---- Optimization --------------------------------------------------------------------------------------------------


def run_optimizer(objective, x, evaluations, optimizer="lbfgs", report=None):
    """As neural-style-pt does it, on the network input. Returns the totals of the evaluations; `report` is called with the
    number and the total of each."""
    x = x.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
    totals = []

    def closure():
        chosen.zero_grad()
        loss = sum(loss for _, _, loss in objective.losses(x))
        loss.backward()
        totals.append(loss.item())
        if report:
            report(len(totals), totals[-1])
        return loss

    if optimizer == "lbfgs":
        chosen = torch.optim.LBFGS([x], max_iter=evaluations, tolerance_change=-1, tolerance_grad=-1, history_size=100)
        while len(totals) < evaluations:
            chosen.step(closure)
    else:
        chosen = torch.optim.Adam([x], lr=1)
        for _ in range(evaluations):
            chosen.step(closure)
    return totals
