"""Rewrites VGG-19 as if it had been trained for torchvision's input, to show that the same command gives the same look.

Usage: torchvision_convention.py VGG19.safetensors OUT.safetensors   (needs NumPy; VGG19 from `nst weights convert --bits 32`)

The input convention is folded into conv1_1, and the activations of every layer are scaled by a factor of their own, which
a network of ReLUs allows: weights by factor / factor of the layer before, biases by factor. Inside, the new network sees
what the old one sees, times the factors. At the border it does not: beyond it lies 0, which is the mean that was
subtracted, and torchvision's mean is up to half a gray level from Caffe's.
"""
import json
import struct
import sys

import numpy

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torchvision's, of R, G, B in 0..1
CAFFE_MEAN = (103.939, 116.779, 123.68)  # of B, G, R in 0..255
CONVOLUTIONS = (2, 2, 4, 4, 4)


def read(path):
    data = open(path, "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        assert entry["dtype"] == "F32", "convert it with --bits 32 first"
        tensors[name] = numpy.frombuffer(data[begin:end], "<f4").reshape(entry["shape"]).astype("float64")
    return tensors


def write(path, tensors):
    header, data = {}, b""
    for name, values in tensors.items():
        values = numpy.ascontiguousarray(values, "<f4")
        header[name] = {"dtype": "F32", "shape": values.shape, "data_offsets": (len(data), len(data) + values.nbytes)}
        data += values.tobytes()
    text = json.dumps(header).encode()
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + data)


def fold_input(weight, bias):
    """What conv1_1 makes of B, G, R in 0..255 less Caffe's mean, from R, G, B in torchvision's way."""
    folded = numpy.empty_like(weight)
    for channel in range(3):
        caffe = weight[:, 2 - channel]
        folded[:, channel] = caffe * 255 * DEVIATION[channel]
        bias = bias + caffe.sum(axis=(1, 2)) * (255 * MEAN[channel] - CAFFE_MEAN[2 - channel])
    return folded, bias


def main(source, target):
    tensors, result = read(source), {}
    random = numpy.random.default_rng(19)
    before, place = 1.0, 0
    for block, count in enumerate(CONVOLUTIONS, 1):
        for number in range(1, count + 1):
            name = f"conv{block}_{number}"
            if name + ".weight" not in tensors:
                break
            weight, bias = tensors[name + ".weight"], tensors[name + ".bias"]
            if place == 0:
                weight, bias = fold_input(weight, bias)
            factor = 10 ** random.uniform(-2, 2)
            result[f"features.{place}.weight"] = weight * factor / before
            result[f"features.{place}.bias"] = bias * factor
            print(f"{name}: {factor:.3g} times as large")
            before, place = factor, place + 2
        place += 1
    write(target, result)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
