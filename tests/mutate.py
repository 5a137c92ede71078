#!/usr/bin/env python3
"""mutate.py FOLDER-OR-FILE...: would the tests notice a wrong token?

Changes one token of a source at a time (a comparison, a sign, a constant, "and" and "or", a negation, a truth value),
builds, and runs the suites of that room, those of that file first, then the fastest, until one fails. What no suite
notices has survived: it asks for a test, or, where it changes nothing that can be seen, for an entry with a reason in
tests/equal_mutants.txt.

    tests/mutate.py src/weights --count 40 --seed 1

The order in which tokens are drawn depends on the seed and on the lines themselves, so that a run which was ended goes
on where it was, also after changes elsewhere. Everything happens in a copy of the tree. Rooms whose suites need no
device are built with sanitizers, as in .ci/run. Needs git, CMake, what the tests need, and libhdf5.

    --count N      how many are tried in each folder [40]
    --seed N       another seed draws others [1]
    --only TEXT    only lines that hold it, such as NULL
    --slowest S    suites that take longer than S seconds are left out [60]
    --jobs N       processes of a build [all processors]
    --again        tries the survivors once more, and nothing else, after tests were added
    --report       only prints what is known
    --work FOLDER  where the copy and the results are kept [$XDG_CACHE_HOME/nst/mutate, else ~/.cache/nst/mutate]

Exit status: 0 no survivors, 1 some, 2 nothing could be tried.
"""
import argparse
import collections
import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
EQUAL_FILE = ROOT / "tests" / "equal_mutants.txt"

# The suites, by ctest's labels, that are run for a folder other than those of its own name.
SUITES_OF = {
    "cl": ("network", "loss", "optimizer"),
    "src/support": ("support", "image", "device"),
    "src/network": ("network", "device"),
    "src/loss": ("loss", "evaluate"),
    "src/evaluate": ("evaluate", "stylize"),
    "src/measure": ("measure", "cli"),
    "src/check": ("check", "cli"),
    "src/tune": ("tune", "cli"),
    "src/bench": ("cli",),
}
# Their suites need no device, and run with sanitizers.
WITHOUT_DEVICE = ("src/support", "src/weights", "src/image")
# Suites that are run twice, with the kernels' bodies for processors and for GPUs.
BOTH_BODIES = ("network", "loss", "optimizer")
NOT_RUN = ("gpu", "download", "peers")

Mutant = collections.namedtuple("Mutant", "file line start end replacement before after key")


def stop(message):
    sys.exit(f"mutate.py: error: {message}")


# ---- Mutants ---------------------------------------------------------------------------------------------------------

TOKEN = re.compile(r"""
    (?P<skip>/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | \\\n)
  | (?P<number>0[xX][0-9a-fA-F]+[uUlL]* | (?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[uUlLfF]*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<operator><<=|>>=|->|\+\+|--|&&|\|\||<<|>>|[<>=!+\-*/%&|^]=|[^\s\w])
""", re.VERBOSE | re.DOTALL)

OPPOSITES = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "+": "-", "-": "+", "+=": "-=",
             "-=": "+=", "&&": "||", "||": "&&", "!": "", "true": "false", "false": "true"}


def digest(text):
    return hashlib.sha256(text.encode()).digest()


def changed_number(text, lower):
    """One less or one more, but nothing below zero."""
    digits, suffix = re.fullmatch(r"(0[xX][0-9a-fA-F]+|[0-9.]+(?:[eE][+-]?\d+)?)(\w*)", text).groups()
    hexadecimal = digits[:2] in ("0x", "0X")
    if not hexadecimal and re.search(r"[.eE]", digits):
        return repr(float(digits) + (-1 if lower else 1)) + suffix
    octal = not hexadecimal and digits[0] == "0"
    value = int(digits, 8 if octal else 0)
    value += -1 if lower and value > 0 else 1
    return (hex(value) if hexadecimal else f"0{value:o}" if octal and digits != "0" else str(value)) + suffix


def hidden_spans(text):
    """Places without mutants: preprocessor lines other than definitions and conditions, and assertions."""
    for found in re.finditer(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", text, re.MULTILINE):
        if not re.match(r"[ \t]*#[ \t]*(define|if|elif)\b", found.group()):
            yield found.span()
        elif re.match(r"[ \t]*#[ \t]*define", found.group()):  # its name and parameters
            yield found.start(), found.start() + re.match(r"[ \t]*#[ \t]*define[ \t]+\w+(\([^)]*\))?",
                                                          found.group()).end()
    for found in re.finditer(r"\b(?:_?static_assert|_Static_assert|assert)\s*\([^;]*;", text, re.IGNORECASE):
        yield found.span()


def mutants_of(tree, path):
    """One for each token that can be changed."""
    text = (tree / path).read_text()
    hidden, times = list(hidden_spans(text)), collections.Counter()
    tokens = [token for token in TOKEN.finditer(text) if token.lastgroup != "skip"]
    for i, token in enumerate(tokens):
        old = token.group()
        if token.lastgroup != "number" and old not in OPPOSITES or any(a <= token.start() < b for a, b in hidden):
            continue
        around = tokens[i - 1].group() + tokens[i + 1].group() if 0 < i < len(tokens) - 1 else ""
        if old == "0" and around == "{}":
            continue  # {0}: all of a structure
        start, end = text.rfind("\n", 0, token.start()) + 1, text.find("\n", token.end())
        line, column = text[start:end], token.start() - start
        if token.lastgroup != "number":
            new = OPPOSITES[old]
        else:  # an array that has one element more than it needs changes nothing
            new = changed_number(old, around == "[]" or digest(f"{path}|{line}|{column}")[0] % 2)
        before, after = line.strip(), (line[:column] + new + line[column + len(old):]).strip()
        times[before, after] += 1
        key = f"{path}|{before}|{after}|{times[before, after]}"
        yield Mutant(path, text.count("\n", 0, start) + 1, token.start(), token.end(), new, before, after, key)


def draw_mutants(tree, folder, arguments):
    """All of a folder or file, in the order in which they are tried."""
    where = tree / folder
    files = [where] if where.is_file() else [path for ending in ("*.c", "*.h", "*.cl") for path in where.glob(ending)]
    if not files:
        stop(f"there are no sources in {folder}")
    found = [mutant for path in files for mutant in mutants_of(tree, str(path.relative_to(tree)))
             if arguments.only in mutant.before]
    return sorted(found, key=lambda mutant: digest(f"{arguments.seed}|{mutant.key}"))


def read_equal():
    """tests/equal_mutants.txt: {(file, before, after): reason}; the file begins with its form."""
    equal, lines = {}, EQUAL_FILE.read_text().splitlines() if EQUAL_FILE.exists() else []
    file = before = after = None
    for number, line in enumerate(lines, 1):
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith("- "):
            before = line[2:].strip()
        elif line.startswith("+ "):
            after = line[2:].strip()
        elif line.startswith("because ") and file and before and after:
            equal[file, before, after] = line
            before = after = None
        elif not line.startswith(" "):
            file = line.strip()
        else:
            stop(f"{EQUAL_FILE}:{number}: this is not understood: {line}")
    return equal


# ---- The copy, its builds and its suites -----------------------------------------------------------------------------


def run(command, **options):
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)


def write_if_changed(path, data):
    if not path.exists() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def copy_tree(copy):
    """What git knows or would add; files that are the same stay as they are, so that builds are incremental."""
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT).stdout.split("\0")
    wanted = {name for name in listed if name and (ROOT / name).is_file()}
    for name in wanted:
        write_if_changed(copy / name, (ROOT / name).read_bytes())
        shutil.copymode(ROOT / name, copy / name)
    for path in copy.rglob("*"):
        name = path.relative_to(copy)
        if path.is_file() and not name.parts[0].startswith("build") and str(name) not in wanted:
            path.unlink()


class Suite:
    """A test of ctest's."""

    def __init__(self, listed, extra_environment=()):
        properties = {entry["name"]: entry["value"] for entry in listed.get("properties", ())}
        self.command = listed.get("command", [])
        self.labels = properties.get("LABELS", [])
        self.folder = properties.get("WORKING_DIRECTORY")
        self.environment = dict(entry.split("=", 1) for entry in properties.get("ENVIRONMENT", ()))
        self.name = "".join([listed["name"], *(f" ({value})" for _, value in extra_environment)])
        self.environment.update(extra_environment)
        self.seconds = None


def end_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


class Build:
    """The copy, built in one way."""

    def __init__(self, work, sanitize, jobs):
        self.copy, self.work, self.jobs = work / "tree", work, jobs
        self.sanitize = sanitize
        self.folder = self.copy / ("build-sanitize" if sanitize else "build")
        generator = ["-G", "Ninja"] if shutil.which("ninja") else []  # much the fastest where little changes
        options = ["-DNST_TESTS=ON", "-DNST_HDF5=ON", "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_C_FLAGS=-O1"]
        if sanitize:
            options.append("-DNST_SANITIZE=address,undefined")
        done = run(["cmake", "-S", self.copy, "-B", self.folder, *generator, *options])
        if done.returncode != 0:
            stop(f"CMake could not configure:\n{done.stdout}")

    def build(self, targets):
        """What was said, if it failed."""
        done = run(["cmake", "--build", self.folder, "--parallel", self.jobs, "--target", *targets])
        return done.stdout if done.returncode != 0 else None

    def list_tests(self, labels):
        """ctest's entries with one of the labels. It does not tell the commands of programs that are not there yet."""
        for entry in json.loads(run(["ctest", "--show-only=json-v1"], cwd=self.folder).stdout)["tests"]:
            if set(Suite(entry).labels) & set(labels) and not set(Suite(entry).labels) & set(NOT_RUN):
                yield entry

    def build_suites(self, labels):
        """Their programs are named as they are."""
        known = set(re.findall(r"\btest_\w+", run(["cmake", "--build", self.folder, "--target", "help"]).stdout))
        wanted = {f"test_{entry['name'].replace('.', '_')}" for entry in self.list_tests(labels)}
        return self.build(sorted(known & wanted))

    def suites(self, labels):
        """Those with one of the labels, when they are built; some come twice."""
        listed = list(self.list_tests(labels))
        for entry in listed:
            suite = Suite(entry)
            if not self.makes(suite):
                continue
            yield suite
            if set(suite.labels) & set(BOTH_BODIES) and "NST_DEVICE_STYLE" not in suite.environment:
                if not any(other["name"] == f"{entry['name']}_gpu" for other in listed):
                    yield Suite(entry, [("NST_DEVICE_STYLE", "gpu")])

    def makes(self, suite):
        """Not so for scripts of the sources, which test the installation and the like."""
        return bool(suite.command) and str(self.folder) in suite.command[0]

    def try_suite(self, suite, limit_seconds):
        """Passed, failed, or late: not at its end when the time is over."""
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.work / "cache"), "TMPDIR": str(self.work / "temporary"),
                       "ASAN_OPTIONS": "detect_leaks=1:hard_rss_limit_mb=4000", **suite.environment}
        shutil.rmtree(self.work / "temporary", ignore_errors=True)
        (self.work / "temporary").mkdir()
        most_bytes = 12 << 30  # a mutant may want endless memory

        def limit_memory():
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
            if not self.sanitize:  # sanitizers reserve address space, and have a limit of their own
                resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))

        process = subprocess.Popen(suite.command, cwd=suite.folder, env=environment, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True,
                                   preexec_fn=limit_memory)
        try:
            verdict = "passed" if process.wait(limit_seconds) == 0 else "failed"
        except subprocess.TimeoutExpired:
            verdict = "late"
        end_group(process)
        return verdict

    def objects(self):
        """Name and checksum of everything that was compiled: a mutant that leaves all as it was changes nothing."""
        return {path: hashlib.sha256(path.read_bytes()).digest() for path in self.folder.rglob("*.o")}


# ---- Trying ----------------------------------------------------------------------------------------------------------


def room_of(folder):
    parts = pathlib.Path(folder).parts
    return "/".join(parts[:2]) if parts[0] == "src" else parts[0]


class Trial:
    """A room: its build, and its suites with the time that they take unmutated."""

    def __init__(self, room, arguments):
        work = pathlib.Path(arguments.work)
        self.build = Build(work, room in WITHOUT_DEVICE, arguments.jobs)
        labels = SUITES_OF.get(room, (room.split("/")[-1],))
        if self.build.sanitize:
            labels = [label for label in labels if f"src/{label}" in WITHOUT_DEVICE]
        failure = self.build.build_suites(labels)
        if failure:
            stop(f"the suites of {room} cannot be built:\n{failure}")
        suites = list(self.build.suites(labels))
        if not suites:
            stop(f"{room} has no suites")
        self.targets = sorted({pathlib.Path(suite.command[0]).name for suite in suites})
        self.suites = []
        for suite in suites:
            started = time.monotonic()
            verdict = self.build.try_suite(suite, arguments.slowest)
            if verdict == "failed":
                stop(f"{suite.name} fails without a mutant")
            suite.seconds = time.monotonic() - started
            if verdict == "passed":
                self.suites.append(suite)
        self.before = self.build.objects()
        print(f"{room}: {len(self.suites)} suites, {sum(suite.seconds for suite in self.suites):.0f} s together")

    def suites_for(self, mutant):
        """First those that have a word of the file's name in theirs, the fastest of them first."""
        words = pathlib.Path(mutant.file).stem.split("_")
        return sorted(self.suites, key=lambda suite: (not any(word in suite.name for word in words), suite.seconds))

    def verdict(self, mutant):
        """What became of it: caught (and by which suite), survived, same code, or not built."""
        path = self.build.copy / mutant.file
        text = path.read_text()
        try:
            path.write_text(text[:mutant.start] + mutant.replacement + text[mutant.end:])
            if self.build.build(self.targets):
                return "not built", ""
            if self.build.objects() == self.before:
                return "same code", ""
            for suite in self.suites_for(mutant):
                if self.build.try_suite(suite, 5 * suite.seconds + 10) != "passed":
                    return "caught", suite.name
            return "survived", ""
        finally:
            path.write_text(text)


class Results:
    """One JSON object a line; a later one about the same mutant counts."""

    def __init__(self, work):
        self.path = pathlib.Path(work) / "results.jsonl"
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        self.known = {entry["key"]: entry for entry in map(json.loads, lines)}

    def add(self, mutant, verdict, by):
        entry = {"key": mutant.key, "file": mutant.file, "line": mutant.line, "verdict": verdict, "by": by}
        self.known[mutant.key] = entry
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def verdict(self, mutant):
        return self.known.get(mutant.key, {}).get("verdict")


def try_folder(folder, arguments, equal, results):
    tried, trial = 0, None
    for mutant in draw_mutants(pathlib.Path(arguments.work) / "tree", folder, arguments):
        if tried == arguments.count and not arguments.again:
            break
        verdict = results.verdict(mutant)
        listed = (mutant.file, mutant.before, mutant.after) in equal
        if not listed and verdict == ("survived" if arguments.again else None):
            trial = trial or Trial(room_of(folder), arguments)
            started = time.monotonic()
            verdict, by = trial.verdict(mutant)
            results.add(mutant, verdict, by)
            print(f"{verdict:9} {time.monotonic() - started:4.0f} s  {mutant.file}:{mutant.line}  {mutant.before}  =>  "
                  f"{mutant.after}  {by}", flush=True)
        tried += listed or verdict in ("caught", "survived")


# ---- The report ------------------------------------------------------------------------------------------------------


def report(folders, arguments, equal, results):
    """A row for each folder, then the survivors. Returns how many there are."""
    survivors, total = [], collections.Counter()
    row = "{:14} {:>7} {:>7} {:>7} {:>9} {:>7}  {:>9} {:>9}"
    print(row.format("folder", "tried", "caught", "equal", "survived", "share", "same code", "not built"))
    for folder in folders:
        count = collections.Counter()
        for mutant in draw_mutants(ROOT, folder, arguments):
            listed = (mutant.file, mutant.before, mutant.after) in equal
            verdict = results.verdict(mutant)
            if verdict == "survived":
                verdict = "equal" if listed else verdict
                survivors += [mutant] if not listed else []
            if verdict:
                count[verdict] += 1
        total += count
        print_row(row, folder, count)
    if len(folders) > 1:
        print_row(row, "all", total)
    if survivors:
        print("\nSurvivors:")
    for mutant in sorted(survivors, key=lambda mutant: (mutant.file, mutant.line)):
        print(f"  {mutant.file}:{mutant.line}\n    - {mutant.before}\n    + {mutant.after}")
    return len(survivors)


def print_row(row, name, count):
    """Share: of those caught among all that are not equal."""
    tried, able = count["caught"] + count["survived"] + count["equal"], count["caught"] + count["survived"]
    share = f"{100 * count['caught'] / able:.1f} %" if able else ""
    print(row.format(name, tried, count["caught"], count["equal"], count["survived"], share, count["same code"],
                     count["not built"]))


def parse_arguments():
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--slowest", type=float, default=60)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--work", default=cache / "nst" / "mutate")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    folders = [str((pathlib.Path.cwd() / folder).resolve().relative_to(ROOT)) for folder in arguments.folders]
    equal, work = read_equal(), pathlib.Path(arguments.work)
    (work / "tree").mkdir(parents=True, exist_ok=True)
    results = Results(work)
    if not arguments.report:
        copy_tree(work / "tree")
        for folder in folders:
            try_folder(folder, arguments, equal, results)
    sys.exit(1 if report(folders, arguments, equal, results) else 0)


if __name__ == "__main__":
    main()
