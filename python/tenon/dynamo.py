"""torch.compile(model, backend="tenon").

Dynamo hands this backend a graph of PyTorch calls, with guards that say when the graph holds.
AOTAutograd then traces it to functional ATen operators: mutated arguments become results that its
wrappers copy back, results that alias arguments are made again as views of them, duplicated
arguments are merged, autocast is written out as casts, and Python numbers become tensors where they
can. Exporting Dynamo's graph with torch.export instead would keep the operators whole, but all of
that would have to be done here, and a second tracer with rules of its own would refuse graphs that
the first took. The ATen graph becomes an ExportedProgram directly (_dynamo_split.py), which is what
tenon.compile starts from, too.

Dynamo passes parameters and buffers as arguments at every call, so that one graph serves several
modules of one kind. Those that the graph does not change are constants of the engine. Each call
compares their identity, storage and version with those that an engine was made of. The first
weights seen are compiled at once; others run in PyTorch and are compiled when they come a second
time unchanged, so that a loop that keeps changing weights does not keep compiling.
"""

from __future__ import annotations

import fnmatch
import functools
import operator
import threading
import warnings
import weakref
from typing import Any, Callable, Iterable, NoReturn, Sequence

import torch
from torch._decomp import get_decompositions
from torch._dynamo.backends.common import aot_autograd
from torch._dynamo.exc import TorchDynamoException
from torch._guards import TracingContext

from . import _dynamo_split
from ._compile import compile_program
from ._settings import take_settings

aten = torch.ops.aten

# What AOTAutograd makes of composite operators (scaled_dot_product_attention, interpolate), and no
# engine takes.
_DECOMPOSED = (aten._safe_softmax, aten._unsafe_index)

_version_of = operator.attrgetter("_version")

Run = Callable[[Sequence[torch.Tensor]], Sequence[torch.Tensor]]


def backend(
    module: torch.fx.GraphModule,
    inputs: Sequence[Any],
    *,
    options: dict[str, Any] | None = None,
) -> Callable[..., Any]:
    """What Dynamo calls; ``options``: ``threads`` and the settings of tenon.compile."""
    settings = _Settings(**(options or {}))
    names = [node.name for node in module.graph.find_nodes(op="placeholder")]
    # Versions of tensors made in inference mode are not counted: they are never constants.
    untracked = {
        name
        for name, value in zip(names, inputs)
        if isinstance(value, torch.Tensor) and value.is_inference()
    }
    aot = aot_autograd(
        fw_compiler=_stop_training,
        partition_fn=_stop_training,
        inference_compiler=functools.partial(_compile_graph, names, untracked, settings),
        decompositions=get_decompositions(_DECOMPOSED),
    )
    try:
        return aot(module, inputs)
    except TorchDynamoException:
        raise  # how Dynamo and its backends talk to each other
    except Exception as error:
        settings.leave_to_pytorch(error)
        return module.forward


class _Settings:
    """The options of torch.compile, checked."""

    def __init__(self, threads: int = 0, **settings: Any) -> None:
        self.threads = threads
        self._options = take_settings(settings)

    def leave_to_pytorch(self, error: Exception) -> None:
        """Says why a graph runs there, or raises the reason if it must not."""
        if self._options.get("require_full_compilation") == "true":
            raise error
        warnings.warn(f"tenon: a graph runs in PyTorch: {error}", stacklevel=3)

    def for_operators(self, operators: Iterable[torch._ops.OpOverload]) -> dict[str, str]:
        """The C library's options for a graph of these operators. A pattern of executed_ops must
        match something there, while the user's are for all graphs of a program."""
        names = {f"{op._schema.name}.{op._overloadname}" for op in operators}
        names |= {op._schema.name for op in operators}
        given = self._options.get("executed_ops", "").split(",")
        patterns = {pattern for pattern in given if fnmatch.filter(names, pattern)}
        patterns |= {op._schema.name for op in operators if _is_random(op)}
        options = {key: value for key, value in self._options.items() if key != "executed_ops"}
        return {**options, "executed_ops": ",".join(sorted(patterns))} if patterns else options


def _is_random(op: torch._ops.OpOverload) -> bool:
    """Whether it draws numbers, which only PyTorch's generators may do."""
    if torch.Tag.nondeterministic_seeded not in op.tags:
        return False
    names = {argument.name for argument in op._schema.arguments}
    return not names & {"dropout_p", "train"}  # off, or the engine leaves it to PyTorch


class _Training(Exception):
    """Raised out of AOTAutograd when the graph is one of training."""


def _stop_training(*_: Any, **__: Any) -> NoReturn:
    raise _Training(
        "the model is in training mode or gradients are required; call model.eval() and use "
        "torch.no_grad() to compile it"
    )


def _is_training(node: torch.fx.Node) -> bool:
    """Whether a node computes otherwise in training mode, and is in it."""
    position = {aten.native_dropout.default: 2, aten._native_batch_norm_legit_functional.default: 5}
    return node.target in position and bool(node.args[position[node.target]])


def _compile_graph(
    names: list[str],
    untracked: set[str],
    settings: _Settings,
    module: torch.fx.GraphModule,
    inputs: Sequence[Any],
) -> Callable[..., Any]:
    """The inference compiler of AOTAutograd: takes its graph, returns what runs it."""
    if any(map(_is_training, module.graph.nodes)):
        _stop_training()
    context = TracingContext.get()
    metadata: Any = context.fw_metadata
    static = set(metadata.static_input_indices) - set(metadata.mutated_inp_runtime_indices)
    if len(names) != len(inputs):  # AOTAutograd has merged or added arguments
        names = [node.name for node in module.graph.find_nodes(op="placeholder")]
        static = set() if untracked else static
    static = {position for position in static if names[position] not in untracked}
    tail, part = _dynamo_split.divide(module, static, names, context.fake_mode)
    return Graph(module, tail, part, settings) if part else module.forward


class Graph:
    """One graph and the engines made of it, one for each set of weights. Thread-safe."""

    _boxed_call = True  # AOTAutograd: arguments come in a list

    def __init__(
        self,
        module: torch.fx.GraphModule,
        tail: Callable[..., Any] | None,
        part: _dynamo_split.EnginePart,
        settings: _Settings,
    ) -> None:
        self._whole, self._tail, self._part, self._settings = module, tail, part, settings
        self.engines: dict[tuple[int, ...], _Engine] = {}  # by the ids of the weights
        self._lock = threading.Lock()
        self._is_fresh = True
        self._is_refused = False

    def __call__(self, arguments: Sequence[Any]) -> Any:
        run = None if self._is_refused else self._engine_of(arguments)
        if run is None:
            return self._whole(*arguments)
        try:
            results = run(self._inputs_of(arguments))
        except Exception as error:
            results = self._whole(*arguments)  # where bad data is the cause, this fails, too
            self._refuse(error)
            return results
        return self._tail(*arguments, *results) if self._tail else results

    def _inputs_of(self, arguments: Sequence[Any]) -> list[torch.Tensor]:
        part = self._part
        inputs = [arguments[position] for position in part.inputs]
        for i in range(len(inputs) - part.lengths, len(inputs)):
            inputs[i] = torch.empty(inputs[i], dtype=torch.uint8)
        return [value.detach() if value.requires_grad else value for value in inputs]

    def _engine_of(self, arguments: Sequence[Any]) -> Run | None:
        """What runs the engine with these weights; None if PyTorch is to run the graph."""
        weights = [arguments[position] for position in self._part.weights]
        key = tuple(map(id, weights))
        state = [*map(_version_of, weights), *map(torch.Tensor.data_ptr, weights)]
        engine = self.engines.get(key)
        if engine and engine.run and engine.state == state:
            return engine.run
        with self._lock:
            engine = self.engines.get(key)
            if not engine or engine.state != state:
                engine = self.engines[key] = _Engine(weights, state, self.engines, key)
                if not self._is_fresh:
                    return None
            self._is_fresh = False
            engine.run = engine.run or self.compile(weights)
            return engine.run

    def compile(self, weights: Sequence[torch.Tensor]) -> Run | None:
        """What runs a new engine with these weights; None if there cannot be one."""
        options = self._settings.for_operators(self._part.operators)
        try:
            program = self._part.program(weights)
            engine = compile_program(program, options, self._settings.threads)
        except Exception as error:
            self._refuse(error)
            return None
        return lambda inputs: engine.run_arrays(tuple(inputs), engine.torch_kind)

    def _refuse(self, error: Exception) -> None:
        """PyTorch runs this graph from now on."""
        self._settings.leave_to_pytorch(error)
        self._is_refused = True


class _Engine:
    """What one engine was made of. Forgotten when one of its weights is."""

    def __init__(
        self,
        weights: Sequence[torch.Tensor],
        state: list[int],
        engines: dict[tuple[int, ...], _Engine],
        key: tuple[int, ...],
    ) -> None:
        self.state = state
        self.run: Run | None = None
        self._alive = [
            weakref.ref(weight, lambda _: engines.pop(key, None)) for weight in weights
        ]
