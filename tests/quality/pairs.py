"""What the scripts of this folder share: pairs of pictures, running nst and its judge, sheets of pictures side by side."""
import json
import pathlib
import resource
import shlex
import subprocess
import sys
import time

from PIL import Image, ImageDraw

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENDINGS = (".jpg", ".jpeg", ".png")


def pictures_in(folder):
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in ENDINGS)
    if not found:
        sys.exit(f"no pictures in {folder}")
    return found


def choose_pairs(folder, count, without=()):
    """Every style before any comes again, and each time with another content."""
    contents, styles = ([path for path in pictures_in(folder / kind) if not path.stem.startswith(tuple(without))]
                        for kind in ("content", "style"))
    return [(contents[(i % len(styles) + i // len(styles)) % len(contents)], styles[i % len(styles)])
            for i in range(min(count, len(contents) * len(styles)))]


def run(command):
    """What the command prints, and what it took: (bytes, {"processor_s", "wall_s"}). Ends the script where it fails."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(f"this failed: {' '.join(shlex.quote(str(word)) for word in command)}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, {"processor_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
                         "wall_s": time.monotonic() - start}


def judge(nst, picture, content, style, network="vgg19"):
    """What `nst judge --json` says of the picture, kept beside it as a file of the same name."""
    kept = picture.with_suffix(".json")
    if not kept.exists():
        text, _ = run([nst, "judge", picture, "--content", content, "--style", style, "--network", network, "--json"])
        kept.write_bytes(text)
    return json.loads(kept.read_text())


def make_sheet(titles, rows, path, side=256):
    """Rows of picture files side by side, under a line of titles."""
    sheet = Image.new("RGB", (len(titles) * side, 16 + len(rows) * side), "white")
    draw = ImageDraw.Draw(sheet)
    for i, title in enumerate(titles):
        draw.text((i * side + 4, 2), title, fill="black")
    for i, row in enumerate(rows):
        for j, source in enumerate(row):
            picture = Image.open(source).convert("RGB")
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
            sheet.paste(picture, (j * side, 16 + i * side))
    sheet.save(path)
