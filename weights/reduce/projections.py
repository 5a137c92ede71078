"""projections.py: a convolution of VGG as a projection to few channels and a convolution of these, in closed form.

What a convolution of VGG reads of its inputs x is nearly a projection P x to few channels: feature maps hold far less than
they have channels. With M = sum of x x^T the second moments of the inputs, not centered, and S = sum over the window's pixels t
of W_t^T W_t, the projection that changes the outputs least, when the pixels of a window are taken as independent, is

    P = U^T S^(1/2),    U the main eigenvectors of S^(1/2) M S^(1/2),

and the convolution behind it has the weights W S^(-1/2) U. (Projecting the outputs instead, as in Zhang et al. 2015,
arXiv:1505.06798, needs about twice as many channels for the same error: before the ReLU outputs vary in more directions.)

The inputs are the reduced network's own, and the original's weights are first adapted to them: the original's inputs are
regressed, pixel by pixel, on the reduced network's, so that each layer makes up for what those before it lost.
"""

import torch

RIDGE = 1e-5     # of the mean second moment: keeps inverses and roots well conditioned
CONSTANT = 64.0  # the input that stands for the bias, about as large as the others


def flat(features):
    """[1, c, h, w] to [c, h * w] in double precision."""
    return features.flatten(2)[0].double()


def with_constant(rows):
    return torch.cat([rows, torch.full_like(rows[:1], CONSTANT)])


def damped(moments):
    return moments + RIDGE * moments.diagonal().mean() * torch.eye(len(moments), dtype=moments.dtype)


def adapted(weight, bias, states):
    """The weights and biases for the reduced network's inputs, and the second moments of these; states are pairs of the
    original's features and its own."""
    own = cross = 0
    for wanted, found in states:
        found = with_constant(flat(found))
        own, cross = own + found @ found.T, cross + flat(wanted) @ found.T
    matrix = torch.linalg.solve(damped(own), cross.T).T
    weight = weight.double()
    moved = bias.double() + torch.einsum("ocyx,c->o", weight, matrix[:, -1] * CONSTANT)
    return torch.einsum("ocyx,cd->odyx", weight, matrix[:, :-1]), moved, own[:-1, :-1]


def symmetric_power(matrix, power):
    values, vectors = torch.linalg.eigh(damped(matrix))
    return vectors * values.pow(power) @ vectors.T


def split(weight, moments, rank):
    """The projection [rank, in, 1, 1], its rows of length 1, and the weights [out, rank, 3, 3] behind it."""
    gains = torch.einsum("ocyx,odyx->cd", weight, weight)
    root = symmetric_power(gains, 0.5)
    directions = torch.linalg.eigh(root @ moments @ root)[1][:, -rank:].flip(-1)
    behind = torch.einsum("ocyx,cr->oryx", weight, symmetric_power(gains, -0.5) @ directions)
    projection = directions.T @ root
    lengths = projection.norm(dim=1)
    return (projection / lengths[:, None])[:, :, None, None], behind * lengths[None, :, None, None]
