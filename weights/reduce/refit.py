"""refit.py: a convolution fitted to the original's outputs as the ReLU behind it shows them.

Where the original's output t is above 0, the output p = W z + b of the reduced network's layer should be t; where it is 0, p may
be anything below. So what is made small over many positions is

    sum of (p - t)^2 where t > 0, and of max(p, 0)^2 where t = 0,

which is convex in W and b. Its curvature is nowhere more than that of plain least squares, H = sum of z z^T. So the steps are
those of Nesterov's accelerated gradient with H^-1 as step size. They are few, and H is damped: with more steps, or less damping,
the layer fits the positions that were looked at and no others.
"""

import torch
import torch.nn.functional as functional

from projections import CONSTANT

POSITIONS = 400  # of each picture, at random
STEPS = 3
DAMPING = 0.05   # of the mean second moment
ROWS = 8192      # positions at a time


def patches(features, positions, kernel):
    """The inputs of a convolution at some positions: features [1, c, h, w] to [positions, c * kernel^2]."""
    width, margin = features.shape[3], kernel // 2
    rows, columns = positions // width, positions % width
    padded = functional.pad(features, (margin,) * 4)
    windows = [padded[0, :, rows + i, columns + j] for i in range(kernel) for j in range(kernel)]
    return torch.stack(windows, 2).permute(1, 0, 2).reshape(len(positions), -1)


def samples(inputs, outputs, kernel, generator):
    """Inputs [n, c * kernel^2] of a convolution and outputs [n, out] at random positions of the features in two lists."""
    chosen = [torch.randperm(features[0, 0].numel(), generator=generator)[:POSITIONS] for features in inputs]
    return (torch.cat([patches(features, positions, kernel) for features, positions in zip(inputs, chosen)]),
            torch.cat([features.flatten(2)[0, :, positions].T for features, positions in zip(outputs, chosen)]))


def second_moments(inputs):
    return sum(part.T @ part for part in inputs.split(ROWS))


def gradient(weights, inputs, wanted):
    """Half the gradient of the sum above; weights [out, n], inputs [m, n], the original's outputs behind the ReLU [m, out]."""
    result = 0
    for z, t in zip(inputs.split(ROWS), wanted.split(ROWS)):
        p = z @ weights.T
        result = result + torch.where(t > 0, p - t, p.clamp(min=0)).T @ z
    return result


def refit(weight, bias, inputs, wanted):
    """The weights [out, n] and biases, beginning with those given."""
    inputs = torch.cat((inputs, torch.full_like(inputs[:, :1], CONSTANT)), 1)
    moments = second_moments(inputs)
    moments += DAMPING * moments.diagonal().mean() * torch.eye(len(moments))
    factor = torch.linalg.cholesky(moments)
    now = ahead = torch.cat((weight, bias[:, None] / CONSTANT), 1)
    pace = 1.0
    for _ in range(STEPS):
        step = torch.cholesky_solve(gradient(ahead, inputs, wanted).T, factor).T
        before, now = now, ahead - step
        last, pace = pace, (1 + (1 + 4 * pace**2) ** 0.5) / 2
        ahead = now + (last - 1) / pace * (now - before)
    return now[:, :-1].contiguous(), now[:, -1] * CONSTANT
