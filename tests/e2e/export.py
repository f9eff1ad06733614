"""Exports the end-to-end models: programs, inputs and reference outputs, into a cache folder.

    python tests/e2e/export.py --out build/e2e [--size small|full] [PATTERN ...]

A variant is a model, size, dtype, shape kind (static, dynamic) and dialect (train: as torch.export
traced it; core: after run_decompositions()), named MODEL-SIZE-DTYPE-SHAPES-DIALECT. PATTERNs select
names as a shell would. For each:

    NAME.pt2    the exported program
    NAME.json   {"stamp", "inputs": [name], "outputs": [name], "cases": [{"inputs": {name: file},
                 "outputs": [{"torch": file, "float64": file, "dtype": name, "shape": [int]}]}]}

with input and output names as the program's signature has them and files relative to the folder.
The .npy files are shared by the variants of one model, size and dtype. "torch" is what PyTorch
computed, in the output's dtype; "float64" is the same model with the same weights and inputs, every
floating-point operation done in float64.

numpy has no bfloat16: such arrays are stored as 2-byte void ('V2' in the header), as ml_dtypes and
JAX store them, and read back with .view(numpy.uint16).

A variant whose stamp (a hash of these scripts and of the versions they use) is current is not
exported again.
"""

import argparse
import fnmatch
import hashlib
import itertools
import json
import pathlib
import sys
import warnings

import numpy
import torch
import transformers
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

import models
import models_more


class Float64Mode(TorchDispatchMode):
    """Runs every operation that asks for a narrower floating-point type in float64."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        def widen(value):
            return (
                torch.float64
                if isinstance(value, torch.dtype) and value.is_floating_point
                else value
            )

        return func(*tree_map(widen, args), **tree_map(widen, kwargs or {}))


def save_array(path, tensor):
    """Writes a tensor as .npy, bfloat16 as 2-byte void."""
    tensor = tensor.detach().contiguous()
    if tensor.dtype == torch.bfloat16:
        numpy.save(path, tensor.view(torch.int16).numpy().view("V2"))
    else:
        numpy.save(path, tensor.numpy())


def widen_array(array):
    """The array as one that computes: bfloat16 becomes float32, which is exact."""
    if array.dtype.kind == "V" and array.dtype.itemsize == 2:
        return (array.view(numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32)
    return array


def load_array(path):
    return widen_array(numpy.load(path))


def stamp(model):
    """Changes whenever an export of the model could come out differently."""
    digest = hashlib.sha256()
    own = models.vision if model in models.MODELS else models_more
    for script in (models.__file__, own.__file__, __file__):
        digest.update(pathlib.Path(script).read_bytes())
    versions = (sys.version, torch.__version__, transformers.__version__, numpy.__version__)
    digest.update(repr(versions).encode())
    return digest.hexdigest()


def variants(size_names, patterns):
    """(name, model, size, dtype, shapes, dialect) of every selected variant, those of one model
    together."""
    for model, size_name in itertools.product(models.MODELS + models_more.MODELS, size_names):
        if not model.size(size_name):
            continue
        for key in itertools.product(model.dtypes, model.dialects, model.shapes):
            dtype_name, dialect, shapes = key
            name = f"{model.name}-{size_name}-{dtype_name}-{shapes}-{dialect}"
            if not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
                yield name, model, size_name, dtype_name, shapes, dialect


def as_tuple(value):
    """The tensors of a result, be it one, a tuple or an output object of transformers."""
    return tuple(leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor))


def save_cases(out, model, size_name, dtype_name):
    """Writes inputs and reference outputs at every shape; returns the manifest's "cases"."""
    folder = pathlib.Path(f"{model.name}-{size_name}-{dtype_name}")
    (out / folder).mkdir(parents=True, exist_ok=True)
    module = models.build(model, size_name, dtype_name)
    cases = []
    for index in range(len(model.size(size_name).shapes)):
        case = {"inputs": {}, "outputs": []}
        for name, tensor in models.inputs(model, size_name, dtype_name, index).items():
            case["inputs"][name] = str(folder / f"{index}-{name}.npy")
            save_array(out / case["inputs"][name], tensor)
        for position, tensor in enumerate(
            as_tuple(module(**models.inputs(model, size_name, dtype_name, index)))
        ):
            file = str(folder / f"{index}-torch{position}.npy")
            save_array(out / file, tensor)
            dtype = str(tensor.dtype).removeprefix("torch.")
            case["outputs"].append({"torch": file, "dtype": dtype, "shape": list(tensor.shape)})
        cases.append(case)
    module.double()
    if hasattr(module, "set_experts_implementation"):  # PyTorch's grouped product is not for float64
        module.set_experts_implementation("eager")
    for index, case in enumerate(cases):
        wide = {
            name: tensor.double() if tensor.is_floating_point() else tensor
            for name, tensor in models.inputs(model, size_name, dtype_name, index).items()
        }
        with Float64Mode():
            outputs = as_tuple(module(**wide))
        for position, tensor in enumerate(outputs):
            if tensor.dtype != torch.float64:
                raise RuntimeError(
                    f"{folder}: reference output {position} is {tensor.dtype}, not torch.float64"
                )
            file = str(folder / f"{index}-float64-{position}.npy")
            save_array(out / file, tensor)
            case["outputs"][position]["float64"] = file
    return cases


def export_program(model, size_name, dtype_name, shapes, dialect):
    """The exported program of one variant."""
    module = models.build(model, size_name, dtype_name, dialect)
    dynamic = shapes == "dynamic"
    example = models.inputs(model, size_name, dtype_name, 1 if dynamic else 0)
    dims = models.dynamic_shapes(model, size_name) if dynamic else None
    program = torch.export.export(module, (), example, dynamic_shapes=dims)
    return program.run_decompositions() if dialect == "core" else program


def distance(array, reference):
    """Relative L2 distance; infinite when shapes differ or a value is not finite."""
    if array.shape != reference.shape or not numpy.isfinite(array).all():
        return numpy.inf
    difference = array.astype(numpy.float64) - reference
    return float(numpy.linalg.norm(difference) / numpy.linalg.norm(reference))


def check_program(out, name, program, case, example):
    """Stops if the exported program itself, run by PyTorch, is not the model: then nothing that is
    compared with the references would mean anything. The limits are those of broken programs; what
    tenon is held to is in run.py."""
    for position, tensor in enumerate(as_tuple(program.module()(**example))):
        exact = load_array(out / case["outputs"][position]["float64"])
        far = distance(tensor.double().numpy(), exact)
        limit = 1e-4 if tensor.dtype == torch.float32 else 1e-1
        if not far <= limit:
            raise RuntimeError(
                f"{name}: output {position} is {far:.1e} from the model's float64 run"
            )


def export_variants(out, size_names, patterns, report=print):
    """Exports what is missing or stale among the selected variants; returns {name: manifest}."""
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    cases_of = {}
    manifests = {}
    for name, model, size_name, dtype_name, shapes, dialect in variants(size_names, patterns):
        manifest_path = out / f"{name}.json"
        if manifest_path.exists() and (out / f"{name}.pt2").exists():
            manifest = json.loads(manifest_path.read_text())
            if manifest["stamp"] == stamp(model):
                manifests[name] = manifest
                continue
        report(f"exporting {name}")
        key = (model.name, size_name, dtype_name)
        if key not in cases_of:
            cases_of[key] = save_cases(out, model, size_name, dtype_name)
        program = export_program(model, size_name, dtype_name, shapes, dialect)
        example = models.inputs(model, size_name, dtype_name, 0)
        check_program(out, name, program, cases_of[key][0], example)
        torch.export.save(program, out / f"{name}.pt2")
        manifests[name] = {
            "stamp": stamp(model),
            "inputs": list(program.graph_signature.user_inputs),
            "outputs": [name for name in program.graph_signature.user_outputs if name],
            "cases": cases_of[key][:1] if shapes == "static" else cases_of[key],
        }
        manifest_path.write_text(json.dumps(manifests[name], indent=1) + "\n")
    return manifests


def main():
    parser = argparse.ArgumentParser(description="Exports the end-to-end models.")
    parser.add_argument(
        "patterns", nargs="*", metavar="PATTERN", help="names to export, e.g. 'bert_base-*-core'"
    )
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the exports")
    parser.add_argument("--size", choices=("small", "full", "all"), default="small")
    arguments = parser.parse_args()
    sizes = ("small", "full") if arguments.size == "all" else (arguments.size,)
    manifests = export_variants(arguments.out, sizes, arguments.patterns)
    if not manifests:
        sys.exit(f"no variant is named {' or '.join(arguments.patterns)} in size {arguments.size}")


if __name__ == "__main__":
    main()
