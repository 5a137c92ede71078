"""Prints the loss along L-BFGS (or Adam) for neural-style-pt's objective: PyTorch, nst, and neural-style-pt's published run.

    compare_trajectory.py [OPTION...] CONTENT STYLE NETWORK

The pictures must have the size at which they are used: nothing is resized. The peer is run again with a disturbance far below
what a picture can show, to see how far two runs of the same program lie apart:

    --spread N            further runs of PyTorch, the starting image disturbed by 1e-6 [2]
    --evaluations N       [100]
    --optimizer NAME      lbfgs or adam [lbfgs]
    --log FILE            of `nst CONTENT STYLE -o ... --preset neural-style --init content --iterations N --log FILE`
    --nst PROGRAM         runs nst itself instead
"""
import argparse
import json
import subprocess
import tempfile

import torch

import peer

SHOWN = [1, 2, 3, 5, 10, 20, 25, 50, 75, 100, 150, 200, 300, 400, 500]

# neural-style-pt itself: tubingen 512x384, starry_night 512x320, VGG-19 as 8-bit codebooks, weights 5, 100, 1e-3.
PUBLISHED = {
    "lbfgs": {1: 125069600, 2: 125069560, 3: 91690992, 5: 27600190, 10: 9132217, 20: 3969302, 25: 3380987, 50: 2430269,
              75: 2195107, 100: 2084776},
    "adam": {1: 125069600, 2: 114341232, 3: 103637840, 5: 83801520, 10: 46592836, 20: 18362762},
}


def run_peer(options, disturbance, seed):
    network = peer.Network(options.network, set(peer.CONTENT_LAYERS) | set(peer.STYLE_LAYERS))
    content = peer.read_picture(options.content).float()
    objective = peer.Objective("neural-style", network, content, peer.read_picture(options.style).float())
    torch.manual_seed(seed)
    x = network.to_input(content)
    x = x * (1 + disturbance * torch.randn(x.shape))

    def report(number, total):
        print(f"  PyTorch, evaluation {number}: {total:.0f}", flush=True)

    return peer.run_optimizer(objective, x, options.evaluations, options.optimizer, report if options.verbose else None)


def read_log(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line)["total"] for line in file]


def run_nst(options):
    with tempfile.TemporaryDirectory() as folder:
        log = f"{folder}/log"
        subprocess.run([options.nst, options.content, options.style, "-o", f"{folder}/x.png", "--network", options.network,
                        "--preset", "neural-style", "--init", "content", "--optimizer", options.optimizer,
                        "--iterations", str(options.evaluations), "--log", log, "--quiet"], check=True)
        return read_log(log)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("content")
    parser.add_argument("style")
    parser.add_argument("network")
    parser.add_argument("--spread", type=int, default=2)
    parser.add_argument("--evaluations", type=int, default=100)
    parser.add_argument("--optimizer", choices=["lbfgs", "adam"], default="lbfgs")
    parser.add_argument("--log")
    parser.add_argument("--nst")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    columns = {"PyTorch": run_peer(options, 0, 0)}
    for i in range(options.spread):
        columns[f"disturbed {i + 1}"] = run_peer(options, 1e-6, i + 1)
    if options.log:
        columns["nst"] = read_log(options.log)
    elif options.nst:
        columns["nst"] = run_nst(options)
    published = PUBLISHED[options.optimizer]
    print("| evaluation | neural-style-pt | " + " | ".join(columns) + " |")
    print("|---" * (2 + len(columns)) + "|")
    for number in SHOWN:
        cells = [f"{values[number - 1]:.0f}" if number <= len(values) else "" for values in columns.values()]
        if number <= options.evaluations:
            print(f"| {number} | {published.get(number, '')} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
