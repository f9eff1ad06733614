"""Compiles a small Hugging Face model, cell by cell.

    pip install . && python examples/python/compile_bert.py

Made to be read from top to bottom, and to be run: each cell (# %%) shows what it says. Weights are
random, so nothing is downloaded.
"""

# %% A model from transformers, as you would have it after training.
import time

import torch
import transformers

import tenon

torch.manual_seed(0)
config = transformers.BertConfig(
    vocab_size=1000,
    hidden_size=128,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=512,
)
model = transformers.BertForSequenceClassification(config).eval()
tokens = {
    "input_ids": torch.randint(0, 1000, (2, 32)),
    "attention_mask": torch.ones(2, 32, dtype=torch.int64),
}

# %% What would run where? Nothing is compiled yet.
described = tenon.Input(min_shape=(1, 8), opt_shape=(2, 32), max_shape=(8, 128), dtype=torch.int64)
inputs = {"input_ids": described, "attention_mask": described}
print(tenon.compile(model, kwarg_inputs=inputs, dryrun=True))

# %% Compile it. The result is called like the model and gives the model's own output class.
began = time.perf_counter()
compiled = tenon.compile(model, kwarg_inputs=inputs)
print(f"\ncompiled in {time.perf_counter() - began:.1f} s: {compiled.engine}")
with torch.no_grad():
    seen, wanted = compiled(**tokens), model(**tokens)
print(f"{type(seen).__name__}, largest difference {(seen.logits - wanted.logits).abs().max():.1e}")
torch.testing.assert_close(seen.logits, wanted.logits, rtol=1e-4, atol=1e-4)

# %% Other shapes within the range: the same engine.
longer = {name: tensor.repeat(2, 3) for name, tensor in tokens.items()}
with torch.no_grad():
    torch.testing.assert_close(
        compiled(**longer).logits, model(**longer).logits, rtol=1e-4, atol=1e-4
    )


# %% Speed, side by side: the two alternate, the best of each counts.
def best_ms(call, rounds=20):
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        call(**tokens)
        times.append(1e3 * (time.perf_counter() - began))
    return min(times)


with torch.no_grad():
    pairs = [(best_ms(model), best_ms(compiled)) for _ in range(5)]
eager_ms, compiled_ms = (min(times) for times in zip(*pairs))
print(
    f"PyTorch {eager_ms:.2f} ms, tenon {compiled_ms:.2f} ms: "
    f"{eager_ms / compiled_ms:.1f} times as fast"
)

# %% Ship it: one file, which loads in milliseconds and needs no PyTorch.
compiled.save("bert.tenon")
engine = tenon.Engine("bert.tenon")
outputs = engine.run({name: tensor.numpy() for name, tensor in tokens.items()})
print({name: (array.dtype, array.shape) for name, array in outputs.items()})
