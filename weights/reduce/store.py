"""store.py: the reduced network as a file for nst: 8-bit codes and a codebook for each layer (weights/README.md)."""

import json
import os

import torch
from safetensors.torch import save_file

CODES = 256
ROUNDS = 40


def nearest(codebook, values):
    """The index of the nearest entry of an ascending codebook, for each value."""
    return torch.bucketize(values, (codebook[1:] + codebook[:-1]) / 2)


def fit_codebook(weight):
    """Codes [as weight] and an ascending codebook with the least squared error: k-means in one dimension (Lloyd 1982),
    begun where the cube root of the density asks for it (Panter and Dite 1951)."""
    values = weight.flatten().double()
    distinct = values.unique()
    if len(distinct) <= CODES:
        return nearest(distinct, values).to(torch.uint8).view(weight.shape), distinct.float()
    counts, edges = torch.histogram(values, 4096)
    density = counts.pow(1 / 3).cumsum(0)
    at = torch.searchsorted(density, density[-1] * (torch.arange(CODES) + 0.5) / CODES)
    codebook = (edges[at] + edges[at + 1]) / 2
    for _ in range(ROUNDS):
        codes = nearest(codebook, values)
        count = torch.bincount(codes, minlength=CODES)
        mean = torch.bincount(codes, weights=values, minlength=CODES) / count
        codebook = torch.where(count > 0, mean, codebook).sort().values
    codebook = codebook.float()
    return nearest(codebook.double(), values).to(torch.uint8).view(weight.shape), codebook


def quantized(weights):
    """The weights as they come back from the file: {name: (weight, bias)}."""
    result = {}
    for name, (weight, bias) in weights.items():
        codes, codebook = fit_codebook(weight)
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


def write(path, layers, weights, origin):
    """Writes the file, complete or not at all."""
    tensors = {}
    for name, (weight, bias) in weights.items():
        tensors[name + ".weight.codes"], tensors[name + ".weight.codebook"] = fit_codebook(weight)
        tensors[name + ".bias"] = bias.detach().clone()
    save_file(tensors, f"{path}.part", metadata={"nst.network": description(layers, origin)})
    os.replace(f"{path}.part", path)
