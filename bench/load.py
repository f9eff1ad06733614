"""Measures how fast an engine file is ready to run, and what memory it then holds.

    python bench/load.py ENGINE ... [--rounds 9] [--build build]

For each engine, in a fresh process each round: the time from the file's name to a context
(tn_engine_load, tn_session_create, tn_context_create), the growth of resident memory by it, and the
growth after a first run with inputs of the smallest sizes, beside what that run has to touch: the
file's weights and code, and the arena. The file is in the page cache, as it is for a restarted
server. Prints a markdown table.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

import numpy

import peers
import tenon_runtime


def resident_bytes():
    """What the kernel counts as this process's resident memory."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmRSS")


def measure_here(library, path):
    """One round, in this process; returns figures as a dictionary."""
    tenon_runtime.Engine.open_library(library)
    before = resident_bytes()
    start = time.perf_counter_ns()
    engine = tenon_runtime.Engine(library, path, 1)
    load_ns = time.perf_counter_ns() - start
    loaded = resident_bytes()
    arrays = [
        (info.name, numpy.zeros(info.smallest_shape, info.numpy_type)) for info in engine.inputs()
    ]
    for name, array in arrays:
        engine.set_input(name, array)
    engine.run()
    arena_bytes, _ = engine.memory()
    return {
        "load_ms": load_ns / 1e6,
        "at_load": loaded - before,
        "after_run": resident_bytes() - before,
        "touched": pathlib.Path(path).stat().st_size + arena_bytes,
    }


def main():
    parser = argparse.ArgumentParser(description="Measures load time and resident memory.")
    parser.add_argument("engines", nargs="+", metavar="ENGINE")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--build", type=pathlib.Path, default=peers.TREE / "build")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    library = str(arguments.build / "libtenon_rt.so")
    if arguments.here:
        print(json.dumps(measure_here(library, arguments.engines[0])))
        return
    print("| engine | load, ms (spread) | resident at load, MB | after a run, MB | of touched |")
    print("| --- | --- | ---: | ---: | ---: |")
    for path in arguments.engines:
        command = [sys.executable, __file__, "--here", "--build", str(arguments.build), path]
        rounds = []
        for _ in range(arguments.rounds):
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rounds.append(json.loads(done.stdout))
        load = sorted(figures["load_ms"] for figures in rounds)
        middle = {key: statistics.median(figures[key] for figures in rounds) for key in rounds[0]}
        cells = (
            pathlib.Path(path).stem,
            f"{statistics.median(load):.1f} ({load[0]:.1f} to {load[-1]:.1f})",
            f"{middle['at_load'] / 1e6:.1f}",
            f"{middle['after_run'] / 1e6:.1f}",
            f"{middle['after_run'] / middle['touched']:.2f}",
        )
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
