"""tenon.compile: a PyTorch model into an engine that is called like it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import tempfile
import warnings
from typing import Any, Callable, Iterator, Mapping, Sequence, Union

from . import _arrays, _core, _signature
from ._engine import Engine
from ._errors import ExportError, InvalidArgumentError, MissingError
from ._module import Module, make_module
from ._report import Report
from ._settings import take_settings

Progress = Callable[[float, str], Union[bool, None]]
_LOG = logging.getLogger("tenon")
# A progress bar shows up for what takes long enough to wonder.
_BAR_DELAY_S = 1.0
# tn_log_level
_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}


class Input:
    """An input described instead of given: its shape, or the range of its shapes, and its dtype.

    ``shape``: all sizes fixed. Or ``min_shape`` and ``max_shape``: a dimension is dynamic where
    they differ; ``opt_shape`` (default: the largest) is what the model is traced with. ``dtype``: a
    torch or NumPy dtype, or a name ("float32", "f32", "bf16"). ``name``: for messages.

    Raises InvalidArgumentError for shapes of different rank or out of order.
    """

    def __init__(
        self,
        shape: Sequence[int] | None = None,
        dtype: Any = "float32",
        name: str | None = None,
        *,
        min_shape: Sequence[int] | None = None,
        opt_shape: Sequence[int] | None = None,
        max_shape: Sequence[int] | None = None,
    ) -> None:
        self.name = name
        self.dtype = _dtype_name(dtype)
        if (shape is None) == (min_shape is None and max_shape is None):
            raise InvalidArgumentError(
                f"{self._title()}: give either shape, or min_shape and max_shape"
            )
        if shape is not None:
            if opt_shape is not None:
                raise InvalidArgumentError(f"{self._title()}: opt_shape goes with a range")
            min_shape = max_shape = shape
        if min_shape is None or max_shape is None:
            missing = "min_shape" if min_shape is None else "max_shape"
            raise InvalidArgumentError(f"{self._title()}: {missing} is missing")
        self.min_shape = tuple(min_shape)
        self.max_shape = tuple(max_shape)
        self.opt_shape = tuple(max_shape if opt_shape is None else opt_shape)
        ranks = {len(self.min_shape), len(self.opt_shape), len(self.max_shape)}
        ordered = zip(self.min_shape, self.opt_shape, self.max_shape)
        if len(ranks) != 1 or not all(0 <= low <= opt <= high for low, opt, high in ordered):
            raise InvalidArgumentError(
                f"{self._title()}: min_shape {self.min_shape}, opt_shape {self.opt_shape}, "
                f"max_shape {self.max_shape}: expected one rank and min <= opt <= max"
            )

    def _title(self) -> str:
        return f"Input {self.name}" if self.name else "Input"

    def __repr__(self) -> str:
        shapes = f"{self.min_shape} to {self.max_shape}"
        return f"tenon.Input({self.name or ''} {shapes}, {self.dtype})"

    def example(self) -> Any:
        """A tensor to trace with. A dynamic size is never 0 or 1, which PyTorch would take as
        fixed; integers are ones, which do as indices and as masks."""
        import torch

        sizes = [
            max(opt, min(2, high)) if low != high else low
            for low, opt, high in zip(self.min_shape, self.opt_shape, self.max_shape)
        ]
        return torch.ones(sizes, dtype=_arrays.torch_dtype(self.dtype))

    def dims(self) -> dict[int, Any]:
        """What torch.export is told of the dynamic dimensions."""
        import torch

        return {
            d: torch.export.Dim.DYNAMIC(min=low, max=high)
            for d, (low, high) in enumerate(zip(self.min_shape, self.max_shape))
            if low != high
        }


def _dtype_name(dtype: Any) -> str:
    """tenon's name of a dtype given in any way."""
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    name = name.removeprefix("torch.") if isinstance(name, str) else str(name)
    if name in _arrays.TORCH_NAMES:
        return name
    if name not in _arrays.TENON_NAMES:
        known = ", ".join(_arrays.TENON_NAMES)
        raise InvalidArgumentError(f"dtype {dtype!r} is not known; there are {known}")
    return _arrays.TENON_NAMES[name]


def compile(
    model: Any,
    inputs: Sequence[Any] = (),
    kwarg_inputs: Mapping[str, Any] | None = None,
    *,
    dynamic_shapes: Any = None,
    strict: bool = False,
    threads: int = 0,
    dryrun: bool = False,
    progress: Progress | bool | None = None,
    **settings: Any,
) -> Module | Report:
    """Compiles a model into an engine and gives it back as a module that is called like the model.

    ``model``: a torch.nn.Module, which torch.export traces here with ``inputs`` and
    ``kwarg_inputs`` (example tensors, :class:`tenon.Input`, and any structure of them; other values
    are fixed); a torch.export.ExportedProgram; or the path of a .pt2 file. The last two have their
    inputs: none may be given. ``dynamic_shapes`` and ``strict`` are those of torch.export.export. A
    module in training mode is compiled as in eval mode, with a warning, and left as it was.

    ``threads``: as of :class:`tenon.Engine`. ``dryrun``: nothing is compiled, the :class:`Report`
    comes back. ``progress``: called with the fraction done and what is being done; a result of
    False cancels (CancelledError). None: a tqdm bar if standard error is a terminal; False: none.
    ``settings``: by name, see docs/python.md.

    Operators that tenon cannot compute run in PyTorch, within the module; ``report`` says which and
    why. Raises ExportError (PyTorch's own error is its cause), InvalidArgumentError (a setting),
    TypeError (a setting's or an argument's type), UnsupportedError, ToolchainError, FileError,
    NotFoundError, CorruptFileError, CancelledError, MissingError (a runtime-only installation).
    """
    _need_compiler()
    options = take_settings(settings)
    with tempfile.TemporaryDirectory(prefix="tenon-") as folder:
        path, parameters = _as_file(
            model, inputs, kwarg_inputs, dynamic_shapes, strict, os.path.join(folder, "model.pt2")
        )
        report = Report(json.loads(_core.report_file(path, options)))
        if dryrun:
            return report
        metadata = _signature.make_metadata(_signature.read_model(path), parameters)
        options["metadata"] = json.dumps(metadata, separators=(",", ":"))
        engine_path = os.path.join(folder, "engine.tenon")
        with _progress(progress) as listener:
            _core.compile_file(path, engine_path, options, listener, _log)
        engine = Engine(engine_path, threads=threads)
    module = make_module(engine, report)
    engine.start()
    return module


def compile_program(program: Any, options: dict[str, str], threads: int) -> Engine:
    """An exported program into an engine that is ready to run; for callers that know how to call it.

    ``options``: what take_settings() gives. Raises what compile() does."""
    _need_compiler()
    with tempfile.TemporaryDirectory(prefix="tenon-") as folder:
        path, engine_path = os.path.join(folder, "model.pt2"), os.path.join(folder, "engine.tenon")
        _save(program, path)
        _core.compile_file(path, engine_path, options, None, _log)
        engine = Engine(engine_path, threads=threads)
    engine.start()
    return engine


def _need_compiler() -> None:
    if not hasattr(_core, "compile_file"):
        raise MissingError(
            "this installation of tenon carries the runtime alone, which loads and runs engines: "
            "install it without TENON_RT_ONLY to compile"
        )


def _log(level: int, message: str) -> None:
    _LOG.log(_LEVELS.get(level, logging.INFO), "%s", message)


# ---- the model as a file -------------------------------------------------------------------------


def _as_file(
    model: Any,
    inputs: Sequence[Any],
    kwarg_inputs: Mapping[str, Any] | None,
    dynamic_shapes: Any,
    strict: bool,
    path: str,
) -> tuple[str, list[list[Any]] | None]:
    """(path of a .pt2 file, what parameters_of() says of forward)."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        program = _export(model, inputs, kwarg_inputs, dynamic_shapes, strict)
        _save(program, path)
        return path, _signature.parameters_of(model.forward)
    if inputs or kwarg_inputs or dynamic_shapes:
        raise InvalidArgumentError(
            "inputs, kwarg_inputs and dynamic_shapes go with a module; an exported program has "
            "its own"
        )
    if torch is not None and isinstance(model, torch.export.ExportedProgram):
        _save(model, path)
        return path, None
    if isinstance(model, (str, os.PathLike)):
        return os.fspath(model), None
    raise TypeError(
        f"model: given a {type(model).__name__}, expected a torch.nn.Module, a "
        "torch.export.ExportedProgram or the path of a .pt2 file"
    )


def _save(program: Any, path: str) -> None:
    import torch

    try:
        torch.export.save(program, path)
    except Exception as error:
        raise ExportError(
            f"PyTorch could not save the exported program: {_first_line(error)}. Types of its "
            "inputs and outputs must be registered with torch.export under a serialized_type_name"
        ) from error


def _export(
    model: Any,
    inputs: Sequence[Any],
    kwarg_inputs: Mapping[str, Any] | None,
    dynamic_shapes: Any,
    strict: bool,
) -> Any:
    import torch

    if isinstance(inputs, (torch.Tensor, Input)) or not isinstance(inputs, (tuple, list)):
        raise TypeError(
            f"inputs: given a {type(inputs).__name__}, expected a tuple or list of the arguments"
        )
    args, kwargs = tuple(inputs), dict(kwarg_inputs or {})
    leaves = torch.utils._pytree.tree_leaves((args, kwargs))
    if dynamic_shapes is None:
        dynamic_shapes = _dynamic_shapes(model, args, kwargs)
    args, kwargs = _examples(args), _examples(kwargs)
    name = type(model).__name__
    with _in_eval_mode(model), torch.no_grad():
        try:
            program = torch.export.export(
                model, args, kwargs, dynamic_shapes=dynamic_shapes, strict=strict
            )
        except Exception as error:
            raise ExportError(
                f"torch.export could not export {name}: {_first_line(error)}. tenon compiles what "
                "PyTorch exports as one graph; its error above says what keeps it from that "
                '(torch.compile(model, backend="tenon") compiles the parts between)'
            ) from error
    _allow_smallest(program, leaves)
    return program


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"


def _examples(values: Any) -> Any:
    import torch

    def example(value: Any) -> Any:
        if isinstance(value, Input):
            return value.example()
        return value.detach() if isinstance(value, torch.Tensor) else value

    return torch.utils._pytree.tree_map(example, values)


def _dynamic_shapes(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """torch.export's dynamic_shapes for those that are Inputs with ranges; None if there are
    none."""
    import torch

    pytree = torch.utils._pytree
    leaves = pytree.tree_leaves((args, kwargs))
    if not any(isinstance(leaf, Input) and leaf.dims() for leaf in leaves):
        return None

    def dims(value: Any) -> Any:
        return value.dims() if isinstance(value, Input) else None

    names = [name for name, _ in _signature.parameters_of(model.forward) or []]
    if len(names) < len(args):
        raise InvalidArgumentError(
            "an Input with a range among *args: pass dynamic_shapes to say which sizes are dynamic"
        )
    return pytree.tree_map(dims, {**dict(zip(names, args)), **kwargs})


def _allow_smallest(program: Any, leaves: list[Any]) -> None:
    """Smallest sizes of 0 and 1 as asked for. PyTorch traces a dynamic size as at least 2 and, for
    its Dim.DYNAMIC, leaves it there; for a named Dim it then takes the given minimum, as done
    here."""
    import torch
    from torch.utils._sympy.value_ranges import ValueRanges

    values = {n.name: n.meta.get("val") for n in program.graph.nodes if n.op == "placeholder"}
    asked: dict[Any, int] = {}
    for leaf, name in zip(leaves, program.graph_signature.user_inputs):
        for d in leaf.dims() if isinstance(leaf, Input) else ():
            size = values[name].shape[d]
            if isinstance(size, torch.SymInt) and size.node.expr.is_symbol:
                symbol = size.node.expr
                asked[symbol] = max(asked.get(symbol, 0), leaf.min_shape[d])
    for symbol, low in asked.items():
        known = program.range_constraints.get(symbol)
        if known is not None and low < known.lower == 2:
            program.range_constraints[symbol] = ValueRanges(low, known.upper)


@contextlib.contextmanager
def _in_eval_mode(model: Any) -> Iterator[None]:
    """Compiles what inference computes; each submodule's mode is put back."""
    training = [module for module in model.modules() if module.training]
    if training:
        warnings.warn(
            f"{type(model).__name__} is in training mode; it is compiled as in eval mode (call "
            "model.eval() to say so)",
            stacklevel=6,
        )
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


# ---- progress ------------------------------------------------------------------------------------


@contextlib.contextmanager
def _progress(progress: Progress | bool | None) -> Iterator[Progress | None]:
    if progress is not None and not isinstance(progress, bool):
        if not callable(progress):
            raise TypeError(
                f"progress: given a {type(progress).__name__}, expected a function(fraction, what)"
            )
        yield progress
        return
    try:
        from tqdm import tqdm
    except ImportError:
        tqdm = None
    if progress is False or tqdm is None or (progress is None and not sys.stderr.isatty()):
        yield None
        return
    with tqdm(total=100, delay=_BAR_DELAY_S, bar_format="{l_bar}{bar}| {elapsed}") as bar:

        def show(fraction: float, what: str) -> None:
            bar.set_description_str(what, refresh=False)
            bar.update(round(100 * fraction) - bar.n)

        yield show
        show(1.0, "done")
