"""refine.py: the reduced network's weights by gradient descent, until its features and Gram matrices are the original's.

For each crop of a picture, with F a tap's features and G = F F^T their Gram matrix, * marking the original's:

    loss = sum over taps of FEATURES |F - F*|^2 / |F*|^2  +  sum over style taps of |G - G*|^2 / |G*|^2

These are the distances that nst's recipes minimise, so what the loss leaves is what a recipe would feel. The features of
VGG are far from independent of each other, and nearly all of their energy is in a few directions, so the descent is in
coordinates in which the channels that go into a layer are uncorrelated and of unit size: W = V A^(-1/2), with A their second
moments. The method is Adam on V with a cosine as learning rate; the result is the running mean of V. The original's features
of all crops are computed once and kept in half the bits.
"""

import math
import random

import torch
import torch.nn.functional as functional
from PIL import Image

from networks import STYLE_TAPS, VGG19, convolve, features_at_taps, to_input

CROP_PX = 192
FEATURES = 1.0
LEARNING_RATE = 4e-4  # times the root mean square of a layer's first V
DAMPING = 1e-3        # of the mean second moment, added to all
WARM_UP = 50          # steps
AVERAGED = 0.99       # of the running mean, at each step
EXACT = "conv1_1"     # the same layer in both networks


def crop(path, chance):
    """A random square of a picture at a random scale, perhaps mirrored, as the network's input."""
    picture = Image.open(path).convert("RGB")
    least = CROP_PX / min(picture.size)
    scale = max(least, chance.choice((1, 1, 0.7, 0.5, 0.35)))
    if scale != 1:
        size = [max(CROP_PX, round(side * scale)) for side in picture.size]
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    left, top = chance.randint(0, picture.width - CROP_PX), chance.randint(0, picture.height - CROP_PX)
    picture = picture.crop((left, top, left + CROP_PX, top + CROP_PX))
    if chance.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return to_input(picture)


def gram(features):
    flat = features.flatten(2)[0]
    return flat @ flat.T


class Lesson:
    """One crop with what the original makes of it."""

    def __init__(self, original, picture):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            taps = features_at_taps(VGG19, original, picture)
        self.picture = picture
        self.features = {name: features.bfloat16() for name, features in taps.items() if name != EXACT}

    def losses(self, layers, weights):
        """{tap: (features, Gram)}: the relative squared errors of the reduced network on this crop."""
        with torch.autocast("cpu", torch.bfloat16):
            found = features_at_taps(layers, weights, self.picture)
        errors = {}
        for name, wanted in self.features.items():
            features, wanted = found[name].float(), wanted.float()
            error = (features - wanted).square().sum() / wanted.square().sum()
            style = torch.zeros(())
            if name in STYLE_TAPS:
                wanted = gram(wanted)
                style = (gram(features) - wanted).square().sum() / wanted.square().sum()
            errors[name] = (error, style)
        return errors


def total(errors):
    return sum(FEATURES * error + style for error, style in errors.values())


def learning_rate(step, steps):
    return LEARNING_RATE * min(1, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))


def input_moments(layers, weights, lessons):
    """The second moments of the channels that go into each convolution: {name: [in, in]}."""
    moments = {}
    with torch.no_grad():
        for lesson in lessons:
            features = lesson.picture
            for layer in layers:
                if layer.is_pooling:
                    features = functional.max_pool2d(features, 2)
                    continue
                moments[layer.name] = moments.get(layer.name, 0) + gram(features) / features[0, 0].numel()
                features = convolve(layer, weights, features)
                features = functional.relu(features) if layer.relu else features
    return {name: moment / len(lessons) for name, moment in moments.items()}


def root(moments, power):
    """A power of a symmetric matrix, damped."""
    values, vectors = torch.linalg.eigh(moments.double())
    return (vectors * (values + DAMPING * values.mean()).pow(power) @ vectors.T).float()


def mix_inputs(weight, matrix):
    return torch.einsum("oiyx,ij->ojyx", weight, matrix)


class Refinement:
    """The state of the descent; state() and restore() keep it between runs."""

    def __init__(self, layers, weights, lessons, steps):
        self.layers, self.steps, self.step = layers, steps, 0
        self.exact = weights[EXACT]
        moments = input_moments(layers, weights, lessons)
        self.whitening = {name: root(moment, -0.5) for name, moment in moments.items() if name != EXACT}
        self.parameters, groups = [], []
        for name in self.whitening:
            whitened = mix_inputs(weights[name][0], root(moments[name], 0.5))
            pair = [whitened.requires_grad_(), weights[name][1].clone().requires_grad_()]
            self.parameters += pair
            groups.append({"params": pair, "size": float(whitened.detach().square().mean().sqrt())})
        self.means = [tensor.detach().clone() for tensor in self.parameters]
        self.adam = torch.optim.Adam(groups, betas=(0.9, 0.99))

    def weights(self, parameters):
        """The network's weights for given V and biases: {name: (weight, bias)}."""
        values = iter(parameters)
        return {EXACT: self.exact,
                **{name: (mix_inputs(next(values), matrix), next(values)) for name, matrix in self.whitening.items()}}

    def advance(self, lesson):
        """One step; returns the errors before it."""
        for group in self.adam.param_groups:
            group["lr"] = learning_rate(self.step, self.steps) * group["size"]
        errors = lesson.losses(self.layers, self.weights(self.parameters))
        self.adam.zero_grad()
        total(errors).backward()
        self.adam.step()
        self.step += 1
        with torch.no_grad():
            share = max(1 - AVERAGED, 10 / (self.step + 10))  # the first steps are soon forgotten
            for mean, tensor in zip(self.means, self.parameters):
                mean.lerp_(tensor, share)
        return errors

    def averaged(self):
        """The weights of the running mean."""
        return self.weights(self.means)

    def state(self):
        return {"step": self.step, "parameters": [tensor.detach() for tensor in self.parameters], "means": self.means,
                "whitening": self.whitening, "adam": self.adam.state_dict()}

    def restore(self, state):
        self.step, self.means, self.whitening = state["step"], state["means"], state["whitening"]
        with torch.no_grad():
            for tensor, saved in zip(self.parameters, state["parameters"]):
                tensor.copy_(saved)
        self.adam.load_state_dict(state["adam"])
