"""Every small end-to-end model through tenon.compile: within the bounds of tests/e2e/run.py, at
every shape, as a torch module (dialect train) and as an exported program (dialect core).

ctest: standard timeout=1800
"""

import os
import pathlib
import sys
import tempfile
import warnings

import torch

sys.path.insert(0, str(pathlib.Path(os.environ["TENON_TESTS"]) / "e2e"))

import export  # noqa: E402
import models  # noqa: E402
import run  # noqa: E402

import tenon  # noqa: E402


def compile_variant(folder, name, model, dtype_name, shapes, dialect):
    """The module of one variant, compiled in the way that its dialect stands for."""
    if dialect == "core":
        return tenon.compile(folder / f"{name}.pt2")
    module = models.build(model, "small", dtype_name, dialect)
    is_dynamic = shapes == "dynamic"
    example = models.inputs(model, "small", dtype_name, 1 if is_dynamic else 0)
    dims = models.dynamic_shapes(model, "small") if is_dynamic else None
    return tenon.compile(module, kwarg_inputs=example, dynamic_shapes=dims)


def check_variant(folder, manifest, compiled, model, dtype_name):
    """Runs every case; returns the largest distance."""
    worst = 0.0
    for index, case in enumerate(manifest["cases"]):
        results = export.as_tuple(compiled(**models.inputs(model, "small", dtype_name, index)))
        with tempfile.TemporaryDirectory() as scratch:
            for output, tensor in zip(case["outputs"], results, strict=True):
                path = pathlib.Path(scratch) / "result.npy"
                export.save_array(path, tensor)
                worst = max(worst, run.check_output(folder, output, path))
    return worst


def main():
    warnings.filterwarnings("ignore")
    failed = count = 0
    for name, model, _, dtype_name, shapes, dialect in export.variants(["small"], []):
        folder, manifest = run.exported("small", name, None)
        try:
            with torch.no_grad():
                compiled = compile_variant(folder, name, model, dtype_name, shapes, dialect)
                if compiled.engine.calls:
                    raise run.Failure(f"{len(compiled.engine.calls)} nodes were left to PyTorch")
                worst = check_variant(folder, manifest, compiled, model, dtype_name)
            print(f"ok      {name}: {worst:.1e}", flush=True)
        except (run.Failure, tenon.Error) as failure:
            failed += 1
            print(f"FAILED  {name}: {failure}", flush=True)
        count += 1
    print(f"{count - failed} of {count} variants passed")
    return failed != 0 or count == 0


if __name__ == "__main__":
    sys.exit(main())
