"""half_stylized.py: pictures on the way from content to style, made by nst, for the reduced network to learn from.

They are what a network sees while nst works: neither photographs nor paintings.
"""

import random
import subprocess

SIZES_PX = (128, 192, 256, 256, 320, 384)
STAGES = 3  # pictures kept of each run: after a third, two thirds and all of its iterations


def recipe(pictures, styles, chance):
    """A random content, style and options for nst."""
    size = chance.choice(SIZES_PX)
    iterations = chance.choice((9, 24, 60) if size > 300 else (9, 24, 60, 120))
    style = chance.choice(styles if styles and chance.random() < 0.7 else pictures)
    return [str(chance.choice(pictures)), str(style), "--size", str(size), "--iterations", str(iterations),
            "--save-every", str(iterations // STAGES), "--scales", "1" if chance.random() < 0.6 else "2",
            "--init", "random" if chance.random() < 0.2 else "content",
            "--content-weight", chance.choice(("0.02", "0.05", "0.1")), "--style-scale", chance.choice(("1", "1", "0.7"))]


def paint(nst, network, folder, count, pictures, styles, seed, progress):
    """Makes the pictures of `count` runs that are not in the folder yet; returns all their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in progress(f"half-stylized pictures by {network}", range(count)):
        last = folder / f"{i:04d}.png"
        if last.exists():
            continue
        options = recipe(pictures, styles, random.Random(f"{seed} {network} {i}"))
        subprocess.run([str(nst), *options, "--seed", str(i), "--network", str(network), "-o", str(last), "--quiet"], check=True)
    return sorted(folder.glob("*.png"))
