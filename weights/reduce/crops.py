"""crops.py: random squares of pictures, and how far a reduced network's features are from the original's on one of them."""

import torch
from PIL import Image

from networks import STYLE_TAPS, VGG19, features_at_taps, to_input

CROP_PX = 192
EXACT = "conv1_1"  # the same layer in both networks


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


def relative_error(found, wanted):
    """|F - F*|^2 / |F*|^2."""
    return float((found - wanted).square().sum() / wanted.square().sum())


def gram(features):
    flat = features.flatten(2)[0]
    return flat @ flat.T


def errors(original, layers, weights, picture):
    """{tap: (features, Gram)}: the relative squared errors of the reduced network on a picture; Gram None where the tap
    is not for style."""
    wanted, found = features_at_taps(VGG19, original, picture), features_at_taps(layers, weights, picture)
    result = {}
    for name in wanted:
        if name != EXACT:
            style = relative_error(gram(found[name]), gram(wanted[name])) if name in STYLE_TAPS else None
            result[name] = relative_error(found[name], wanted[name]), style
    return result


def summary(found):
    """The mean errors of several crops, in percent: features and Gram matrix at each tap."""
    parts = []
    for tap, (_, style) in found[0].items():
        means = [100 * sum(error[tap][i] for error in found) / len(found) for i in ((0,) if style is None else (0, 1))]
        parts.append(tap.replace("conv", "relu") + " " + "/".join(f"{mean:.2f}" for mean in means))
    return "  ".join(parts)
