"""Makes the model of `make demo` and what PyTorch computes with it, the way your own export would.

    build/venv/bin/python examples/demo/export_demo.py FOLDER

A small BERT that classifies text (2 layers, 4 heads, width 64), with random weights from a seed, for
any batch of 1 to 8 and any length of 2 to 128 tokens. Writes classifier.pt2, one input per name
(input_ids.npy, attention_mask.npy) and PyTorch's logits.npy. examples/demo/ holds what PyTorch 2.13
and transformers 5.23 wrote, so that the demo needs neither.
"""
import pathlib
import re
import sys

import numpy
import torch
import transformers

folder = pathlib.Path(sys.argv[1])
torch.manual_seed(0)


class Classifier(torch.nn.Module):
    """A transformers model with plain tensors as inputs and as result."""

    def __init__(self):
        super().__init__()
        self.bert = transformers.BertForSequenceClassification(transformers.BertConfig(
            vocab_size=256, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=256, max_position_embeddings=128, num_labels=8,
            # Larger than for training, so that the weights show in the result.
            initializer_range=0.2))

    def forward(self, input_ids, attention_mask):
        return self.bert(input_ids=input_ids, attention_mask=attention_mask).logits


model = Classifier().eval()
input_ids = torch.randint(0, 256, (2, 48))
attention_mask = torch.ones_like(input_ids)
attention_mask[1, 31:] = 0  # the second text is shorter

batch = torch.export.Dim("batch", min=1, max=8)
length = torch.export.Dim("length", min=2, max=128)
program = torch.export.export(model, (input_ids, attention_mask), dynamic_shapes=(
    {0: batch, 1: length}, {0: batch, 1: length}))
# Only for storing the result in tenon's tree: source lines without the folders of this machine.
for node in program.graph.nodes:
    if "stack_trace" in node.meta:
        node.meta["stack_trace"] = re.sub(
            r'File "[^"]*/(?=site-packages/|examples/)', 'File "', node.meta["stack_trace"])
torch.export.save(program, folder / "classifier.pt2")

with torch.no_grad():
    logits = model(input_ids, attention_mask)
for name, tensor in (("input_ids", input_ids), ("attention_mask", attention_mask), ("logits", logits)):
    numpy.save(folder / f"{name}.npy", tensor.numpy())
print(f"{sum(p.numel() for p in model.parameters())} parameters, logits {logits.tolist()}")
