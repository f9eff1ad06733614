"""One peer with one model in one process, measured on request: the far end of bench/peers.py.

    peer_worker.py PEER MODEL DTYPE THREADS FOLDER LIBRARY

runs on the processors that the parent allowed it. FOLDER holds what the parent prepared:
MODEL-DTYPE.json with the names of the inputs, their .npy files, and the model for the peers that
read a file. Prints one JSON line when ready ({"load_ms", "version"}, outputs saved beside), then
answers each line "SECONDS" on standard input with one JSON line: the nanoseconds of every run that
fitted into that time, after one untimed run.
"""

import json
import os
import pathlib
import sys
import time

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))


class Tenon:
    """An engine file, run in-process through the C API."""

    def __init__(self, job):
        import tenon_runtime

        path = str(job.folder / f"{job.model}-{job.dtype}.tenon")
        self.engine = tenon_runtime.Engine(job.library, path, job.threads)
        for name, array in job.inputs().items():
            self.engine.set_input(name, array)
        self.version = self.engine.version
        self.run = self.engine.run

    def results(self):
        from export import widen_array

        self.run()
        return [widen_array(array) for array in self.engine.outputs()]


class OnnxRuntime:
    """ONNX Runtime's CPU provider with all graph optimisations, from torch.onnx.export's file."""

    def __init__(self, job):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = job.threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        path = str(job.folder / f"{job.model}-{job.dtype}.onnx")
        self.session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        self.arrays = job.inputs()
        self.version = onnxruntime.__version__

    def run(self):
        return self.session.run(None, self.arrays)

    def results(self):
        return self.run()


class Eager:
    """PyTorch without a compiler."""

    def __init__(self, job):
        import models
        import torch

        torch.set_num_threads(job.threads)
        torch.set_grad_enabled(False)
        self.module = models.build(models.find(job.model), "full", job.dtype)
        self.tensors = {}
        for name, array in job.inputs().items():
            if array.dtype.kind == "V":
                self.tensors[name] = torch.from_numpy(array.view(numpy.int16)).view(torch.bfloat16)
            else:
                self.tensors[name] = torch.from_numpy(array)
        self.version = torch.__version__

    def run(self):
        return self.module(**self.tensors)

    def results(self):
        result = self.run()
        return [tensor.double() for tensor in (result if isinstance(result, tuple) else (result,))]


class Inductor(Eager):
    """torch.compile's default backend, with weights frozen, which lets it pack them."""

    def __init__(self, job):
        super().__init__(job)
        import torch
        import torch._inductor.config

        torch._inductor.config.freezing = True
        self.module = torch.compile(self.module)
        self.run()


PEERS = {"tenon": Tenon, "onnxruntime": OnnxRuntime, "eager": Eager, "inductor": Inductor}


class Job:
    """What the command line asked for."""

    def __init__(self, model, dtype, threads, folder, library):
        self.model = model
        self.dtype = dtype
        self.threads = int(threads)
        self.folder = pathlib.Path(folder)
        self.library = library

    def inputs(self):
        stem = f"{self.model}-{self.dtype}"
        names = json.loads((self.folder / f"{stem}.json").read_text())["inputs"]
        return {name: numpy.load(self.folder / f"{stem}-{name}.npy") for name in names}


def main():
    peer_name, *rest = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not mix with answers
    job = Job(*rest)
    start = time.perf_counter_ns()
    peer = PEERS[peer_name](job)
    peer.run()
    ready = {"load_ms": (time.perf_counter_ns() - start) / 1e6, "version": peer.version}
    outputs = [numpy.asarray(output, dtype=numpy.float64) for output in peer.results()]
    numpy.savez(job.folder / f"{job.model}-{job.dtype}-{peer_name}.npz", *outputs)
    print(json.dumps(ready), file=answers, flush=True)
    for line in sys.stdin:
        limit = time.perf_counter_ns() + float(line) * 1e9
        times = []
        peer.run()
        while time.perf_counter_ns() < limit or len(times) < 3:
            start = time.perf_counter_ns()
            peer.run()
            times.append(time.perf_counter_ns() - start)
        print(json.dumps(times), file=answers, flush=True)


if __name__ == "__main__":
    main()
