"""What a call from Python costs beyond the engine's own run.

    build/venv/bin/python bench/call_overhead.py [--build build/dev] [--out FILE.json]

A model with three inputs and little to compute is called as a module, with torch tensors and with
NumPy arrays; `tenon bench` says what the same engine takes in C, alternating with the calls. One
thread each. Figures are microseconds: the least of each round, then the median of rounds and their
spread; the overhead is the difference. PyTorch's own call of the module stands beside them.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
ROUNDS, REPEATS, CALLS = 7, 20, 500


def least_us(call):
    """The least time of a call over many short loops."""
    best = float("inf")
    for _ in range(REPEATS):
        began = time.perf_counter_ns()
        for _ in range(CALLS):
            call()
        best = min(best, (time.perf_counter_ns() - began) / CALLS / 1e3)
    return best


def engine_us(command, path):
    """The least time of a run in C."""
    arguments = ["bench", path, "--threads", "1", "--duration", "0.2", "--json"]
    printed = subprocess.run([command, *arguments], check=True, capture_output=True, text=True)
    return json.loads(printed.stdout)["latency_ms"]["min"] * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "dev")
    parser.add_argument("--out", type=pathlib.Path, help="also write the figures as JSON")
    options = parser.parse_args()
    sys.path.insert(0, str(options.build / "python"))
    import torch

    import tenon

    class Sum3(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(64, 64)

        def forward(self, x, y, z):
            return self.linear(x) + y * z

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    module = Sum3().eval()
    tensors = [torch.rand(8, 64) for _ in range(3)]
    arrays = [tensor.numpy() for tensor in tensors]
    compiled = tenon.compile(module, tensors, threads=1)
    names = {"x": tensors[0], "y": tensors[1], "z": tensors[2]}
    calls = {
        "module, torch": lambda: compiled(*tensors),
        "module, torch, by name": lambda: compiled(**names),
        "module, NumPy": lambda: compiled(*arrays),
        "PyTorch eager": lambda: module(*tensors),
    }
    rounds = {name: [] for name in ("engine", *calls)}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "sum3.tenon")
        compiled.save(path)
        for _ in range(ROUNDS):
            rounds["engine"].append(engine_us(options.build / "tenon", path))
            for name, call in calls.items():
                rounds[name].append(least_us(call))
    engine = statistics.median(rounds["engine"])
    print(f"tenon {tenon.__version__}, torch {torch.__version__}, {ROUNDS} rounds; microseconds")
    for name, values in rounds.items():
        median = statistics.median(values)
        print(
            f"{name:24} {median:6.2f}  ({min(values):.2f} to {max(values):.2f})  "
            f"beyond the engine {median - engine:6.2f}"
        )
    if options.out:
        options.out.write_text(json.dumps(rounds, indent=1) + "\n")


if __name__ == "__main__":
    main()
