"""quantize.py: the reduced network's weights as few values per layer, chosen so that its outputs change little.

A layer's values are a codebook, fitted by k-means. Which of them stands for a weight is decided input by input: the error
that rounding makes for one input is made up for, as well as can be, by the weights of the inputs that are not rounded yet (Frantar
et al. 2022, GPTQ, arXiv:2210.17323). With H the second moments of the layer's inputs and U the upper Cholesky factor of H^-1,

    q_j = nearest(w_j),    w_k -= (w_j - q_j) U_jk / U_jj  for all k > j.

VGG's features point mostly in one direction, in which errors would otherwise add up: at the same number of bits this leaves a
tenth of the error in the outputs or less. Layers go in order, with the inputs that the rounded layers before them give.
"""

import torch
import torch.nn.functional as functional

from networks import PROJECTION, convolve
from store import fit_codebook, nearest

POSITIONS = 256  # of each picture and layer, at random
DAMPING = 0.01   # of the mean second moment
COLUMNS = 64     # rounded before the rest is brought up to date


def patches(features, positions, kernel):
    """The inputs of a convolution at some positions: features [1, c, h, w] to [positions, c * kernel^2]."""
    width, margin = features.shape[3], kernel // 2
    rows, columns = positions // width, positions % width
    padded = functional.pad(features, (margin,) * 4)
    windows = [padded[0, :, rows + i, columns + j] for i in range(kernel) for j in range(kernel)]
    return torch.stack(windows, 2).permute(1, 0, 2).reshape(len(positions), -1)


def round_with_feedback(weights, moments, codebook):
    """Weights [out, n] as values of the codebook, for inputs with second moments [n, n]."""
    count = len(moments)
    order = moments.diagonal().argsort(descending=True)
    moments = moments[order][:, order].double()
    moments += DAMPING * moments.diagonal().mean() * torch.eye(count)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(moments))
    factor = torch.linalg.cholesky(inverse, upper=True).float()
    weights, rounded = weights[:, order], torch.zeros_like(weights)
    for start in range(0, count, COLUMNS):
        end = min(count, start + COLUMNS)
        errors = torch.zeros(len(weights), end - start)
        for j in range(start, end):
            rounded[:, j] = codebook[nearest(codebook, weights[:, j].contiguous())]
            errors[:, j - start] = (weights[:, j] - rounded[:, j]) / factor[j, j]
            weights[:, j:end] -= errors[:, j - start, None] * factor[j, j:end]
        weights[:, end:] -= errors @ factor[start:end, end:]
    result = torch.empty_like(rounded)
    result[:, order] = rounded
    return result


def with_even_projections(layers, weights):
    """The same network with projections whose rows have length 1, which suits one codebook; the convolutions behind them
    make up for it."""
    result = dict(weights)
    for projection, layer in zip(layers, layers[1:]):
        if projection.name.endswith(PROJECTION):
            rows, (behind, bias) = result[projection.name][0], result[layer.name]
            lengths = rows.flatten(1).norm(dim=1)
            result[projection.name] = rows / lengths[:, None, None, None], result[projection.name][1] / lengths
            result[layer.name] = behind * lengths[None, :, None, None], bias
    return result


def quantize(layers, weights, pictures, bits, generator, progress):
    """The network with at most 2^bits values in each layer: {name: (weight, bias)}. `bits`: {name: 1 to 8}; layers that it
    does not name stay. The pictures are what outputs are compared on."""
    weights, result = with_even_projections(layers, weights), {}
    states = list(pictures)
    for layer in progress("rounding", layers):
        if layer.is_pooling:
            states = [functional.max_pool2d(features, 2) for features in states]
            continue
        weight, bias = weights[layer.name]
        if layer.name in bits:
            inputs = torch.cat([patches(features, torch.randperm(features[0, 0].numel(), generator=generator)[:POSITIONS],
                                        layer.kernel) for features in states])
            flat = weight.flatten(1)
            codebook = fit_codebook(flat, bits[layer.name])
            rounded = round_with_feedback(flat, inputs.T @ inputs, codebook)
            bias = bias - (rounded - flat) @ inputs.mean(0)
            weight = rounded.view(weight.shape)
        result[layer.name] = weight, bias
        states = [convolve(layer, result, features) for features in states]
        if layer.relu:
            states = [functional.relu(features) for features in states]
    return result
