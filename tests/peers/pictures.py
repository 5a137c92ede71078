"""Pictures made for the comparisons, so that they need no files. Without PyTorch: see time_iteration.py."""
import numpy
from PIL import Image


def make_picture(path, width, height, seed):
    """Blobs of every color at several scales, and some grain: edges and flat places."""
    generator = numpy.random.default_rng(seed)
    total = numpy.zeros((height, width, 3))
    for cells in (3, 7, 17, 43):
        noise = generator.uniform(0, 255, (cells, cells, 3)).astype(numpy.uint8)
        total += numpy.asarray(Image.fromarray(noise).resize((width, height), Image.BICUBIC), dtype=float)
    total = 127.5 + 1.6 * (total / 4 - 127.5) + generator.normal(0, 4, total.shape)
    Image.fromarray(total.clip(0, 255).round().astype(numpy.uint8)).save(path)


def disturb(source, path, seed):
    """A picture close to another one."""
    pixels = numpy.asarray(Image.open(source).convert("RGB"), dtype=float)
    noise = numpy.random.default_rng(seed).normal(0, 8, pixels.shape)
    Image.fromarray((pixels + noise).clip(0, 255).round().astype(numpy.uint8)).save(path)
