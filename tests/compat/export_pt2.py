"""Exports the model that test_pt2_versions.py reads, with whichever PyTorch runs this script.

    python tests/compat/export_pt2.py tests/compat/pt2

writes VERSION-train.pt2 and VERSION-core.pt2 (after run_decompositions()), and, for the batches 3 and 5,
VERSION-BATCH-image.npy and VERSION-BATCH-OUTPUT.npy: a random image and what that PyTorch computed. The
files are kept, because old versions cannot be installed everywhere. The folder holds 2.9.1 and 2.10.0,
written by the aarch64 packages, whose files do not differ from those of x86-64, and 2.13.0.
"""
import pathlib
import sys

import numpy
import torch
from torch import nn


class Block(nn.Module):
    """A transformer block: norms, attention with a mask, a feed-forward part."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width, bias=False)
        self.norm2 = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 2 * width)
        self.contract = nn.Linear(2 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (
            part.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).chunk(3, dim=-1)
        )
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.contract(nn.functional.gelu(self.expand(self.norm2(x))))


class Net(nn.Module):
    """Convolutions with batch normalisation, tokens, a block, a buffer that counts, and outputs of
    two names."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8))
        self.body = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.ReLU6(inplace=True)
        )
        self.pool = nn.MaxPool2d(2)
        self.block = Block(8, 2)
        self.head = nn.Linear(8, 5)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, image):
        self.calls += 1
        x = nn.functional.relu(self.stem(image))
        x = self.pool(x + self.body(x))
        tokens = self.block(x.flatten(2).transpose(1, 2))
        scores = self.head(tokens.mean(dim=1))
        return {"scores": scores.softmax(-1), "best": scores.argmax(-1)}, tokens[:, ::2] * self.calls


def main(folder):
    torch.manual_seed(0)
    net = Net().eval().requires_grad_(False)
    for norm in (net.stem[1], net.body[1]):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    version = torch.__version__.split("+")[0]
    program = torch.export.export(
        net,
        (torch.randn(3, 3, 16, 16),),
        dynamic_shapes={"image": {0: torch.export.Dim("batch", min=2, max=16)}},
        strict=False,
    )
    torch.export.save(program, folder / f"{version}-train.pt2")
    torch.export.save(program.run_decompositions(), folder / f"{version}-core.pt2")
    for batch in (3, 5):
        image = torch.randn(batch, 3, 16, 16)
        net.calls.zero_()  # a run of the command starts from the exported content
        named, tokens = net(image)
        arrays = {"image": image, **named, "tokens": tokens}
        for name, tensor in arrays.items():
            numpy.save(folder / f"{version}-{batch}-{name}.npy", tensor.numpy())


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
