"""Engines: a compiled model, opened, with everything needed to run it."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import threading
from typing import Any, Mapping, Sequence, Union

from . import _arrays, _core
from ._errors import InvalidArgumentError
from ._files import write_file

Path = Union[str, "os.PathLike[str]"]


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """What an engine takes or gives.

    ``shape``: a number, the name of a symbolic size ("s0"), or None for a size computed from
    others. ``ranges``: (smallest, largest) size of each dimension; largest None: unbounded.
    ``dtype``: "f32", "bf16", "i64", "bool", ... ``mutates``: of an output that is the new content
    of an input, that input's index.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]
    ranges: tuple[tuple[int, int | None], ...]
    mutates: int | None = None

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name}: {self.dtype}[{sizes}]"


_UNBOUNDED = 2**63 - 1


def _info(raw: tuple[Any, ...]) -> TensorInfo:
    name, dtype, dims, low, high, names, mutates = raw
    shape = tuple(size if size >= 0 else symbol for size, symbol in zip(dims, names))
    ranges = tuple((a, None if b == _UNBOUNDED else b) for a, b in zip(low, high))
    return TensorInfo(name, dtype, shape, ranges, None if mutates < 0 else mutates)


class Context:
    """One execution of an engine: its shapes, its memory and, if the model has any, its state.

    For one thread at a time. :meth:`Engine.run` takes contexts from a pool; make one yourself to
    have a state of your own.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._core = _core.Context(engine.start())

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """As :meth:`Engine.run`."""
        arrays = self._engine._feed(feeds)
        outputs = self._run(arrays, self._engine._kind(arrays))
        return dict(zip(self._engine._output_names, outputs))

    def reset_state(self) -> None:
        """Puts the state back to the model's first content."""
        self._core.reset_state()

    def memory(self) -> tuple[int, int]:
        """(bytes of the arena, largest sum of values alive at once) for the last run's shapes."""
        return self._core.memory()

    def _run(self, arrays: tuple[Any, ...], kind: _arrays.Kind) -> list[Any]:
        if kind.lower:
            arrays = kind.lower(arrays)
        outputs = self._core.run(arrays, kind.core)
        return kind.lift(outputs) if kind.lift else outputs


class Engine:
    """An engine file (.tenon), opened for running. Thread-safe.

    ``threads``: how many threads work on one run, the caller's included; 0: one per processor.
    ``spin_us``: how long idle workers spin before they sleep, in microseconds.
    ``allow_native_code``: an engine holds native code, which runs with the rights of this process;
    False refuses those (UnsupportedError). ``verify_weights``: also checks the weights' checksum.

    Raises NotFoundError, FileError, CorruptFileError, UnsupportedError (made by another version, or
    for a processor with features that this one lacks).

    A model that keeps state (a buffer that it changes) has one context, so that runs follow each
    other as calls of the module would; all others run in as many contexts as threads ask for.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 0,
        spin_us: int = 200,
        allow_native_code: bool = True,
        verify_weights: bool = False,
    ) -> None:
        self._core = _core.Engine(path, allow_native_code, verify_weights)
        self._file = open(path, "rb")
        self._threads = threads
        self._spin_us = spin_us
        self.inputs = [_info(raw) for raw in self._core.inputs()]
        self.outputs = [_info(raw) for raw in self._core.outputs()]
        self._input_names = [info.name for info in self.inputs]
        self._output_names = [info.name for info in self.outputs]
        self.has_state = self._core.state_count() > 0
        self._session: _core.Session | None = None
        self._session_lock = threading.Lock()
        self._pool: list[Context] = []
        self._state_lock = threading.Lock()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def __repr__(self) -> str:
        inputs = ", ".join(map(str, self.inputs))
        outputs = ", ".join(map(str, self.outputs))
        return f"<tenon.Engine ({inputs}) -> ({outputs})>"

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Runs the engine on arrays by the inputs' names; gives its outputs by theirs.

        Arrays are anything with ``__dlpack__`` in host memory. They are read in place, so nothing
        may change them during the run; those that are not row-major are copied. Outputs are new
        torch tensors if an input is one, else new NumPy arrays.

        Raises InvalidArgumentError (names the input, what was seen and what is wanted: a missing or
        unknown name, dtype, rank, fixed size, device), OutOfRangeError (a size outside of its
        range, or an index computed by the model), TypeError (no array).
        """
        arrays = self._feed(feeds)
        return dict(zip(self._output_names, self.run_arrays(arrays, self._kind(arrays))))

    def context(self) -> Context:
        """A new context: shapes, memory and state of its own."""
        return Context(self)

    def reset_state(self) -> None:
        """Puts the state that :meth:`run` keeps back to the model's first content."""
        with self._state_lock:
            for context in self._pool:
                context.reset_state()

    def describe(self, dims: str | None = None) -> dict[str, Any]:
        """What the engine holds: kernels with the nodes of each, memory, sections (the format is in
        docs/inspect.md). Dynamic sizes are those of ``dims`` ("x=1x128"), else the smallest."""
        described: dict[str, Any] = json.loads(self._core.describe(dims))
        return described

    @functools.cached_property
    def metadata(self) -> str:
        """The text that the engine's maker left in it; "" if none."""
        return self._core.metadata()

    @functools.cached_property
    def calls(self) -> list[dict[str, str]]:
        """The operators that PyTorch runs: op, node, module and source of each."""
        return self._core.calls()

    def save(self, path: Path) -> None:
        """Writes the engine file to another place, atomically. Raises OSError."""
        write_file(path, self._file)

    def start(self) -> _core.Session:
        """Loads the code, starts the threads and prepares PyTorch for what it has to run, unless
        that has been done. Raises what :meth:`run` would: UnsupportedError, MissingError."""
        with self._session_lock:
            if self._session is None:
                executor = None
                if self.calls:
                    from ._executor import make_executor

                    executor = make_executor(self.calls)
                self._session = _core.Session(self._core, self._threads, self._spin_us, executor)
            return self._session

    def run_arrays(self, arrays: tuple[Any, ...], kind: _arrays.Kind) -> list[Any]:
        """Runs on arrays in the order of the inputs; outputs in their order."""
        if self.has_state:
            with self._state_lock:
                if not self._pool:
                    self._pool.append(Context(self))
                return self._pool[0]._run(arrays, kind)
        try:
            context = self._pool.pop()
        except IndexError:
            context = Context(self)
        try:
            return context._run(arrays, kind)
        finally:
            self._pool.append(context)

    @functools.cached_property
    def torch_kind(self) -> _arrays.Kind:
        return _arrays.torch_kind(self.outputs)

    @functools.cached_property
    def numpy_kind(self) -> _arrays.Kind:
        return _arrays.numpy_kind(self.inputs, self.outputs)

    def _kind(self, arrays: Sequence[Any]) -> _arrays.Kind:
        return self.torch_kind if any(map(_arrays.is_torch, arrays)) else self.numpy_kind

    def _feed(self, feeds: Mapping[str, Any]) -> tuple[Any, ...]:
        try:
            arrays = tuple([feeds[name] for name in self._input_names])
        except KeyError as error:
            raise self._wrong_names(f"input {error.args[0]} is missing", feeds) from None
        if len(feeds) != len(arrays):
            unknown = next(name for name in feeds if name not in self._input_names)
            raise self._wrong_names(f"no input is named {unknown!r}", feeds)
        return arrays

    def _wrong_names(self, what: str, feeds: Mapping[str, Any]) -> InvalidArgumentError:
        wanted = ", ".join(map(str, self.inputs))
        return InvalidArgumentError(
            f"{what}: given {', '.join(feeds) or 'none'}, expected {wanted}"
        )
