"""Measures tenon's matrix products against the limit of one core of this machine, in the same run.

    python bench/gemm.py [--rounds 5] [--seconds 0.3] [--build build] [--out DIR]

Each product is a torch.nn.Linear without bias, exported, compiled and run on one thread; its time
is that of the engine's steps as the runtime's own profile gives them, so that the call from Python
is not counted. The limit is bench/peak.c: fused multiply-adds in registers for fp32, tile products
(AMX) for bf16. What clock the processor grants depends on what ran in the last milliseconds and on
who shares the core, so product and limit take turns in slices of about a millisecond, and every
slice of the product is divided by the limits measured just before and after it. Slices during which
the thread lost its processor do not count. The report gives the median of the ratios and their
quartiles.

Writes NAME.json and NAME.md under --out (bench/results).
"""

import argparse
import ctypes
import datetime
import json
import os
import pathlib
import resource
import shlex
import statistics
import subprocess
import sys
import time

import torch

import peers
import tenon_runtime

# (M, K, N): a square one, those of BERT-base at S=128, and two of ResNet-50's 1x1 convolutions.
SHAPES = (
    (1024, 1024, 1024),
    (128, 768, 768),
    (128, 768, 2304),
    (128, 768, 3072),
    (128, 3072, 768),
    (196, 1024, 256),
    (49, 512, 2048),
)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


SLICE_SECONDS = 1e-3
LEAST_SLICES = 3  # of a product in a round
PATIENCE = 20


class Peak:
    """bench/peak.c, built and loaded."""

    def __init__(self, work, dtype):
        library = work / "peak.so"
        source = peers.HERE / "peak.c"
        flags = ["-O2", "-std=gnu11", "-shared", "-fPIC"]
        subprocess.run(["cc", *flags, "-o", library, source], check=True)
        self.slice = ctypes.CDLL(str(library)).peak_slice
        self.slice.restype = ctypes.c_double
        self.name = ctypes.c_char_p(dtype.encode())

    def measure(self):
        """The rate of one slice in GFLOP/s; 0 where the machine has no such unit."""
        return self.slice(self.name)


class Product:
    """An engine that multiplies [M, K] by a weight [K, N]."""

    def __init__(self, work, build, dtype, shape):
        self.m, self.k, self.n = shape
        self.name = f"{dtype} {self.m}x{self.k}x{self.n}"
        stem = work / self.name.replace(" ", "-")
        draw = torch.Generator().manual_seed(0)
        module = torch.nn.Linear(self.k, self.n, bias=False).requires_grad_(False)
        module.weight.copy_(torch.randn(self.n, self.k, generator=draw) / self.k**0.5)
        module.to(DTYPES[dtype])
        x = torch.randn(self.m, self.k, generator=draw).to(DTYPES[dtype])
        torch.export.save(torch.export.export(module, (x,)), f"{stem}.pt2")
        command = [build / "tenon", "compile", f"{stem}.pt2", "-o", f"{stem}.tenon"]
        subprocess.run(command, check=True)
        self.engine = tenon_runtime.Engine(str(build / "libtenon_rt.so"), f"{stem}.tenon", 1)
        if dtype == "bf16":
            self.engine.set_input("input", x.view(torch.int16).numpy().view("V2"))
        else:
            self.engine.set_input("input", x.numpy())
        self.engine.set_profiling(True)
        self.check(module(x).double().numpy(), 1e-5 if dtype == "fp32" else 1e-2)

    def check(self, wanted, limit):
        """A fast product that is wrong is not measured."""
        self.engine.run()
        seen = peers.export.widen_array(self.engine.outputs()[0])
        far = peers.export.distance(seen, wanted)
        if not far <= limit:
            raise RuntimeError(
                f"{self.name}: relative distance {far:.1e}, expected at most {limit}"
            )

    def measure(self):
        """The rate of one slice in GFLOP/s: that of its median run."""
        times = []
        end = time.perf_counter() + SLICE_SECONDS
        while not times or time.perf_counter() < end:
            self.engine.run()
            times.append(sum(self.engine.step_times()))
        return 2.0 * self.m * self.k * self.n / statistics.median(times)


def preemptions():
    """How often this thread has lost its processor."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw


def alternate(product, peak, seconds):
    """(rate, limit) of the product's undisturbed slices in that time; the limit is the mean of the
    slices around it."""
    pairs = []
    start = time.perf_counter()
    while len(pairs) < LEAST_SLICES or time.perf_counter() < start + seconds:
        if time.perf_counter() > start + PATIENCE * seconds:
            raise RuntimeError(f"{product.name}: no {LEAST_SLICES} slices undisturbed by others")
        count = preemptions()
        before, rate, after = peak.measure(), product.measure(), peak.measure()
        if preemptions() == count:
            pairs.append((rate, (before + after) / 2))
    return pairs


def measure(work, build, dtype, rounds, seconds):
    """{"limit": GFLOP/s, "products": {name: figures}} of one dtype, or None without such a unit."""
    peak = Peak(work, dtype)
    if peak.measure() == 0:
        return None
    products = [Product(work, build, dtype, shape) for shape in SHAPES]
    pairs = {product.name: [] for product in products}
    for _ in range(rounds):
        for product in products:
            pairs[product.name] += alternate(product, peak, seconds)
    figures = {}
    for name, measured in pairs.items():
        low, part, high = statistics.quantiles((rate / limit for rate, limit in measured), n=4)
        figures[name] = {
            "gflops": statistics.median(rate for rate, _ in measured),
            "part": part,
            "part_quartiles": [low, high],
            "slices": len(measured),
        }
    limits = [limit for measured in pairs.values() for _, limit in measured]
    return {"limit": statistics.median(limits), "products": figures}


def markdown(report):
    lines = [f"# Matrix products, {report['date']}", "", f"`{report['command']}`", ""]
    lines += [f"- {key}: {value}" for key, value in report["machine"].items()]
    lines += [f"- tree: {report['tree']}", ""]
    for dtype, result in report["results"].items():
        lines += [
            f"## {dtype}, one thread, limit {result['limit']:.0f} GFLOP/s",
            "",
            "| M x K x N | GFLOP/s | part of the limit (quartiles) |",
            "| --- | ---: | --- |",
        ]
        for name, f in result["products"].items():
            low, high = f["part_quartiles"]
            part = f"{f['part']:.0%} ({low:.0%} to {high:.0%})"
            lines.append(f"| {name.split()[1]} | {f['gflops']:.0f} | {part} |")
        lines.append("")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Measures matrix products against the machine.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of a product in a round")
    parser.add_argument("--build", type=pathlib.Path, default=peers.TREE / "build")
    parser.add_argument("--work", type=pathlib.Path, default=peers.TREE / "build" / "bench")
    parser.add_argument("--out", type=pathlib.Path, default=peers.HERE / "results")
    parser.add_argument("--name", help="of the result files (default: gemm and the date)")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    machine = peers.machine()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    now = datetime.datetime.now(datetime.timezone.utc)
    results = {}
    for dtype in DTYPES:
        result = measure(
            arguments.work, arguments.build, dtype, arguments.rounds, arguments.seconds
        )
        if result is not None:
            results[dtype] = result
    report = {
        "date": now.strftime("%Y-%m-%d %H:%M UTC"),
        "command": "python bench/gemm.py " + shlex.join(sys.argv[1:]),
        "machine": machine,
        "tree": peers.first_line(["git", "-C", str(peers.TREE), "describe", "--always", "--dirty"]),
        "results": results,
    }
    name = arguments.name or now.strftime("gemm-%Y-%m-%d-%H%M")
    (arguments.out / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    (arguments.out / f"{name}.md").write_text(markdown(report))
    print(markdown(report))


if __name__ == "__main__":
    main()
