"""Exports the small models that the tests of the .pt2 reader load, one file for each name.

    python tests/data/export_small.py --out DIR [NAME ...]

counter-train.pt2 and counter-core.pt2, the smallest that show weights, a buffer that changes, a dynamic
dimension and a constant, are kept beside this script, so that the reader is tested without PyTorch too.
"""
import argparse
import pathlib

import torch
from torch.export import Dim


class Counter(torch.nn.Module):
    """A buffer that counts calls, a lifted constant, a dynamic batch."""

    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(3, 2)
        self.register_buffer("count", torch.zeros(2))

    def forward(self, x):
        self.count.add_(1)
        self.count[0].mul_(2)
        return self.fc(x) * torch.tensor([2.0, 3.0]) + self.count


class Views(torch.nn.Module):
    """Writes through views of a fresh value, before and after copies."""

    def forward(self, x):
        y = x.exp()
        y[:, 1:3].mul_(2)
        y.t()[0].zero_()
        z = y.t().reshape(-1)
        z.add_(1)
        w = y.t().contiguous()
        w.relu_()
        v = y.view(-1)
        v[0] = 7
        return y, z, w, v


class Mutates(torch.nn.Module):
    """Writes to its input."""

    def forward(self, x, y):
        x.add_(y)
        return x * 2


class Storages(torch.nn.Module):
    """Weights that share storage, are not contiguous, are empty, and have no dimension."""

    def __init__(self):
        super().__init__()
        whole = torch.arange(12, dtype=torch.float32)
        self.register_buffer("whole", whole)
        self.register_buffer("tail", whole[6:])
        self.register_buffer("turned", whole.view(3, 4).t())
        self.register_buffer("spread", torch.ones(1, 1).expand(3, 4))
        self.register_buffer("empty", torch.zeros(0, 4))
        self.register_buffer("scalar", torch.tensor(3, dtype=torch.int32))
        self.register_buffer("half_precision", torch.full((2,), 0.5, dtype=torch.bfloat16))

    def forward(self, x):
        y = self.whole.view(3, 4) + self.turned.t() + self.spread + self.tail.sum() + self.scalar
        return y + x, self.empty.sum() + self.half_precision.float()


class Numbers(torch.nn.Module):
    """Outputs that are no tensors, sizes as numbers."""

    def forward(self, x, flag=True, nothing=None):
        return x + 1, x.shape[0] * 2, 3, None, 2.5, flag


class Sizes(torch.nn.Module):
    """Size expressions: products, floor division, modulo, minimum, slices to the end."""

    def forward(self, x):
        n = x.shape[1]
        y = x[:, : n // 2]
        z = torch.zeros(min(n, 5) + n % 3)
        return y.reshape(-1), z, x.new_ones(x.shape[0] * n), torch.arange(n)[1:]


class Branch(torch.nn.Module):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda t: t.sin(), lambda t: t.cos() + 1, (x,))


class DataDependent(torch.nn.Module):
    def forward(self, x):
        count = x.sum().to(torch.int64).item()
        torch._check(count >= 2)
        torch._check(count < 100)
        return x.nonzero(), torch.zeros(count)


class Modes(torch.nn.Module):
    def forward(self, x):
        with torch.no_grad():
            y = x.sin()
        with torch.autocast("cpu", enabled=False):
            z = y @ y.t()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            w = y @ y.t()
        return y, z, w


@torch.library.custom_op("tenon_test::twice", mutates_args=())
def twice(x: torch.Tensor, factor: float = 2.0) -> torch.Tensor:
    return x * factor


@twice.register_fake
def _(x, factor=2.0):
    return torch.empty_like(x)


class Custom(torch.nn.Module):
    def forward(self, x):
        return twice(x, 3.0).relu()


batch = {"x": {0: Dim("batch", min=1, max=64)}}
pair = {"x": {0: Dim.DYNAMIC, 1: Dim.DYNAMIC}}
MODELS = {
    "counter": (Counter, (torch.ones(4, 3),), batch),
    "views": (Views, (torch.ones(4, 5),), None),
    "mutates": (Mutates, (torch.ones(4), torch.ones(4)), None),
    "storages": (Storages, (torch.ones(3, 4),), None),
    "numbers": (Numbers, (torch.ones(4, 3),), {"x": {0: Dim.DYNAMIC}}),
    "sizes": (Sizes, (torch.ones(3, 10),), pair),
    "branch": (Branch, (torch.ones(4),), None),
    "data": (DataDependent, (torch.ones(4),), None),
    "modes": (Modes, (torch.ones(4, 4),), None),
    "custom": (Custom, (torch.ones(4),), None),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("names", nargs="*", default=None)
    options = parser.parse_args()
    for name in options.names or MODELS:
        make, inputs, shapes = MODELS[name]
        torch.manual_seed(0)
        program = torch.export.export(make().eval(), inputs, dynamic_shapes=shapes, strict=False)
        torch.export.save(program, options.out / f"{name}-train.pt2")
        torch.export.save(program.run_decompositions(), options.out / f"{name}-core.pt2")


if __name__ == "__main__":
    main()
