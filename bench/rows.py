"""Measures kernels over rows (extremes, scans, orders, scatters) against PyTorch and the interpreter.

    python bench/rows.py [--rounds 5] [--threads 1 2] [--build build] [--out DIR]

Each is a function of one fp32 tensor, exported and compiled twice: with generated code, and for the
interpreter (--codegen=none). A round times all three one after the other, each by the fastest of a
few runs; the report gives the median over the rounds of the ratio to tenon's time, and its spread.

Writes NAME.json and NAME.md under --out (bench/results).
"""

import argparse
import datetime
import json
import pathlib
import shlex
import statistics
import subprocess
import sys
import time

import torch

import peers
import tenon_runtime

SLOTS = torch.randint(0, 500, (4000, 1), generator=torch.Generator().manual_seed(1))
CASES = {
    "argmax 1x50257": ((1, 50257), lambda x: torch.argmax(x, -1)),
    "argmax 128x50257": ((128, 50257), lambda x: torch.argmax(x, -1)),
    "cumsum 128x4096": ((128, 4096), lambda x: torch.cumsum(x, -1)),
    "cumsum 4096x128, dim 0": ((4096, 128), lambda x: torch.cumsum(x, 0)),
    "top 50 of 128x50257": ((128, 50257), lambda x: tuple(torch.topk(x, 50))),
    "sort 128x4096": ((128, 4096), lambda x: tuple(torch.sort(x))),
    "scatter_add 4000x64": (
        (4000, 64),
        lambda x: torch.zeros(500, 64).scatter_add(0, SLOTS.expand(4000, 64), x),
    ),
}


class Function(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Case:
    """One function, ready to run in PyTorch, by generated code and on the interpreter."""

    def __init__(self, work, build, name, shape, function, threads):
        self.name = name
        x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        stem = work / "".join(c if c.isalnum() else "-" for c in name)
        torch.export.save(torch.export.export(Function(function), (x,)), f"{stem}.pt2")
        self.runs = {"torch": lambda: function(x)}
        for kind, codegen in (("tenon", "c"), ("interpreter", "none")):
            path = f"{stem}-{kind}.tenon"
            command = [build / "tenon", "compile", f"{stem}.pt2", "-o", path]
            subprocess.run(
                [*command, f"--codegen={codegen}"], check=True, stdout=subprocess.DEVNULL
            )
            engine = tenon_runtime.Engine(str(build / "libtenon_rt.so"), path, threads)
            engine.set_input("x", x.numpy())
            self.runs[kind] = engine.run
            self.check(engine, function(x))

    def check(self, engine, wanted):
        """A fast kernel that is wrong is not measured. Positions of equal elements may differ."""
        engine.run()
        wanted = wanted[0] if isinstance(wanted, tuple) else wanted
        far = peers.export.distance(engine.outputs()[0].astype("f8"), wanted.double().numpy())
        if not far <= 1e-6:
            raise RuntimeError(f"{self.name}: relative distance {far:.1e}, expected at most 1e-6")

    def measure(self):
        """Seconds of the fastest of a few runs, by kind."""
        times = {}
        for kind, run in self.runs.items():
            best = float("inf")
            for _ in range(2 if kind == "interpreter" else 20):
                begin = time.perf_counter()
                run()
                best = min(best, time.perf_counter() - begin)
            times[kind] = best
        return times


def measure(work, build, rounds, threads):
    """{name: figures} on so many threads."""
    torch.set_num_threads(threads)
    figures = {}
    for name, (shape, function) in CASES.items():
        case = Case(work, build, name, shape, function, threads)
        times = [case.measure() for _ in range(rounds)]
        figures[name] = {"ms": 1e3 * min(t["tenon"] for t in times)}
        for kind in ("interpreter", "torch"):
            ratios = sorted(t[kind] / t["tenon"] for t in times)
            figures[name][kind] = [ratios[0], statistics.median(ratios), ratios[-1]]
    return figures


def markdown(report):
    lines = [f"# Kernels over rows, {report['date']}", "", f"`{report['command']}`", ""]
    lines += [f"- {key}: {value}" for key, value in report["machine"].items()]
    lines += [f"- tree: {report['tree']}", ""]
    for threads, figures in report["results"].items():
        lines += [
            f"## fp32, threads: {threads}",
            "",
            "| function | tenon, ms | interpreter / tenon (spread) | PyTorch / tenon (spread) |",
            "| --- | ---: | --- | --- |",
        ]
        for name, f in figures.items():
            cells = [name, f"{f['ms']:.3f}"]
            for kind in ("interpreter", "torch"):
                low, middle, high = f[kind]
                cells.append(f"{middle:.1f} ({low:.1f} to {high:.1f})")
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Measures kernels over rows against PyTorch.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--build", type=pathlib.Path, default=peers.TREE / "build")
    parser.add_argument("--work", type=pathlib.Path, default=peers.TREE / "build" / "bench")
    parser.add_argument("--out", type=pathlib.Path, default=peers.HERE / "results")
    parser.add_argument("--name", help="of the result files (default: rows and the date)")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.timezone.utc)
    report = {
        "date": now.strftime("%Y-%m-%d %H:%M UTC"),
        "command": "python bench/rows.py " + shlex.join(sys.argv[1:]),
        "machine": peers.machine(),
        "tree": peers.first_line(["git", "-C", str(peers.TREE), "describe", "--always", "--dirty"]),
        "results": {
            threads: measure(arguments.work, arguments.build, arguments.rounds, threads)
            for threads in arguments.threads
        },
    }
    name = arguments.name or now.strftime("rows-%Y-%m-%d-%H%M")
    (arguments.out / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    (arguments.out / f"{name}.md").write_text(markdown(report))
    print(markdown(report))


if __name__ == "__main__":
    main()
