"""Runs models through torch.compile(backend="tenon") and compares with PyTorch.

Every graph that Dynamo makes must become an engine. A result passes as in tests/e2e/run.py: its
relative L2 distance to PyTorch's is within the limit of its dtype, or its distance to a run in
float64 is no larger than the limit or PyTorch's own distance.
"""

import os
import sys
import unittest.mock
import warnings

import torch
import transformers

sys.path.insert(0, os.path.join(os.environ["TENON_TESTS"], "e2e"))

import export
import models
import models_more
import run
from tenon import dynamo

MODELS = {model.name: model for model in models.MODELS + models_more.MODELS}


class Exact:
    """The results of a module in float64, computed when first asked for."""

    def __init__(self, module, inputs):
        self._module, self._inputs, self._results = module, inputs, None

    def __getitem__(self, number):
        if self._results is None:
            wide = {
                name: value.double() if value.is_floating_point() else value
                for name, value in self._inputs.items()
            }
            # PyTorch's grouped product is not for float64.
            if hasattr(self._module, "set_experts_implementation"):
                self._module.set_experts_implementation("eager")
            with export.Float64Mode():
                self._results = export.as_tuple(self._module.double()(**wide))
        return self._results[number]


def check(name, dtype_name, dynamic):
    """The largest distance of a result. Raises run.Failure."""
    torch._dynamo.reset()
    model = MODELS[name]
    module = models.build(model, "small", dtype_name)
    shapes = range(len(model.small.shapes))
    all_inputs = [models.inputs(model, "small", dtype_name, index) for index in shapes]
    distances = []
    for inputs, seen, wanted in run_both(module, all_inputs, dynamic):
        if len(seen) != len(wanted):
            raise run.Failure(f"{len(seen)} results, expected {len(wanted)}")
        exact = Exact(module, inputs)
        distances += [check_result(i, *pair, exact) for i, pair in enumerate(zip(seen, wanted))]
    return max(distances)


def run_both(module, all_inputs, dynamic):
    """(inputs, results of the compiled module, results of PyTorch) for each."""
    compiled = torch.compile(module, backend="tenon", dynamic=dynamic)
    with torch.no_grad(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with unittest.mock.patch.object(
            dynamo, "compile_program", wraps=dynamo.compile_program
        ) as compile_program:
            seen = [export.as_tuple(compiled(**inputs)) for inputs in all_inputs]
        wanted = [export.as_tuple(module(**inputs)) for inputs in all_inputs]
    for warning in caught:
        if str(warning.message).startswith("tenon: "):
            raise run.Failure(str(warning.message))
    if not compile_program.called:
        raise run.Failure("no engine was made")
    return zip(all_inputs, seen, wanted)


def check_result(number, seen, wanted, exact):
    """The distance of one result to PyTorch's."""
    form = (seen.dtype, seen.shape, seen.stride())
    expected = (wanted.dtype, wanted.shape, wanted.stride())
    if form != expected:
        raise run.Failure(f"result {number}: dtype, shape, strides {form}, expected {expected}")
    if not wanted.is_floating_point():
        if not torch.equal(seen, wanted):
            raise run.Failure(f"result {number} of {wanted.dtype} differs")
        return 0.0
    limit = run.LIMITS[str(wanted.dtype).removeprefix("torch.")]
    seen, wanted = seen.double().numpy(), wanted.double().numpy()
    to_wanted = export.distance(seen, wanted)
    if not to_wanted <= limit:
        reference = exact[number].numpy()
        to_exact = export.distance(seen, reference)
        allowed = max(limit, export.distance(wanted, reference))
        if not to_exact <= allowed:
            raise run.Failure(
                f"result {number}: relative L2 distance {to_wanted:.2e} to PyTorch (limit "
                f"{limit:.0e}) and {to_exact:.2e} to float64 (limit {allowed:.2e})"
            )
    return to_wanted


def main(selected):
    """Checks (name, dtype, dynamic) triples, a line for each; the process's exit code."""
    transformers.logging.set_verbosity_error()
    failed = 0
    for name, dtype_name, dynamic in selected:
        title = f"{name} {dtype_name} dynamic={dynamic}"
        try:
            print(f"ok      {title}: {check(name, dtype_name, dynamic):.1e}", flush=True)
        except run.Failure as failure:
            failed += 1
            print(f"FAILED  {title}: {failure}", flush=True)
    return failed != 0
