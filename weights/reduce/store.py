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


def fit_codebook(weight, bits):
    """At most 2**bits values, ascending, with the least squared error: k-means in one dimension (Lloyd 1982), begun where the
    cube root of the density asks for it (Panter and Dite 1951)."""
    size = 2**bits
    values = weight.flatten().double()
    distinct = values.unique()
    if len(distinct) <= size:
        return distinct.float()
    counts, edges = torch.histogram(values, 4096)
    density = counts.pow(1 / 3).cumsum(0)
    at = torch.searchsorted(density, density[-1] * (torch.arange(size) + 0.5) / size)
    codebook = (edges[at] + edges[at + 1]) / 2
    for _ in range(ROUNDS):
        codes = nearest(codebook, values)
        count = torch.bincount(codes, minlength=size)
        mean = torch.bincount(codes, weights=values, minlength=size) / count
        codebook = torch.where(count > 0, mean, codebook).sort().values
    return codebook.float()


def pack(codes, bits):
    """Codes below 2**bits as bytes: the first in the lowest bits of the first byte, the last byte filled up with zeros."""
    each = codes.flatten().numpy()[:, None] >> numpy.arange(bits, dtype=numpy.uint8) & 1
    return torch.from_numpy(numpy.packbits(each, bitorder="little"))


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
    """Writes the file, complete or not at all. Weights of at most 256 different values become codes, packed where they are
    at most 128; others stay as they are."""
    tensors = {}
    for name, (weight, bias) in weights.items():
        tensors[name + ".bias"] = bias.detach().clone()
        codebook, codes = weight.unique(return_inverse=True)
        if len(codebook) > 256 or 2 * len(codebook) >= weight.numel():
            tensors[name + ".weight"] = weight.detach().clone().contiguous()
            continue
        bits = max(1, (len(codebook) - 1).bit_length())
        codes = codes.to(torch.uint8).view(weight.shape)
        if bits < 8:
            codebook = torch.cat((codebook, codebook[-1:].expand(2**bits - len(codebook))))
        tensors[name + (".weight.codes" if bits == 8 else ".weight.packed")] = codes if bits == 8 else pack(codes, bits)
        tensors[name + ".weight.codebook"] = codebook
    save_file(tensors, f"{path}.part", metadata={"nst.network": description(layers, origin)})
    os.replace(f"{path}.part", path)
