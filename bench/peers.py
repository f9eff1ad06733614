"""Measures tenon and its peers on the same models in the same run.

    python bench/peers.py [--models bert_base,resnet50] [--peers ...] [--threads 1,2]
                          [--rounds 7] [--seconds 1.5] [--build build] [--out DIR]

Peers: tenon (libtenon_rt through ctypes), ONNX Runtime, PyTorch eager and torch.compile, each in
fp32 and, where it can, in bf16. Every peer runs in a process of its own that holds the model; the
processes are stopped (SIGSTOP) except for the one that is being measured, so that no peer's
spinning threads disturb another. One round measures each peer once, in an order that changes from
round to round. A round's figure is the median of its runs. Clocks of shared machines drift, so what
counts is the ratio within a round: the report gives the median of these ratios and their spread.

Writes NAME.json and NAME.md under --out (bench/results), with the machine's features, versions and
the command. Needs the packages of tests/requirements.txt and bench/requirements.txt.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shlex
import signal
import statistics
import subprocess
import sys
import warnings

import numpy

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parent
sys.path.insert(0, str(TREE / "tests" / "e2e"))

import export  # noqa: E402
import models  # noqa: E402

DTYPES_OF = {
    "tenon": ("fp32", "bf16"),
    "onnxruntime": ("fp32",),
    "eager": ("fp32", "bf16"),
    "inductor": ("fp32", "bf16"),
}
BASELINE = "onnxruntime fp32"
# What the kernels of any of the peers look at.
FEATURES = (
    "sse4_2 avx avx2 fma f16c avx512f avx512bw avx512vl avx512_vnni avx512_bf16 avx512_fp16 "
    "avx_vnni amx_tile amx_bf16 amx_int8 asimd asimddp bf16 i8mm sve"
).split()


def prepare(folder, model_name, dtype, peers, build):
    """Writes the inputs, and the model in the format of each peer that reads a file. Returns the
    seconds that `tenon compile` took, or None."""
    import torch

    model = models.find(model_name)
    stem = f"{model_name}-{dtype}"
    example = models.inputs(model, "full", dtype, 0, batch=1)
    (folder / f"{stem}.json").write_text(json.dumps({"inputs": list(example)}))
    for name, tensor in example.items():
        export.save_array(folder / f"{stem}-{name}.npy", tensor)
    module = models.build(model, "full", dtype)
    if "onnxruntime" in peers and dtype in DTYPES_OF["onnxruntime"]:
        path = str(folder / f"{stem}.onnx")
        torch.onnx.export(module, (), path, kwargs=example, dynamo=True, verbose=False)
    if "tenon" not in peers:
        return None
    program = folder / f"{stem}.pt2"
    torch.export.save(torch.export.export(module, (), example), program)
    start = datetime.datetime.now()
    command = [str(build / "tenon"), "compile", str(program), "-o", str(folder / f"{stem}.tenon")]
    subprocess.run(command, check=True)
    return (datetime.datetime.now() - start).total_seconds()


class Worker:
    """A peer's process, stopped whenever it is not being measured."""

    def __init__(self, peer, model, dtype, threads, folder, library, processors):
        self.name = f"{peer} {dtype}"
        self.dtype = dtype
        self.outputs = folder / f"{model}-{dtype}-{peer}.npz"
        command = [sys.executable, str(HERE / "peer_worker.py"), peer, model, dtype, str(threads)]
        self.process = subprocess.Popen(
            command + [str(folder), str(library)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=dict(os.environ, OMP_NUM_THREADS=str(threads)),
            preexec_fn=lambda: os.sched_setaffinity(0, processors),
        )
        self.ready = self.answer()
        self.process.send_signal(signal.SIGSTOP)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name}: its process ended with {self.process.wait()}")
        return json.loads(line)

    def measure(self, seconds):
        self.process.send_signal(signal.SIGCONT)
        print(seconds, file=self.process.stdin, flush=True)
        times = self.answer()
        self.process.send_signal(signal.SIGSTOP)
        return times

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait()


def distance(path, reference):
    """The largest relative L2 distance of the outputs saved in `path` to the reference's."""
    mine, truth = numpy.load(path), numpy.load(reference)
    return max(
        float(numpy.linalg.norm(mine[k] - truth[k]) / numpy.linalg.norm(truth[k])) for k in truth
    )


def measure(model, threads, peers, folder, library, rounds, seconds):
    """One model on one number of threads: {"peers": {name: figures}, "rounds": [{name: ms}]}."""
    processors = set(sorted(os.sched_getaffinity(0))[-threads:])
    workers = []
    try:
        for peer in peers:
            for dtype in DTYPES_OF[peer]:
                workers.append(Worker(peer, model, dtype, threads, folder, library, processors))
        table = []
        for number in range(rounds):
            order = workers[number % len(workers) :] + workers[: number % len(workers)]
            medians = {w.name: statistics.median(w.measure(seconds)) / 1e6 for w in order}
            table.append({w.name: medians[w.name] for w in workers})
    finally:
        for worker in workers:
            worker.end()
    figures = {}
    for worker in workers:
        figures[worker.name] = {
            "ms": statistics.median(row[worker.name] for row in table),
            "load_ms": worker.ready["load_ms"],
            "version": worker.ready["version"],
        }
        if "eager fp32" in table[0]:
            reference = folder / f"{model}-fp32-eager.npz"
            figures[worker.name]["distance_to_eager_fp32"] = distance(worker.outputs, reference)
        if BASELINE in table[0]:
            ratios = sorted(row[BASELINE] / row[worker.name] for row in table)
            figures[worker.name]["speed"] = statistics.median(ratios)
            figures[worker.name]["speed_spread"] = [ratios[0], ratios[-1]]
    return {"model": model, "threads": threads, "peers": figures, "rounds": table}


def machine():
    """What of the machine decides speed; features, not names."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    flags = set()
    for line in text.splitlines():
        if line.startswith(("flags", "Features")):
            flags = set(line.split(":")[1].split())
            break
    return {
        "architecture": platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "features": [feature for feature in FEATURES if feature in flags],
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "compiler": first_line(["cc", "--version"]),
    }


def first_line(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split(
            "\n"
        )[0]
    except (OSError, subprocess.CalledProcessError):
        return "none"


def markdown(report):
    lines = [f"# Peers, {report['date']}", "", f"`{report['command']}`", ""]
    lines += [f"- {key}: {value}" for key, value in report["machine"].items()]
    lines += [f"- tree: {report['tree']}", ""]
    for result in report["results"]:
        lines += [
            f"## {result['model']}, {result['threads']} thread{'s' * (result['threads'] > 1)}",
            "",
            f"| peer | version | ms | speed against {BASELINE} (spread) | distance | load, ms |",
            "| --- | --- | ---: | --- | ---: | ---: |",
        ]
        for name, f in sorted(result["peers"].items(), key=lambda item: item[1]["ms"]):
            spread = "-"
            if "speed" in f:
                low, high = f["speed_spread"]
                spread = f"{f['speed']:.2f} ({low:.2f} to {high:.2f})"
            far = f.get("distance_to_eager_fp32")
            far = "-" if far is None else f"{far:.1e}"
            cells = (name, f["version"], f"{f['ms']:.2f}", spread, far, f"{f['load_ms']:.0f}")
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    if report["compile_s"]:
        lines += ["## tenon compile", "", "| model | seconds |", "| --- | ---: |"]
        lines += [f"| {name} | {seconds:.1f} |" for name, seconds in report["compile_s"].items()]
        lines.append("")
    lines += [
        f"Batch 1. ms: the median over {report['rounds']} rounds of each round's median run.",
        "Speed: the median over rounds of the ratio within the round, smallest and largest.",
        "Distance: the largest relative L2 distance of an output to PyTorch eager in fp32 (bf16",
        "weights are rounded, so theirs is not the error of arithmetic alone). Load: from nothing",
        "to the first result.",
        "",
    ]
    return "\n".join(lines)


def split(text):
    return text.split(",")


def main():
    parser = argparse.ArgumentParser(description="Measures tenon and its peers in one run.")
    parser.add_argument("--models", type=split, default=["bert_base", "resnet50"])
    parser.add_argument("--peers", type=split, default=list(DTYPES_OF))
    parser.add_argument("--threads", type=split, default=["1", "2"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="per peer and round")
    parser.add_argument("--build", type=pathlib.Path, default=TREE / "build")
    parser.add_argument("--work", type=pathlib.Path, default=TREE / "build" / "bench")
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "results")
    parser.add_argument("--name", help="of the result files (default: the date)")
    arguments = parser.parse_args()
    unknown = [peer for peer in arguments.peers if peer not in DTYPES_OF]
    if unknown:
        parser.error(f"no peer {', '.join(unknown)}; there are {', '.join(DTYPES_OF)}")
    warnings.filterwarnings("ignore")
    arguments.work.mkdir(parents=True, exist_ok=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    library = arguments.build / "libtenon_rt.so"
    now = datetime.datetime.now(datetime.timezone.utc)
    report = {
        "date": now.strftime("%Y-%m-%d %H:%M UTC"),
        "command": "python bench/peers.py " + shlex.join(sys.argv[1:]),
        "machine": machine(),
        "tree": first_line(["git", "-C", str(TREE), "describe", "--always", "--dirty"]),
        "rounds": arguments.rounds,
        "compile_s": {},
        "results": [],
    }
    for model in arguments.models:
        for dtype in sorted({dtype for peer in arguments.peers for dtype in DTYPES_OF[peer]}):
            seconds = prepare(arguments.work, model, dtype, arguments.peers, arguments.build)
            if seconds is not None:
                report["compile_s"][f"{model} {dtype}"] = seconds
        for threads in map(int, arguments.threads):
            report["results"].append(
                measure(
                    model, threads, arguments.peers, arguments.work, library,
                    arguments.rounds, arguments.seconds,
                )  # fmt: skip
            )
    name = arguments.name or now.strftime("%Y-%m-%d-%H%M")
    (arguments.out / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    text = markdown(report)
    (arguments.out / f"{name}.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
