#!/usr/bin/env python3
"""kill_and_resume.py [--kills N] [--seed N] BUILD: jobs that are killed (SIGKILL) at random moments and go on.

Each job runs once unbroken. Then it is killed and resumed again and again: every second time at a random call of fwrite,
fsync or rename (build target kill_at_write), that is within the writing of a checkpoint or of the result; otherwise after
a random time. What `nst resume` writes, from another folder, must be the bytes of the unbroken run's file. A run that was
killed before its first checkpoint begins anew. A table tells how many kills fell where; the exit status is 1 if a file
differs."""

import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

# Scales, random positions and matchings of neighbors (maps of more than 128 pixels, ten iterations), both optimizers.
JOBS = {
    "gram": "--size 96 --scales 2 -i 8",
    "gram-adam": "--size 96 --scales 2 -i 8 --optimizer adam --init random",
    "gram-half": "--size 96 --scales 1 -i 8 --precision half --history 5",
    "neural-style": "--preset neural-style --network vgg19-reduced --size 80 -i 10",
    "neural-style-auto": "--preset neural-style --network vgg19-reduced --optimizer auto --size 80 -i 10",
    "neighbors": "--preset neighbors --size 136 --scales 2 -i 2,2,13",
    "wasserstein": "--preset wasserstein --size 80 --scales 2 -i 6",
    "wasserstein-lbfgs": "--preset wasserstein --optimizer lbfgs --size 80 --scales 2 -i 6",
}


class Experiment:
    def __init__(self, build, folder):
        self.nst = build / "nst"
        self.library = next(build.rglob("libkill_at_write.so"))
        self.samples = pathlib.Path(__file__).resolve().parent.parent / "docs/samples"
        self.folder = folder
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()

    def command(self, options):
        return [self.nst, self.samples / "landscape.png", self.samples / "painting.png", "-o", "out.png", "-q",
                "--checkpoint", "run.checkpoint", "--checkpoint-every", "0.001s", *options.split()]

    def remove(self, *names):
        for path in self.folder.iterdir():
            if path.is_file() and (not names or path.name in names):
                path.unlink()

    def run(self, command, cwd, kill_at=0):
        environment = dict(os.environ, LD_PRELOAD=str(self.library), NST_KILL_AT=str(kill_at),
                           NST_KILL_COUNT=str(self.folder / "calls"))
        return subprocess.run(command, cwd=cwd, env=environment).returncode

    def start(self, command):
        """A run that has written its first checkpoint, or ended."""
        process = subprocess.Popen(command, cwd=self.folder)
        while not (self.folder / "run.checkpoint").exists() and process.poll() is None:
            time.sleep(0.01)
        return process

    def run_for(self, command, seconds):
        process = self.start(command)
        time.sleep(seconds)
        process.kill()
        return process.wait()

    def unbroken(self, options):
        """The bytes of the result, its calls, and its seconds from the first checkpoint on."""
        self.remove()
        if self.run(self.command(options), self.folder):
            sys.exit(f"kill_and_resume.py: error: the unbroken run failed: {options}")
        calls = int((self.folder / "calls").read_text())
        self.remove("run.checkpoint")
        process, begin = self.start(self.command(options)), time.monotonic()
        process.wait()
        return (self.folder / "out.png").read_bytes(), calls, time.monotonic() - begin

    def kill_once(self, options, unbroken, in_writing):
        """Where the kill fell, and whether the bytes are the same."""
        expected, calls, seconds = unbroken
        self.remove()
        if in_writing:
            status = self.run(self.command(options), self.folder, random.randint(1, calls))
        else:
            status = self.run_for(self.command(options), random.uniform(0, seconds))
        where = "ended before" if status == 0 else "writing" if in_writing else "any time"
        parts = len(list(self.folder.glob("*.part")))
        if not any((self.folder / name).exists() for name in ("run.checkpoint", "run.checkpoint.1")):
            where = "before the first"
            self.run(self.command(options), self.folder)
        else:
            self.remove("out.png")
            if self.run([self.nst, "resume", "-q", self.folder / "run.checkpoint"], self.elsewhere):
                return where, False, parts
        left = list(self.folder.glob("run.checkpoint*.part"))
        result = self.folder / "out.png"
        return where, not left and result.exists() and result.read_bytes() == expected, parts


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("build", type=pathlib.Path)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    counts, wrong, half_written = {}, 0, 0
    with tempfile.TemporaryDirectory(prefix="nst-kill-") as folder:
        experiment = Experiment(arguments.build.resolve(), pathlib.Path(folder))
        names = list(JOBS)
        for number, name in enumerate(names):
            unbroken = experiment.unbroken(JOBS[name])
            for kill in range(number, arguments.kills, len(names)):
                where, same, parts = experiment.kill_once(JOBS[name], unbroken, (kill // len(names) + number) % 2 == 0)
                counts[name, where] = counts.get((name, where), 0) + 1
                half_written += parts
                if not same:
                    wrong += 1
                    print(f"{name}, kill {kill}, {where}: the result DIFFERS")
    for (name, where), count in sorted(counts.items()):
        print(f"{name:20} {where:18} {count:4}")
    print(f"{arguments.kills} kills, {half_written} of them left a file half written, {wrong} results differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
