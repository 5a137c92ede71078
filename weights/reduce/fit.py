"""fit.py: the reduced network, layer after layer.

Each layer is made for the inputs that the layers before it give, these being rounded already, and for the original's outputs, so
that it makes up for what they lost: the original's weights, adapted; split into a projection and a convolution (projections.py);
the projection rounded (quantize.py); the convolution fitted to what is left (refit.py), and rounded too.
"""

import projections
import quantize
import refit
import torch
import torch.nn.functional as functional
from networks import PROJECTION, RANKS, VGG19, convolve


def rounded(weight, bias, inputs, bits):
    """A convolution's weights [out, n] as few values, and its biases, which keep the mean of the outputs."""
    values = quantize.round_with_feedback(weight, refit.second_moments(inputs), bits)
    return values, bias - (values - weight) @ inputs.mean(0)


def fit_layer(layer, original, states, bits, generator):
    """The layer's weights: {name: (weight, bias)}. States are pairs of the original's and the reduced network's inputs."""
    weight, bias, moments = projections.adapted(*original[layer.name], states)
    weights, inputs = {}, [found for _, found in states]
    if layer.name in RANKS:
        name = layer.name + PROJECTION
        projection, weight = projections.split(weight, moments, RANKS[layer.name])
        flat = quantize.round_with_feedback(projection.flatten(1).float(), moments, bits[name])
        projection = flat.view(projection.shape)
        weights[name] = projection, torch.zeros(len(projection))
        inputs = [functional.conv2d(found, projection) for found in inputs]
    shape, weight, bias = weight.shape, weight.flatten(1).float(), bias.float()
    wanted = [functional.relu(convolve(layer, original, features)) for features, _ in states]
    sampled, outputs = refit.samples(inputs, wanted, layer.kernel, generator)
    weight, bias = refit.refit(weight, bias, sampled, outputs)
    weight, bias = rounded(weight, bias, sampled, bits[layer.name])
    weights[layer.name] = weight.view(shape), bias
    following = [functional.relu(convolve(layer, weights, features)) for features in inputs]
    return weights, list(zip(wanted, following))


def fit(original, pictures, bits, generator, progress):
    """The weights of all reduced layers with at most 2^bits values in each: {name: (weight, bias)}. `bits`: {name: 1 to 8};
    VGG's layers that it does not name stay as they are, and nothing may be lost before them."""
    weights = {}
    states = [(picture, picture) for picture in pictures]  # features in the original and in the reduced network
    for layer in progress("fitting", VGG19):
        if layer.is_pooling:
            states = [tuple(functional.max_pool2d(features, 2) for features in state) for state in states]
        elif layer.name not in bits:
            weights[layer.name] = original[layer.name]
            outputs = [functional.relu(convolve(layer, original, features)) for _, features in states]
            states = list(zip(outputs, outputs))
        else:
            made, states = fit_layer(layer, original, states, bits, generator)
            weights.update(made)
    return weights
