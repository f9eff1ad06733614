"""Models with buffers that they change: several runs of one context against the module in PyTorch,
and how many bytes the engine moves for its states.

ctest: standard timeout=300
"""

import json
import os
import pathlib
import sys
import warnings

import torch
import transformers
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

import export
from run import Failure, tenon
from tenon_runtime import Engine
from transformers.integrations.executorch import TorchExportableModuleWithStaticCache

LIMIT = 1e-5
CACHE_LENGTH = 256


class Cached(nn.Module):
    """Attention over a cache: keys are put at positions, values at a fixed slice; a counter."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(16, 48)
        self.register_buffer("keys", torch.zeros(1, CACHE_LENGTH, 16))
        self.register_buffer("values", torch.zeros(1, CACHE_LENGTH, 16))
        self.register_buffer("runs", torch.zeros((), dtype=torch.int64))

    def forward(self, x, positions):
        q, k, v = self.project(x).chunk(3, dim=-1)
        self.keys[:, positions] = k
        self.values[:, 8:11] = v
        self.runs += 1
        scores = torch.softmax(q @ self.keys.transpose(1, 2) * 0.25, dim=-1)
        return scores @ self.values * self.runs


def make_cached():
    steps = [(torch.randn(1, 3, 16), torch.tensor([i, i + 9, i + 20])) for i in range(5)]
    return Cached(), ("x", "positions"), steps


def make_llama():
    """A decoder with a static cache, one token a run."""
    config = transformers.LlamaConfig(
        vocab_size=97,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=CACHE_LENGTH,
    )
    model = transformers.LlamaForCausalLM(config)
    model.generation_config = transformers.GenerationConfig(
        use_cache=True,
        cache_implementation="static",
        cache_config={"batch_size": 1, "max_cache_len": CACHE_LENGTH},
    )
    module = TorchExportableModuleWithStaticCache(model, batch_size=1, max_cache_len=CACHE_LENGTH)
    tokens = [(torch.tensor([[7 * i % 97]]), torch.tensor([i])) for i in range(6)]
    return module, ("input_ids", "cache_position"), tokens


def check_steps(engine):
    """No step writes as much as a cache holds."""
    description = json.loads(tenon("inspect", engine, "--json"))
    cache_bytes = max(state["bytes"] for state in description["states"])
    for number, step in enumerate(description["steps"]):
        if step["bytes_written"] >= cache_bytes:
            raise Failure(
                f"step {number} ({step['name']}) writes {step['bytes_written']} bytes, expected "
                f"less than the {cache_bytes} of a cache"
            )


def check(name, make, dialect):
    """Exports, compiles, runs step by step; returns the largest distance."""
    torch.manual_seed(0)
    module, input_names, steps = make()
    module.eval().requires_grad_(False)
    kwargs = dict(zip(input_names, steps[0], strict=True))
    program = torch.export.export(module, (), kwargs, strict=False)
    if dialect == "core":
        program = program.run_decompositions()
    path = pathlib.Path(f"{name}-{dialect}.pt2")
    torch.export.save(program, path)
    engine_path = path.with_suffix(".tenon")
    tenon("compile", path, "-o", engine_path)
    check_steps(engine_path)
    library = pathlib.Path(os.environ["TENON"]).with_name("libtenon_rt.so")
    engine = Engine(str(library), str(engine_path), threads=2)
    worst = 0.0
    for number, values in enumerate(steps):
        wanted = module(**dict(zip(input_names, values, strict=True))).numpy()
        for input_name, value in zip(input_names, values, strict=True):
            engine.set_input(input_name, value.numpy())
        engine.run()
        distance = export.distance(engine.outputs()[0], wanted)
        if not distance <= LIMIT:
            raise Failure(f"run {number}: distance {distance:.1e}, expected at most {LIMIT:.0e}")
        worst = max(worst, distance)
    return worst


warnings.filterwarnings("ignore")
failed = 0
# PyTorch 2.13 fails to decompose a program whose caches are lifted tensors.
for name, make, dialect in (
    ("cached", make_cached, "train"),
    ("cached", make_cached, "core"),
    ("llama", make_llama, "train"),
):
    try:
        with torch.no_grad():
            print(f"ok      {name} {dialect}: {check(name, make, dialect):.1e}", flush=True)
    except Failure as failure:
        failed += 1
        print(f"FAILED  {name} {dialect}: {failure}", flush=True)
sys.exit(failed != 0)
