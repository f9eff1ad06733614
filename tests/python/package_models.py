"""Small modules and helpers that the tests of the Python package share."""

import pathlib
import subprocess
import sys

import torch

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"


class Sum3(torch.nn.Module):
    """Three inputs, one output."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(8, 8)

    def forward(self, x, y, z):
        return self.linear(x) + y * z


def eager(module, *args, **kwargs):
    with torch.no_grad():
        return module(*args, **kwargs)


def assert_close(seen, wanted, limit=1e-5):
    """Same type, dtype and shape, and values within a relative limit."""
    if isinstance(wanted, torch.Tensor):
        assert isinstance(seen, torch.Tensor), f"{type(seen)} instead of a tensor"
        torch.testing.assert_close(seen, wanted, rtol=limit, atol=limit)
    elif isinstance(wanted, dict):
        assert type(seen) is type(wanted) and list(seen) == list(wanted), (seen, wanted)
        for key in wanted:
            assert_close(seen[key], wanted[key], limit)
    elif isinstance(wanted, (tuple, list)):
        assert type(seen) is type(wanted) and len(seen) == len(wanted), (seen, wanted)
        for one, other in zip(seen, wanted):
            assert_close(one, other, limit)
    else:
        assert type(seen) is type(wanted) and seen == wanted, (seen, wanted)


def run_without_torch(script, *args):
    """Runs Python code in a fresh process in which importing torch fails; returns what it
    prints."""
    guard = (
        "import sys\n"
        "class Guard:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'transformers'):\n"
        "            raise ImportError(f'{name} is not here')\n"
        "sys.meta_path.insert(0, Guard())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", guard + script, *map(str, args)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
