"""store.py: the reduced network as a file for nst: codes and a codebook for each layer (weights/README.md)."""

import json
import os

import numpy
import torch
from safetensors.torch import save_file

ROUNDS = 40


def nearest(codebook, values):
    """The index of the nearest entry of an ascending codebook, for each value."""
    return torch.bucketize(values, (codebook[1:] + codebook[:-1]) / 2)


def fit_codebook(weight, bits=8):
    """Codes [as weight] and an ascending codebook of at most 2**bits values with the least squared error: k-means in one
    dimension (Lloyd 1982), begun where the cube root of the density asks for it (Panter and Dite 1951)."""
    size = 2**bits
    values = weight.flatten().double()
    distinct = values.unique()
    if len(distinct) <= size:
        return nearest(distinct, values).to(torch.uint8).view(weight.shape), distinct.float()
    counts, edges = torch.histogram(values, 4096)
    density = counts.pow(1 / 3).cumsum(0)
    at = torch.searchsorted(density, density[-1] * (torch.arange(size) + 0.5) / size)
    codebook = (edges[at] + edges[at + 1]) / 2
    for _ in range(ROUNDS):
        codes = nearest(codebook, values)
        count = torch.bincount(codes, minlength=size)
        mean = torch.bincount(codes, weights=values, minlength=size) / count
        codebook = torch.where(count > 0, mean, codebook).sort().values
    codebook = codebook.float()
    return nearest(codebook.double(), values).to(torch.uint8).view(weight.shape), codebook


def pack(codes, bits):
    """Codes below 2**bits as bytes: the first in the lowest bits of the first byte, the last byte filled up with zeros."""
    each = codes.flatten().numpy()[:, None] >> numpy.arange(bits, dtype=numpy.uint8) & 1
    return torch.from_numpy(numpy.packbits(each, bitorder="little"))


def quantized(weights, bits):
    """The weights as they come back from the file: {name: (weight, bias)}. `bits`: of a layer's codes, {name: 1 to 8},
    8 for a layer that it does not name."""
    result = {}
    for name, (weight, bias) in weights.items():
        codes, codebook = fit_codebook(weight, bits.get(name, 8))
        result[name] = codebook[codes.long()], bias
    return result


def description(layers, origin):
    """What nst reads from the metadata, as JSON."""
    described = []
    for layer in layers:
        if layer.is_pooling:
            described.append({"pooling": layer.name})
            continue
        described.append({"convolution": layer.name, "channels": layer.channels, "kernel": layer.kernel})
        if layer.relu:
            described.append({"relu": layer.feature})
    return json.dumps({"format": 1, "name": "vgg19-reduced", "input": "caffe",
                       "licence": "CC BY 4.0 (Simonyan and Zisserman)", "origin": origin, "layers": described},
                      separators=(",", ":"))


def write(path, layers, weights, bits, origin):
    """Writes the file, complete or not at all. `bits` as for quantized."""
    tensors = {}
    for name, (weight, bias) in weights.items():
        layer_bits = bits.get(name, 8)
        codes, codebook = fit_codebook(weight, layer_bits)
        if layer_bits < 8:
            tensors[name + ".weight.packed"] = pack(codes, layer_bits)
            codebook = torch.cat((codebook, codebook[-1:].expand(2**layer_bits - len(codebook))))
        else:
            tensors[name + ".weight.codes"] = codes
        tensors[name + ".weight.codebook"] = codebook
        tensors[name + ".bias"] = bias.detach().clone()
    save_file(tensors, f"{path}.part", metadata={"nst.network": description(layers, origin)})
    os.replace(f"{path}.part", path)
