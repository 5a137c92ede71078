"""start.py: the reduced network before its refinement, by least squares.

Which channels stay: from the deepest narrow layer to the first, those whose removal harms the next layer's outputs
least when its weights are adapted (optimal brain surgery by channels: Hassibi and Stork 1993). With S the second moments of
the next layer's inputs and W its weights, removing the inputs g costs tr(W_g ((S^-1)_gg)^-1 W_g^T).

Their weights: layer after layer, fitted to the original's outputs before the ReLU from the reduced network's own inputs,
so that each layer also makes up for what those before it lost (Zhang et al. 2015, arXiv:1505.06798). Pictures for a
regression of all 9 c weights are never enough, so it starts from what can be told from few: the original's weights, applied
to its inputs as regressed, pixel by pixel, on the reduced network's; what they leave is regressed with a strong ridge. A
factored layer's solution is projected on the directions in which its outputs vary most.
"""

import torch
import torch.nn.functional as functional

from networks import FACTOR, VGG19, convolve

POSITIONS = 200  # of each picture and layer, at random
RIDGE = 1e-4     # of the mean second moment: keeps the sums well conditioned
STRONG_RIDGE = 1.0
CONSTANT = 64.0  # the input that stands for the bias, about as large as the others


def patches(features, positions, kernel):
    """The inputs of a convolution at some positions: features [1, c, h, w] to [positions, c * kernel^2 + 1], the last one
    being the constant for the bias."""
    width, margin = features.shape[3], kernel // 2
    rows, columns = positions // width, positions % width
    padded = functional.pad(features, (margin,) * 4)
    windows = [padded[0, :, rows + i, columns + j] for i in range(kernel) for j in range(kernel)]
    inputs = torch.stack(windows, 2).permute(1, 0, 2).reshape(len(positions), -1)
    return torch.cat([inputs, torch.full((len(positions), 1), CONSTANT)], 1)


def with_bias(weight, bias):
    """[out, c * kernel^2 + 1] for inputs as patches() makes them."""
    return torch.cat([weight.reshape(len(weight), -1), bias[:, None] / CONSTANT], 1)


def damped(moments, ridge=RIDGE):
    return moments + ridge * moments.diagonal().mean() * torch.eye(len(moments), dtype=moments.dtype)


def least_missed(moments, weights, keep, window=9):
    """The `keep` input channels that stay, in order: moments [n, n] and weights [out, n] with n = channels * window + 1."""
    channels = (len(moments) - 1) // window
    inverse = torch.linalg.inv(damped(moments.double())).float()
    weights = weights.clone()
    alive = torch.arange(channels)
    while len(alive) > keep:
        diagonal = inverse[:-1, :-1].view(channels, window, channels, window)[alive, :, alive, :]
        own = torch.linalg.inv(diagonal.double()).float()
        at = weights[:, :-1].view(len(weights), channels, window)[:, alive]
        cost = torch.einsum("oib,ibc,oic->i", at, own, at)
        count = min(max(1, len(alive) // 32), len(alive) - keep)
        removed = cost.argsort()[:count]
        rows = (alive[removed][:, None] * window + torch.arange(window)).flatten()
        update = torch.linalg.solve(inverse[rows][:, rows], inverse[rows])
        weights -= weights[:, rows] @ update
        inverse -= inverse[:, rows] @ update
        alive = alive[torch.isin(torch.arange(len(alive)), removed, invert=True)]
    return alive


def random_positions(features, generator):
    return torch.randperm(features.shape[2] * features.shape[3], generator=generator)[:POSITIONS]


def select_channels(original, layers, pictures, generator, progress):
    """The original's channels that each narrow layer keeps: {name: indices}."""
    width = {layer.name: layer.channels for layer in layers}
    narrow = [i for i, layer in enumerate(VGG19) if width[layer.name] < layer.channels]

    def following(i):
        return next(layer for layer in VGG19[i + 1:] if not layer.is_pooling)

    samples = {i: [] for i in narrow}
    for picture in progress("sampling inputs", pictures):
        features = picture
        for i, layer in enumerate(VGG19):
            features = functional.max_pool2d(features, 2) if layer.is_pooling else \
                functional.relu(convolve(layer, original, features))
            source = i - 1 if layer.is_pooling else i
            if source in samples and (layer.is_pooling or not VGG19[i + 1].is_pooling):
                samples[source].append(patches(features, random_positions(features, generator), 3))
    kept = {}
    for i in progress("choosing channels", narrow[::-1]):
        inputs = torch.cat(samples.pop(i))
        weights = with_bias(*original[following(i).name])
        outputs = kept.get(following(i).name, torch.arange(len(weights)))
        kept[VGG19[i].name] = least_missed(inputs.T @ inputs / len(inputs), weights[outputs], width[VGG19[i].name])
    return kept


def regression(inputs, outputs, ridge):
    """Weights [out, n] that take inputs [samples, n] to outputs [samples, out] with the least squared error and ridge."""
    factor = torch.linalg.cholesky(damped((inputs.T @ inputs).double(), ridge))
    return torch.cholesky_solve((inputs.T @ outputs).double(), factor).T.float()


def main_directions(outputs, rank):
    """An orthonormal basis [out, rank] of what varies most in outputs [samples, out]."""
    centered = outputs - outputs.mean(0)
    return torch.linalg.eigh((centered.T @ centered).double())[1][:, -rank:].float()


def translated(weight, bias, found, wanted):
    """The original's weights for the reduced network's inputs: wanted [samples, original's channels] are regressed on
    found [samples, reduced channels]."""
    constants = torch.full((len(found), 1), CONSTANT)
    matrix = regression(torch.cat([found, constants], 1), wanted, RIDGE)
    moved = bias + torch.einsum("ocyx,c->o", weight, matrix[:, -1] * CONSTANT)
    return torch.einsum("ocyx,cd->odyx", weight, matrix[:, :-1]), moved


def at_positions(features, positions):
    return features.flatten(2)[0][:, positions].T


def fit_layer(layer, original, outputs_kept, states, generator):
    """The weight and bias of one layer, whole, from the features before it: states are pairs of original's and reduced."""
    weight, bias = original[layer.name]
    if outputs_kept is not None:
        weight, bias = weight[outputs_kept], bias[outputs_kept]
    inputs, outputs, found, wanted = [], [], [], []
    for before, reduced in states:
        positions = random_positions(before, generator)
        inputs.append(patches(reduced, positions, 3))
        outputs.append(at_positions(functional.conv2d(before, weight, bias, padding=1), positions))
        found.append(at_positions(reduced, positions))
        wanted.append(at_positions(before, positions))
    inputs, outputs = torch.cat(inputs), torch.cat(outputs)
    first = with_bias(*translated(weight, bias, torch.cat(found), torch.cat(wanted)))
    solution = first + regression(inputs, outputs - inputs @ first.T, STRONG_RIDGE)
    channels = states[0][1].shape[1]
    return solution[:, :-1].reshape(-1, channels, 3, 3).contiguous(), solution[:, -1] * CONSTANT, inputs @ solution.T


def fit(layers, original, kept, pictures, generator, progress):
    """The weights of all reduced layers, in order: {name: (weight, bias)}."""
    rank = {layer.name.replace(FACTOR, ""): layer.channels for layer in layers if not layer.relu}
    weights = {"conv1_1": original["conv1_1"]}
    states = [[picture, picture] for picture in pictures]  # features in the original and in the reduced network
    for layer in progress("least squares", VGG19):
        if layer.is_pooling:
            states = [[functional.max_pool2d(features, 2) for features in state] for state in states]
            continue
        if layer.name != "conv1_1":
            weight, bias, outputs = fit_layer(layer, original, kept.get(layer.name), states, generator)
            weights[layer.name] = weight, bias
        whole = weights[layer.name]
        if layer.name in rank:
            basis = main_directions(outputs, rank[layer.name])
            first = torch.einsum("or,ocyx->rcyx", basis, weight).contiguous()
            whole = torch.einsum("or,rcyx->ocyx", basis, first), bias
            del weights[layer.name]  # so that they are in order
            weights[layer.name + FACTOR] = first, torch.zeros(rank[layer.name])
            weights[layer.name] = basis[:, :, None, None].contiguous(), bias
        for state in states:
            state[:] = [functional.relu(functional.conv2d(features, *pair, padding=1))
                        for features, pair in zip(state, (original[layer.name], whole))]
    return weights
