"""What must hold of whole engines besides their results: the number of kernels, the arena against
the largest sum of live values, and the same bytes from the same model.

A layer's kernels are counted as the difference between two models that differ by one layer, so that
nothing needs to be known of how kernels are named.

ctest: standard timeout=900
"""

import itertools
import json
import pathlib
import sys
import warnings

import torch

import models
from run import Failure, tenon

MOST_RESNET50_KERNELS = 57
MOST_LAYER_KERNELS = 8
ARENA_FACTOR = 1.1


def export(name, model, module, dtype_name, dialect):
    """Writes NAME.pt2 of the module with random weights, at the model's full input shape."""
    models.randomise(module, name)
    models.cast(module, models.DTYPES[dtype_name])
    module.eval().requires_grad_(False)
    program = torch.export.export(module, (), models.inputs(model, "full", dtype_name, 0))
    if dialect == "core":
        program = program.run_decompositions()
    path = pathlib.Path(f"{name}.pt2")
    torch.export.save(program, path)
    return path


def compile_twice(program):
    """The engine's description, after what must hold of every engine."""
    engines = [program.with_suffix(f".{number}.tenon") for number in (1, 2)]
    for engine in engines:
        tenon("compile", program, "-o", engine)
    if engines[0].read_bytes() != engines[1].read_bytes():
        raise Failure("two compilations gave different engine files")
    description = json.loads(tenon("inspect", engines[0], "--json"))
    memory = description["memory"]
    if memory["arena_bytes"] > ARENA_FACTOR * memory["live_bytes"]:
        raise Failure(
            f"the arena takes {memory['arena_bytes']} bytes, expected at most {ARENA_FACTOR} times "
            f"the largest sum of live values, {memory['live_bytes']}"
        )
    return description


def count_kernels(name, model, module, dtype_name, dialect):
    with torch.no_grad():
        program = export(name, model, module, dtype_name, dialect)
    return len(compile_twice(program)["steps"])


def check_resnet50(dtype_name, dialect):
    model = models.find("resnet50")
    name = f"resnet50-{dtype_name}-{dialect}"
    count = count_kernels(name, model, model.full.make(), dtype_name, dialect)
    if count > MOST_RESNET50_KERNELS:
        raise Failure(f"{count} kernels, expected at most {MOST_RESNET50_KERNELS}")
    return f"{count} kernels"


def check_layer(model_name, make, dtype_name, dialect):
    counts = []
    for layers in (1, 2):
        name = f"{model_name}-{layers}-{dtype_name}-{dialect}"
        module = make(num_hidden_layers=layers)
        counts.append(count_kernels(name, models.find(model_name), module, dtype_name, dialect))
    if counts[1] - counts[0] > MOST_LAYER_KERNELS:
        raise Failure(
            f"one more layer adds {counts[1] - counts[0]} kernels to {counts[0]}, expected at most "
            f"{MOST_LAYER_KERNELS}"
        )
    return f"{counts[1] - counts[0]} kernels per layer, {counts[0]} with one"


def make_llama(num_hidden_layers):
    return models.llama(
        vocab_size=32000,
        hidden_size=512,
        num_hidden_layers=num_hidden_layers,
        num_attention_heads=8,
        num_key_value_heads=2,
        intermediate_size=1408,
    )


warnings.filterwarnings("ignore")
failed = 0
for dtype_name, dialect in itertools.product(models.DTYPES, ("train", "core")):
    checks = {
        "resnet50": lambda: check_resnet50(dtype_name, dialect),
        "bert_base": lambda: check_layer("bert_base", models.bert, dtype_name, dialect),
        "llama": lambda: check_layer("llama", make_llama, dtype_name, dialect),
    }
    for name, check in checks.items():
        try:
            print(f"ok      {name} {dtype_name} {dialect}: {check()}", flush=True)
        except Failure as failure:
            failed += 1
            print(f"FAILED  {name} {dtype_name} {dialect}: {failure}", flush=True)
sys.exit(failed != 0)
