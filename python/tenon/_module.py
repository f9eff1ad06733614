"""Compiled models that are called like the module they were made of."""

from __future__ import annotations

import json
import sys
import warnings
from typing import TYPE_CHECKING, Any, Sequence

from . import _arrays, _signature, _tree
from ._engine import Engine, Path
from ._errors import InvalidArgumentError

if TYPE_CHECKING:
    from ._report import Report


class Module:
    """A compiled model. Where PyTorch is there, it is a torch.nn.Module too.

    Calling it takes the arguments of the model's ``forward`` and gives its result, structures and
    classes included. Tensors in give tensors out, NumPy arrays in give NumPy arrays out; both are
    used in place, and outputs belong to the caller. As with the model itself, an argument that the
    model changes is changed, an argument that it returns is the very tensor, and buffers that it
    changes are kept from call to call (``reset_state()``). A result that is a view of an argument,
    or of another result, has memory of its own. Gradients do not flow.

    Raises TypeError for wrong arguments (missing, unknown, of another structure), and what
    :meth:`tenon.Engine.run` raises.

    ``engine``: the :class:`tenon.Engine`. ``report``: what runs where and why, as compile() found
    it; None for a module that was loaded.
    """

    engine: Engine
    report: Report | None

    def __init__(self, engine: Engine, report: Report | None = None) -> None:
        super().__init__()
        self.engine = engine
        self.report = report
        self._call = _Call(engine)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(args, kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(args, kwargs)

    def save(self, path: Path) -> None:
        """Writes the engine file, which :func:`tenon.load` and the C runtime read. Atomic."""
        self.engine.save(path)

    def reset_state(self) -> None:
        """Puts the buffers that the model changes back to their first content."""
        self.engine.reset_state()

    def __repr__(self) -> str:
        return f"tenon.Module({self.engine!r})"


def make_module(engine: Engine, report: Report | None) -> Module:
    """A Module, and a torch.nn.Module if torch has been imported."""
    if "torch" not in sys.modules:
        return Module(engine, report)
    from ._torch_module import TorchModule

    return TorchModule(engine, report)


def load(path: Path, *, threads: int = 0, **options: Any) -> Module:
    """Opens an engine file as a module that is called like the one it was compiled from.

    Works without PyTorch, unless the engine leaves operators to it. ``threads`` and ``options`` are
    those of :class:`tenon.Engine`, with the same errors; besides, InvalidArgumentError for an
    engine that was not made by :func:`tenon.compile` (:class:`tenon.Engine` runs any).
    """
    engine = Engine(path, threads=threads, **options)
    module = make_module(engine, None)
    engine.start()
    return module


class _Missing:
    """Stands for an argument that was not given."""


class _Call:
    """From arguments to the engine's inputs and back.

    Nearly all models take one tensor per argument and give a tensor or a flat structure of them:
    then a call binds arguments by position or by name and is done. Everything else takes the
    general way over the structures' specs.
    """

    def __init__(self, engine: Engine) -> None:
        metadata = json.loads(engine.metadata) if engine.metadata.startswith('{"tenon"') else {}
        if metadata.get("tenon") != _signature.VERSION:
            raise InvalidArgumentError(
                "the engine does not say how it is called, which tenon.compile() writes into it; "
                "tenon.Engine runs it by the names of its inputs"
            )
        self.engine = engine
        spec = _tree.parse(metadata["in_spec"])
        self.positional, self.keyword = spec.children
        self.names: list[str] = metadata["names"]
        self.parameters: list[list[Any]] = metadata["parameters"] or [[n, None] for n in self.names]
        self.specs = (*self.positional.children, *self.keyword.children)
        self.inputs: list[dict[str, Any]] = metadata["inputs"]
        self.outputs: list[dict[str, Any]] = metadata["outputs"]
        self.out_spec = _tree.parse(metadata["out_spec"])
        self.results = [i for i, info in enumerate(engine.outputs) if info.mutates is None]
        self.writes = [
            (i, info.mutates) for i, info in enumerate(engine.outputs) if info.mutates is not None
        ]
        is_flat = all(s.type is None for s in self.specs) and all("input" in i for i in self.inputs)
        self.is_flat = is_flat
        order = [name for name, _ in self.parameters][: len(self.names)]
        self.is_by_position = is_flat and order == self.names
        self.is_tensor = self.out_spec.type is None and self.outputs == [{"output": 0}]
        self.has_warned = False

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        inputs, leaves = self.bind(args, kwargs)
        return self.run(inputs, leaves)

    # ---- arguments -------------------------------------------------------------------------------

    def bind(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], Sequence[Any]]:
        """The engine's inputs, and the leaves of all arguments."""
        if self.is_by_position and not kwargs and len(args) == len(self.names):
            return args, args
        if self.is_flat and not args and len(kwargs) == len(self.names):
            try:
                inputs = tuple([kwargs[name] for name in self.names])
                return inputs, inputs
            except KeyError:
                pass  # the general way finds out what is wrong
        given = self.name_arguments(args, kwargs)
        leaves: list[Any] = []
        for name, spec in zip(self.names, self.specs):
            self.take(name, spec, given.pop(name, _Missing), leaves)
        for name, value in given.items():
            self.check_default(name, value)
        chosen = [leaf for leaf, entry in zip(leaves, self.inputs) if "input" in entry]
        return tuple(chosen), leaves

    def name_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if len(args) > len(self.parameters):
            most = len(self.parameters)
            raise TypeError(f"given {len(args)} positional arguments, expected at most {most}")
        given = {name: value for (name, _), value in zip(self.parameters, args)}
        for name, value in kwargs.items():
            if name in given:
                raise TypeError(f"argument {name} is given twice")
            given[name] = value
        return given

    def take(self, name: str, spec: _tree.Spec, value: Any, leaves: list[Any]) -> None:
        """Appends the leaves of one argument, which may have been left out."""
        first = len(leaves)
        entries = self.inputs[first : first + spec.leaf_count]
        if value is _Missing:
            if any("input" in entry for entry in entries):
                raise TypeError(
                    f"argument {name} is missing: the model takes {', '.join(self.names)}"
                )
            leaves.extend(entry["value"] for entry in entries)
            return
        _tree.flatten(spec, value, name, leaves)
        for leaf, entry in zip(leaves[first:], entries):
            if "input" not in entry and not _is_same(leaf, entry["value"]):
                raise TypeError(
                    f"argument {name}: given {leaf!r}, but the model was compiled for "
                    f"{entry['value']!r}"
                )

    def check_default(self, name: str, value: Any) -> None:
        """An argument that the model was not compiled with may only say what it does anyway."""
        defaults = dict((n, d) for n, d in self.parameters)
        if name not in defaults:
            raise TypeError(
                f"no argument is named {name!r}: the model takes {', '.join(self.names)}"
            )
        default = defaults[name] or {}
        if "value" not in default or not _is_same(value, default["value"]):
            raise TypeError(
                f"argument {name}: given {type(value).__name__}, but the model was compiled "
                "without it: pass it to tenon.compile() too"
            )

    # ---- the run ---------------------------------------------------------------------------------

    def run(self, inputs: tuple[Any, ...], leaves: Sequence[Any]) -> Any:
        torch = sys.modules.get("torch")
        engine = self.engine
        if torch is not None and (
            any([isinstance(array, torch.Tensor) for array in inputs]) if inputs else True
        ):
            if torch.is_grad_enabled() and any(
                [getattr(array, "requires_grad", False) for array in inputs]
            ):
                inputs = self.detach(inputs)
            kind = engine.torch_kind
        else:
            kind = engine.numpy_kind
        arrays = engine.run_arrays(inputs, kind)
        if self.writes:
            self.write(arrays, inputs)
        if self.is_tensor:
            return arrays[self.results[0]]
        return _tree.unflatten(
            self.out_spec, iter([self.leaf(e, arrays, leaves) for e in self.outputs])
        )

    def detach(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        if not self.has_warned:
            self.has_warned = True
            warnings.warn(
                "an input requires gradients, but a compiled module computes none: its outputs do "
                "not require any (use torch.no_grad() to say so)",
                stacklevel=5,
            )
        return tuple([a.detach() if _arrays.is_torch(a) else a for a in inputs])

    def write(self, arrays: list[Any], inputs: tuple[Any, ...]) -> None:
        """New contents into the tensors that the model changes."""
        for output, index in self.writes:
            target = inputs[index]
            if _arrays.is_torch(target):
                target.copy_(arrays[output])
            else:
                target[...] = arrays[output]

    def leaf(self, entry: dict[str, Any], arrays: list[Any], leaves: Sequence[Any]) -> Any:
        if "output" in entry:
            return arrays[self.results[entry["output"]]]
        if "number" in entry:
            return arrays[self.results[entry["number"]]].item()
        return leaves[entry["argument"]] if "argument" in entry else entry["value"]


def _is_same(value: Any, constant: Any) -> bool:
    """Equal and of one type: True is not 1."""
    return type(value) is type(constant) and bool(value == constant)
