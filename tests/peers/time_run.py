"""Runs neural-style-pt's L-BFGS in PyTorch and nst's preset in turns: losses after the same evaluations, and the times.

    time_run.py [OPTION...] CONTENT STYLE NETWORK

The time of an evaluation is the same all along a run, so short pieces in turns tell the ratio better than two long runs, between
which the machine's load may change. Each piece is a process of its own and begins with the content; its time is that from the
end of the first evaluation to the end of the last one. Pictures are resized here, as neural-style-pt does, and both programs get the
same pixels. Run by the Python that time_iteration.sh installs (PyTorch, Pillow).

    --evaluations N       of each piece [40]
    --pairs N             [3]
    --size PX             longer side [512]
    --threads N           of PyTorch [the processors this process may use]
    --nst PROGRAM         [$NST, or build/nst of the checkout, or nst in the PATH]

To compare ways to a loss instead, with nst alone, against the loss and the seconds of neural-style-pt measured before:

    --target LOSS         nst runs until it is within 1 % of this loss
    --peer-seconds S      what the peer took for it
    --optimizer NAME      nst's [lbfgs]
    --nst-options TEXT    more options, such as "--iterations 100,250 --scales 2"
"""
import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

from PIL import Image

from time_iteration import find_nst, machine, processors

SHOWN = [1, 2, 3, 5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 400, 500]
NEAR = 1.01


def resize(source, size, target):
    """As neural-style-pt: the longer side to `size`, both sides rounded down, bilinear with antialiasing."""
    picture = Image.open(source).convert("RGB")
    factor = float(size) / max(picture.size)
    picture.resize([int(factor * side) for side in picture.size], Image.BILINEAR).save(target)


def run_pytorch(options):
    """In a process of its own: prints the total and the time of each evaluation as JSON."""
    import torch

    import peer

    torch.set_num_threads(options.threads)
    network = peer.Network(options.network, set(peer.CONTENT_LAYERS) | set(peer.STYLE_LAYERS))
    content, style = (peer.read_picture(path).float() for path in (options.content, options.style))
    objective = peer.Objective("neural-style", network, content, style)
    course = []

    def report(_, total):
        course.append({"total": total, "seconds": time.perf_counter()})

    peer.run_optimizer(objective, network.to_input(content), options.evaluations, report=report)
    json.dump(course, sys.stdout)


def time_pytorch(options, folder):
    command = [sys.executable, os.path.abspath(__file__), "--measure", "--evaluations", str(options.evaluations), "--threads",
               str(options.threads), f"{folder}/content.png", f"{folder}/style.png", options.network]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def time_nst(options, folder):
    log = f"{folder}/log"
    command = [options.nst, f"{folder}/content.png", f"{folder}/style.png", "-o", f"{folder}/result.png", "--network",
               options.network, "--preset", "neural-style", "--init", "content", "--optimizer", options.optimizer, "--size",
               str(options.size), "--iterations", str(options.evaluations), "--log", log, "--quiet",
               *shlex.split(options.nst_options)]
    subprocess.run(command, check=True)
    with open(log, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def seconds_of(course, evaluations=None):
    return course[(evaluations or len(course)) - 1]["seconds"] - course[0]["seconds"]


def compare(options, folder):
    """Pieces in turns, and the table of their losses and times."""
    runners = {"PyTorch": time_pytorch, "nst": time_nst}
    courses = {name: [] for name in runners}
    for pair in range(options.pairs):
        for name in list(runners) if pair % 2 == 0 else reversed(runners):
            courses[name].append(runners[name](options, folder))
            print(f"pair {pair + 1} of {options.pairs}: {name} {seconds_of(courses[name][-1]):.1f} s", file=sys.stderr, flush=True)
    print(f"| loss after evaluation | {' | '.join(runners)} |\n|---|---|---|")
    for number in [number for number in SHOWN if number <= options.evaluations]:
        totals = [f"{runs[0][number - 1]['total']:.0f}" for runs in courses.values()]
        print(f"| {number} | {' | '.join(totals)} |")
    for name, runs in courses.items():
        steps = [seconds_of(run) / (len(run) - 1) for run in runs]
        print(f"\n{name}: {statistics.median(steps):.3f} s per evaluation ({min(steps):.3f} to {max(steps):.3f})", end="")
    ratios = [seconds_of(ours) / seconds_of(theirs) for theirs, ours in zip(courses["PyTorch"], courses["nst"])]
    print(f"\n\nnst's time as a share of PyTorch's: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


def reach(options, folder):
    """Where nst alone comes near a loss."""
    course = time_nst(options, folder)
    width = course[-1]["width"]
    near = next((i for i, line in enumerate(course) if line["width"] == width and line["total"] <= NEAR * options.target), None)
    if near is None:
        sys.exit(f"nst ended at {course[-1]['total']:.0f}, {course[-1]['total'] / options.target:.4f} of the target")
    seconds = seconds_of(course, near + 1)
    print(f"nst, {options.optimizer} {options.nst_options}: {course[near]['total']:.0f}, {course[near]['total'] / options.target:.4f} of "
          f"the target, after {near + 1} evaluations, {seconds:.1f} s; after all {len(course)}: {course[-1]['total']:.0f}")
    if options.peer_seconds:
        print(f"a share of {seconds / options.peer_seconds:.3f} of the peer's {options.peer_seconds:.0f} s")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("content")
    parser.add_argument("style")
    parser.add_argument("network")
    parser.add_argument("--evaluations", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=processors())
    parser.add_argument("--nst")
    parser.add_argument("--target", type=float)
    parser.add_argument("--peer-seconds", type=float)
    parser.add_argument("--optimizer", default="lbfgs")
    parser.add_argument("--nst-options", default="")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.evaluations < 2 or options.pairs < 1:
        parser.error("expected at least 2 evaluations and 1 pair")
    return options


def main():
    options = parse_options()
    if options.measure:
        run_pytorch(options)
        return
    options.nst = options.nst or find_nst()
    print(f"{machine()}, {options.threads} processors, {options.size} px\n")
    with tempfile.TemporaryDirectory() as folder:
        resize(options.content, options.size, f"{folder}/content.png")
        resize(options.style, options.size, f"{folder}/style.png")
        (reach if options.target else compare)(options, folder)


if __name__ == "__main__":
    main()
