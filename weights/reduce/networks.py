"""networks.py: VGG-19 as the original, and the reduced network that takes its place.

Both are read and written as nst does: layers named conv1_1 ... conv5_1, weights [out, in, height, width], pictures as
BGR, 0..255, minus the mean. All layers of the original are in the reduced network, with as many channels, so that its features
are VGG-19's own; between them are projections to fewer channels.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as functional

MEAN_BGR = (103.939, 116.779, 123.68)
STYLE_TAPS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
CONTENT_TAP = "conv4_2"
TAPS = STYLE_TAPS + (CONTENT_TAP,)


@dataclass(frozen=True)
class Layer:
    """A convolution with its ReLU, or a pooling (channels 0)."""
    name: str
    channels: int = 0
    kernel: int = 3
    relu: bool = True

    @property
    def is_pooling(self):
        return self.channels == 0

    @property
    def feature(self):
        """The name of its output: relu4_2 for conv4_2."""
        return self.name.replace("conv", "relu")


def blocks(*widths):
    """The layers of VGG's blocks: a tuple of channel numbers for each block, with poolings between."""
    layers = []
    for i, block in enumerate(widths, 1):
        layers += [Layer(f"conv{i}_{j}", channels) for j, channels in enumerate(block, 1)]
        layers.append(Layer(f"pool{i}"))
    return layers[:-1]


VGG19 = blocks((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,))

# A convolution reads fewer channels in the reduced network: 1x1 to its rank, without ReLU, and 3x3 to all of the layer's own.
# conv5_1 reads all: a projection to the channels that it needs would take more time than it saves.
RANKS = {"conv1_2": 16, "conv2_1": 32, "conv2_2": 64, "conv3_1": 96, "conv3_2": 96, "conv3_3": 64, "conv3_4": 48,
         "conv4_1": 64, "conv4_2": 128, "conv4_3": 192, "conv4_4": 256}
PROJECTION = "_input"  # what the name of the 1x1 layer has more


def projected(layers, ranks):
    """The layers, with a projection to fewer channels before those named in `ranks`."""
    result = []
    for layer in layers:
        if layer.name in ranks:
            result.append(Layer(layer.name + PROJECTION, ranks[layer.name], kernel=1, relu=False))
        result.append(layer)
    return result


REDUCED = projected(VGG19, RANKS)


def convolve(layer, weights, features):
    """The layer's output before its ReLU."""
    weight, bias = weights[layer.name]
    return functional.conv2d(features, weight, bias, padding=layer.kernel // 2)


def features_at_taps(layers, weights, picture):
    """The taps' outputs for pictures [n, 3, height, width]: a dictionary by the convolutions' names."""
    features, taps = picture, {}
    for layer in layers:
        if layer.is_pooling:
            features = functional.max_pool2d(features, 2)
            continue
        features = convolve(layer, weights, features)
        if layer.relu:
            features = functional.relu(features)
        if layer.name in TAPS:
            taps[layer.name] = features
    return taps


def unpack(packed, codebook_size, shape):
    """The indices [shape] into a codebook of 2**B values that are packed as B bits each, lowest bits first."""
    import numpy
    bits = codebook_size.bit_length() - 1
    count = math.prod(shape)
    each = numpy.unpackbits(packed.numpy(), count=count * bits, bitorder="little").reshape(count, bits)
    return torch.from_numpy(each @ (1 << numpy.arange(bits))).view(shape)


def load_weights(path, layers):
    """Weights and biases of a safetensors file that nst wrote: {name: (weight, bias)}."""
    from safetensors.torch import load_file
    tensors, weights, channels = load_file(path), {}, 3
    for layer in layers:
        if layer.is_pooling:
            continue
        name, shape = layer.name, (layer.channels, channels, layer.kernel, layer.kernel)
        if name + ".weight" in tensors:
            weight = tensors[name + ".weight"].float()
        elif name + ".weight.codes" in tensors:
            weight = tensors[name + ".weight.codebook"][tensors[name + ".weight.codes"].long()]
        else:
            codebook = tensors[name + ".weight.codebook"]
            weight = codebook[unpack(tensors[name + ".weight.packed"], len(codebook), shape)]
        weights[name] = weight, tensors[name + ".bias"].float()
        channels = layer.channels
    return weights


def parameter_count(layers):
    count, channels = 0, 3
    for layer in layers:
        if not layer.is_pooling:
            count += channels * layer.channels * layer.kernel**2 + layer.channels
            channels = layer.channels
    return count


def to_input(picture):
    """A picture of Pillow in RGB as the network's input [1, 3, height, width]."""
    import numpy
    pixels = torch.from_numpy(numpy.array(picture, dtype=numpy.float32)).permute(2, 0, 1)
    return pixels.flip(0)[None] - torch.tensor(MEAN_BGR).view(1, 3, 1, 1)
