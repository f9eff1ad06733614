r"""Compiles and runs the end-to-end models through the command and compares every output.

    TENON=build/tenon TENON_BUILD=build/release \
        python tests/e2e/run.py [--size small|full] [PATTERN ...]

For each variant (tests/e2e/export.py): `tenon compile`, then `tenon run` at every shape from the
same engine. An output passes when its relative L2 distance to what PyTorch computed is within the
limit of its dtype. Two correct results may differ by more than that where both lie near the limit
of the number format: then the output's distance to the float64 run must be within the limit, or
no larger than that of PyTorch's own result.

Exports of small size stay in build/e2e; those of full size are removed variant by variant, because
together they would take tens of gigabytes.
"""

import argparse
import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy

import export

LIMITS = {"float32": 1e-5, "bfloat16": 1e-2}
CACHE = pathlib.Path(__file__).resolve().parents[2] / "build" / "e2e"


class Failure(Exception):
    """A check that did not hold; the message says what was seen and what was wanted."""


def tenon(*arguments):
    """Runs the command; returns its standard output."""
    command = [os.environ["TENON"], *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"tenon {arguments[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def check_output(folder, output, path):
    """Compares one .npy file that the command wrote; returns its distance to PyTorch's result."""
    if not path.exists():
        raise Failure(f"tenon run wrote no {path.name}")
    seen, wanted = numpy.load(path), numpy.load(folder / output["torch"])
    if (seen.shape, seen.dtype.str[1:]) != (wanted.shape, wanted.dtype.str[1:]):
        expected = f"{wanted.dtype}{list(wanted.shape)}"
        raise Failure(f"{path.name}: {seen.dtype}{list(seen.shape)}, expected {expected}")
    limit = LIMITS[output["dtype"]]
    result, wanted = export.widen_array(seen), export.widen_array(wanted)
    exact = numpy.load(folder / output["float64"])
    to_wanted = export.distance(result, wanted)
    if to_wanted <= limit:
        return to_wanted
    to_exact = export.distance(result, exact)
    allowed = max(limit, export.distance(wanted, exact))
    if not to_exact <= allowed:
        raise Failure(
            f"{path.name}: relative L2 distance {to_wanted:.2e} to PyTorch (limit {limit:.0e}) and "
            f"{to_exact:.2e} to float64 (limit {allowed:.2e})"
        )
    return to_wanted


def check_in_place(engine):
    """Compares an engine with itself; returns how many results lie over operands."""
    program = pathlib.Path(os.environ["TENON_BUILD"]) / "tests" / "bin" / "compare_in_place"
    done = subprocess.run([program, engine], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"compare_in_place ended with {done.returncode}: {done.stderr.strip()}")
    return int(done.stdout)


def check_variant(folder, name, manifest, scratch, size):
    """Compiles one variant, runs it at every shape; returns what was seen, in words."""
    engine = scratch / f"{name}.tenon"
    tenon("compile", folder / f"{name}.pt2", "-o", engine)
    seen = f", {check_in_place(engine)} in place" if size == "small" else ""
    worst = 0.0
    for number, case in enumerate(manifest["cases"]):
        results = scratch / f"{name}-{number}"
        options = []
        for input_name, file in case["inputs"].items():
            options += ["--input", f"{input_name}={folder / file}"]
        try:
            tenon("run", engine, *options, "--output-dir", results)
            for output_name, output in zip(manifest["outputs"], case["outputs"], strict=True):
                distance = check_output(folder, output, results / f"{output_name}.npy")
                worst = max(worst, distance)
        except Failure as failure:
            raise Failure(f"case {number}: {failure}") from None
        shutil.rmtree(results)
    engine.unlink()
    return f"{worst:.1e}{seen}"


@contextlib.contextmanager
def locked(folder):
    """Lets one process at a time write into the cache."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def exported(size, name, scratch):
    """(folder, manifest) of one variant."""
    if size == "full":
        return scratch, export.export_variants(scratch, [size], [name])[name]
    with locked(CACHE):
        return CACHE, export.export_variants(CACHE, [size], [name])[name]


def run(size, patterns):
    """Checks every selected variant and prints a line for each; returns the number of failures."""
    names = [name for name, *_ in export.variants([size], patterns)]
    if not names:
        sys.exit(f"no variant of size {size} is named {' or '.join(patterns)}")
    failed = 0
    for name in names:
        with tempfile.TemporaryDirectory(dir=".") as scratch:
            scratch = pathlib.Path(scratch)
            folder, manifest = exported(size, name, scratch)
            try:
                seen = check_variant(folder, name, manifest, scratch, size)
                print(f"ok      {name}: {seen}", flush=True)
            except Failure as failure:
                failed += 1
                print(f"FAILED  {name}: {failure}", flush=True)
    print(f"{len(names) - failed} of {len(names)} variants passed")
    return failed


def main():
    parser = argparse.ArgumentParser(description="Compiles, runs and compares the models.")
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="e.g. 'bert_base-*-core'")
    parser.add_argument("--size", choices=("small", "full"), default="small")
    arguments = parser.parse_args()
    sys.exit(run(arguments.size, arguments.patterns) != 0)


if __name__ == "__main__":
    main()
