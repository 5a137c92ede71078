"""Times one iteration of nst and of PyTorch in turns, and writes a table in Markdown. Usually run by time_iteration.sh.

    time_iteration.py [OPTION...] REPORT

One iteration: a network up to relu5_1 (conv5_1), forward, losses, backward to the image, Adam step; one picture, float32, with
the losses of neural-style-pt. PyTorch runs it with its tensors contiguous and channels-last; the faster one counts.
Each measurement is a process of its own: the median over its iterations, the first ones left out. nst and PyTorch
alternate, so that a change in the machine's load meets both. The table goes to standard output and to the file REPORT.

    --nst PROGRAM         [$NST, or build/nst of the checkout, or nst in the PATH]
    --network FILE        a path for both programs, several times for several networks [weights/vgg19.safetensors]
    --size PX             width and height [512]
    --pairs N             [5]
    --iterations N        timed ones in each process [6]
    --threads N           of PyTorch [the processors this process may use]
    --pytorch-device D    where PyTorch computes: cpu, or cuda beside nst on that card [cpu]
    --as-people-run-it    on cuda: besides strict float32, PyTorch with convolutions in TF32, its default, and that and bfloat16
                          (autocast) as a CUDA graph, which saves its launches; nst in single and in half precision
    --content FILE --style FILE   pictures of that size, instead of made ones

nst's device is chosen by the environment, as usual: NST_DEVICE, OCL_ICD_VENDORS, ...

Any network that the descriptions of weights/README.md can express runs in both programs: one of 3x3 convolutions to a low rank
and 1x1 convolutions back is timed by giving its file with --network.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

# PyTorch is only imported in the processes that are measured: a process begins with the peak memory of its parent.
import pictures

WARM_UP = 2
LAYOUTS = ["contiguous", "channels-last"]
# How PyTorch computes. The graphs are channels-last, the faster layout on matrix units.
MODES = ["tf32 contiguous", "tf32 channels-last", "tf32 graph", "bfloat16 graph"]
FOLDER = os.path.dirname(os.path.abspath(__file__))

# ---- PyTorch -------------------------------------------------------------------------------------------------------


def one_iteration(torch, objective, x, optimizer, half):
    """Losses, backward to the image, and a step. In half precision as autocast does it: convolutions in bfloat16."""
    optimizer.zero_grad(set_to_none=False)
    with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=half):
        losses = objective.losses(x)
    sum(loss.float() for _, _, loss in losses).backward()
    optimizer.step()


def as_graph(torch, iterate):
    """The iteration recorded once, to be launched as a whole."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            iterate()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        iterate()
    return graph.replay


def run_pytorch(options, network_path, mode):
    """In a process of its own: prints the median of the seconds as JSON. Without a mode of its own in float32 throughout, on
    CUDA too, where PyTorch by itself rounds the factors of convolutions to 10 bits."""
    import torch

    import peer

    torch.set_num_threads(options.threads)
    torch.backends.cudnn.allow_tf32 = mode in MODES
    torch.backends.cudnn.benchmark = mode in MODES
    on_cuda, is_graph, half = options.pytorch_device == "cuda", mode.endswith("graph"), mode.startswith("bfloat16")
    is_last = is_graph or mode.endswith("channels-last")
    memory_format = torch.channels_last if is_last else torch.contiguous_format
    network = peer.Network(network_path, set(peer.CONTENT_LAYERS) | set(peer.STYLE_LAYERS))
    network.convert(memory_format=memory_format, device=options.pytorch_device)
    content, style = (peer.read_picture(path).float().to(options.pytorch_device).contiguous(memory_format=memory_format)
                      for path in (options.content, options.style))
    objective = peer.Objective("neural-style", network, content, style)
    x = network.to_input(content).detach().contiguous(memory_format=memory_format).requires_grad_()
    x.grad = torch.zeros_like(x)
    optimizer = torch.optim.Adam([x], lr=1, capturable=is_graph)
    iterate = lambda: one_iteration(torch, objective, x, optimizer, half)
    if is_graph:
        iterate = as_graph(torch, iterate)
    seconds = []
    for _ in range(WARM_UP + options.iterations):
        begin = time.perf_counter()
        iterate()
        if on_cuda:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begin)
    print(json.dumps({"seconds": statistics.median(seconds[WARM_UP:]), "version": torch.__version__}))


def time_pytorch(options, network, content, style, layout):
    command = [sys.executable, os.path.abspath(__file__), "--measure", layout, "--network", network, "--content", content,
               "--style", style, "--iterations", str(options.iterations), "--threads", str(options.threads),
               "--pytorch-device", options.pytorch_device, "-"]
    output, peak_bytes = run_measured(command)
    return {**json.loads(output), "peak_bytes": peak_bytes}


# ---- nst -----------------------------------------------------------------------------------------------------------


def time_nst(options, network, content, style, folder, precision="single"):
    log = os.path.join(folder, "log")
    command = [options.nst, content, style, "-o", os.path.join(folder, "result.png"), "--network", network, "--preset",
               "neural-style", "--init", "content", "--optimizer", "adam", "--size", str(options.size), "--iterations",
               str(WARM_UP + options.iterations), "--precision", precision, "--log", log, "--verbose"]
    output, peak_bytes = run_measured(command)
    with open(log, encoding="utf-8") as file:
        at = [json.loads(line)["seconds"] for line in file]
    steps = [after - before for before, after in zip(at, at[1:])]
    device = next((line.split(None, 1)[1] for line in output.splitlines() if line.startswith("device ")), "?")
    return {"seconds": statistics.median(steps[WARM_UP - 1:]), "peak_bytes": peak_bytes, "device": device}


def find_nst():
    root = os.path.dirname(os.path.dirname(FOLDER))
    for candidate in (os.environ.get("NST"), os.path.join(root, "build", "nst"), shutil.which("nst")):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    sys.exit("time_iteration: the program nst was not found: build it first, or give --nst PROGRAM")


# ---- Measuring -----------------------------------------------------------------------------------------------------


def run_measured(command):
    """Runs a command; returns what it printed and its peak resident memory."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        sys.exit(f"time_iteration: {' '.join(command)}\nfailed:\n{text}")
    unit = 1 if sys.platform == "darwin" else 1024
    return text, usage.ru_maxrss * unit


def measure(options, network, content, style, folder):
    """Lists of results for nst and for PyTorch as it is asked for; the order alternates."""
    more = ["nst half", *MODES] if options.as_people_run_it else []
    results = {name: [] for name in ["nst", *LAYOUTS, *more]}
    for pair in range(options.pairs):
        order = list(results) if pair % 2 == 0 else list(reversed(results))
        for name in order:
            if name.startswith("nst"):
                precision = "half" if name == "nst half" else "single"
                found = time_nst(options, network, content, style, folder, precision)
            else:
                found = time_pytorch(options, network, content, style, name)
            results[name].append(found)
            print(f"{os.path.basename(network)}, pair {pair + 1} of {options.pairs}: {name} {found['seconds']:#.3g} s, "
                  f"{found['peak_bytes'] / 2**20:.0f} MiB", file=sys.stderr, flush=True)
    return results


# ---- The table -----------------------------------------------------------------------------------------------------


def machine():
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return name


def processors():
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def row(name, found):
    seconds = [one["seconds"] for one in found]
    peak = max(one["peak_bytes"] for one in found)
    return (f"| {name} | {statistics.median(seconds):#.3g} | {min(seconds):#.3g} to {max(seconds):#.3g} | "
            f"{peak / 2**20:.0f} MiB |")


def median_of(results, name):
    return statistics.median(one["seconds"] for one in results[name])


def rows_as_people_run_it(results):
    """The other modes, and nst beside the fastest of each kind: its single precision beside TF32, its half beside bfloat16."""
    if "nst half" not in results:
        return []
    version = results[MODES[0]][0]["version"]
    kinds = [("nst", [mode for mode in MODES if mode.startswith("tf32")]), ("nst half", ["bfloat16 graph"])]
    rows = [row(f"PyTorch {version}, {mode}", results[mode]) for mode in MODES] + [row("nst, half precision", results["nst half"])]
    for ours, modes in kinds:
        best = min(modes, key=lambda mode: median_of(results, mode))
        ratios = [a["seconds"] / b["seconds"] for a, b in zip(results[ours], results[best])]
        rows.append(f"| **{ours} as a share of PyTorch, {best}** | **{statistics.median(ratios):.3f}** | "
                    f"{min(ratios):.3f} to {max(ratios):.3f} | |")
    return rows


def table(options, network, results):
    best = min(LAYOUTS, key=lambda layout: median_of(results, layout))
    ratios = [ours["seconds"] / theirs["seconds"] for ours, theirs in zip(results["nst"], results[best])]
    memory = (max(one["peak_bytes"] for one in results["nst"]) / max(one["peak_bytes"] for one in results[best]))
    version = results[best][0]["version"]
    return "\n".join([
        f"**{os.path.basename(network)}**, {options.size} x {options.size}, {options.pairs} pairs",
        "",
        "| program | s per iteration, median | least to most | peak resident memory |",
        "|---|---|---|---|",
        *[row(f"PyTorch {version}, {layout}", results[layout]) for layout in LAYOUTS],
        row(f"nst, {results['nst'][0]['device']}", results["nst"]),
        f"| **nst as a share of PyTorch, {best}** | **{statistics.median(ratios):.3f}** | "
        f"{min(ratios):.3f} to {max(ratios):.3f} | {memory:.2f} |",
        *rows_as_people_run_it(results),
        "",
    ])


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report")
    parser.add_argument("--nst")
    parser.add_argument("--network", action="append")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=6)
    parser.add_argument("--threads", type=int, default=processors())
    parser.add_argument("--pytorch-device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--as-people-run-it", action="store_true")
    parser.add_argument("--content")
    parser.add_argument("--style")
    parser.add_argument("--measure", choices=LAYOUTS + MODES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_people_run_it and options.pytorch_device != "cuda":
        parser.error("--as-people-run-it needs --pytorch-device cuda: TF32 and graphs are of that card")
    return options


def main():
    options = parse_options()
    options.network = options.network or [os.path.join(os.path.dirname(os.path.dirname(FOLDER)), "weights",
                                                       "vgg19.safetensors")]
    if options.measure:
        run_pytorch(options, options.network[0], options.measure)
        return
    options.nst = options.nst or find_nst()
    load = os.getloadavg()[0]
    text = [f"{machine()}, {options.threads} processors, {time.strftime('%Y-%m-%d')}, load {load:.1f} before the first run.\n"]
    with tempfile.TemporaryDirectory() as folder:
        content, style = (os.path.join(folder, name + ".png") for name in ("content", "style"))
        pictures.make_picture(content, options.size, options.size, 1)
        pictures.make_picture(style, options.size, options.size, 2)
        for network in options.network:
            text.append(table(options, network, measure(options, network, options.content or content,
                                                        options.style or style, folder)))
    text = "\n".join(text)
    print(text)
    with open(options.report, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
