"""Divides a functional ATen graph between an engine and PyTorch.

AOTAutograd's wrappers rebuild aliases from what the compiled graph returns: sizes, strides and
storage offsets of its results count, not only their elements. An engine computes fresh tensors. So
what a result owes to views stays with PyTorch: walking back from each result, views and numbers
belong to the *tail*, which PyTorch runs; the walk ends at arguments and at tensors that are
computed, which the engine returns. A view of an argument is then a view of that argument, two views
of one tensor share its memory, and strides are those that PyTorch gives: a tensor in another order
than row-major (channels-last) leaves the engine permuted and is permuted back.

An engine takes tensors only. An integer argument that is the size of a tensor argument is read off
that tensor; any other one (a position in a cache) is passed as the length of a one-dimensional
tensor whose elements nobody reads.
"""

from __future__ import annotations

import operator
from typing import Any, Callable, Iterable, Sequence

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.exported_program import ModuleCallEntry, ModuleCallSignature
from torch.export.graph_signature import (
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)
from torch.fx.experimental.symbolic_shapes import (
    free_symbols,
    free_unbacked_symbols,
    statically_known_true,
)
from torch.utils._pytree import tree_leaves, tree_structure

from ._errors import UnsupportedError

aten = torch.ops.aten


def divide(
    module: fx.GraphModule, static: set[int], names: Sequence[str], fake_mode: Any
) -> tuple[Callable[..., Any] | None, EnginePart | None]:
    """The tail and the EnginePart of a graph. The tail is None if the engine's results are the
    graph's, the EnginePart if there is nothing to compute.

    ``static``: positions of the arguments that are constants of the engine. ``names``: a name for
    each argument. The tail takes the arguments, then the engine's results. Raises UnsupportedError.
    """
    results: Any = module.graph.output_node().args[0]
    outside, ends = _walk_back(results)
    computed = [node for node in module.graph.nodes if node in ends]
    if not computed:
        return None, None
    for node in _reachable(computed):
        _check_place(node)
    orders = [_memory_order(node) for node in computed]
    part = EnginePart(module, computed, orders, static, names, fake_mode)
    if computed == list(results) and not any(orders):
        return None, part
    return _make_tail(module, results, outside, computed, orders), part


def _reachable(nodes: Iterable[fx.Node]) -> set[fx.Node]:
    """The nodes that these depend on, and they themselves."""
    found: set[fx.Node] = set()
    pending = list(nodes)
    while pending:
        node = pending.pop()
        if node not in found:
            found.add(node)
            pending += node.all_input_nodes
    return found


def _check_place(node: fx.Node) -> None:
    for value in tree_leaves(node.meta.get("val")):
        if not isinstance(value, torch.Tensor):
            continue
        if value.device.type != "cpu":
            raise UnsupportedError(f"{node.name} is on {value.device}, expected cpu")
        if value.layout != torch.strided or value.is_neg():
            seen = "with the negative bit" if value.is_neg() else value.layout
            raise UnsupportedError(f"{node.name} is {seen}, expected a plain torch.strided tensor")


# ---- the tail ------------------------------------------------------------------------------------


def _walk_back(results: Sequence[Any]) -> tuple[set[fx.Node], set[fx.Node]]:
    """The nodes that PyTorch runs, and the computed tensors that they begin with."""
    outside: set[fx.Node] = set()
    ends: set[fx.Node] = set()
    pending = [node for node in results if isinstance(node, fx.Node)]
    while pending:
        node = pending.pop()
        if not _is_outside(node):
            ends.add(node)
        elif node not in outside:
            outside.add(node)
            pending += node.all_input_nodes
    return outside, ends


def _is_outside(node: fx.Node) -> bool:
    if node.op in ("placeholder", "get_attr"):
        return True
    if node.target is operator.getitem and isinstance(node.meta["val"], torch.Tensor):
        return _is_view(node.args[0])
    return _is_view(node) or not isinstance(node.meta["val"], torch.Tensor)


def _is_view(node: Any) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target.is_view


def _memory_order(node: fx.Node) -> list[int] | None:
    """The tensor's dimensions, outermost in memory first; None if that is their order."""
    value = node.meta["val"]
    if _is_row_major(value):
        return None
    strides = [s.node.hint if isinstance(s, torch.SymInt) else s for s in value.stride()]
    if None not in strides:
        order = sorted(range(value.dim()), key=lambda dim: -strides[dim])
        if _is_row_major(value.permute(order)):
            return order
    raise UnsupportedError(
        f"{node.name} has strides {tuple(value.stride())}, expected those of dense memory"
    )


def _is_row_major(value: torch.Tensor) -> bool:
    step: Any = 1
    for size, stride in zip(reversed(value.shape), reversed(value.stride())):
        if statically_known_true(size == 0):
            return True
        if not statically_known_true(size == 1) and not statically_known_true(stride == step):
            return False
        step = step * size
    return True


def _make_tail(
    module: fx.GraphModule,
    results: Sequence[Any],
    outside: set[fx.Node],
    computed: Sequence[fx.Node],
    orders: Sequence[list[int] | None],
) -> Callable[..., Any]:
    graph = fx.Graph()
    known = {
        node: graph.placeholder(node.name) for node in module.graph.find_nodes(op="placeholder")
    }
    for node in computed:
        known[node] = graph.placeholder(f"engine_{node.name}")
    for node, order in zip(computed, orders):
        if order:
            back = sorted(range(len(order)), key=order.__getitem__)
            known[node] = graph.call_function(aten.permute.default, (known[node], back))
    for node in module.graph.nodes:
        if node in outside and node not in known:
            known[node] = graph.node_copy(node, known.__getitem__)
    graph.output(fx.map_arg(tuple(results), known.__getitem__))
    return fx.GraphModule(module, graph).forward


# ---- the engine's part ---------------------------------------------------------------------------


class EnginePart:
    """What the engine computes. Read only once made.

    weights   positions of the arguments that are constants of the engine
    inputs    positions of the arguments that the engine takes, in its order
    lengths   the last so many of ``inputs`` are integers, given as the lengths of tensors
    operators the set of its operators
    """

    def __init__(
        self,
        module: fx.GraphModule,
        computed: Sequence[fx.Node],
        orders: Sequence[list[int] | None],
        static: set[int],
        names: Sequence[str],
        fake_mode: Any,
    ) -> None:
        self.weights: list[int] = []
        self.inputs: list[int] = []
        self.lengths = 0
        self._module, self._fake_mode = module, fake_mode
        self._graph = fx.Graph()
        self._inputs: list[InputSpec] = []
        self._constants: dict[str, Any] = {}
        self._known: dict[fx.Node, fx.Node] = {}
        self._sizes: dict[Any, tuple[fx.Node, int]] = {}  # symbol: an input, its dimension of it
        nodes = _reachable(computed)
        self._nodes = [node for node in module.graph.nodes if node in nodes]
        arguments = module.graph.find_nodes(op="placeholder")
        self._add_tensors(arguments, static, names)
        self._add_constants()
        self._add_lengths(arguments, names)
        self._add_numbers()
        for node in self._nodes:
            if node not in self._known:
                self._known[node] = _copy_node(self._graph, node, self._known)
        self._graph.output(tuple(map(self._add_result, computed, orders)))
        targets = {node.target for node in self._graph.nodes}
        self.operators = {t for t in targets if isinstance(t, torch._ops.OpOverload)}

    def program(self, weights: Sequence[torch.Tensor]) -> ExportedProgram:
        """As torch.export would give it, with the contents of the weights."""
        results: Any = self._graph.output_node().args[0]
        outputs = [
            OutputSpec(OutputKind.USER_OUTPUT, TensorArgument(node.name), None) for node in results
        ]
        call = ModuleCallSignature(
            inputs=[spec.arg for spec in self._inputs if spec.kind == InputKind.USER_INPUT],
            outputs=[spec.arg for spec in outputs],
            in_spec=tree_structure(((0,) * len(self.inputs), {})),
            out_spec=tree_structure((0,) * len(outputs)),
        )
        buffers = [spec for spec in self._inputs if spec.kind == InputKind.BUFFER]
        ranges = self._fake_mode.shape_env.var_to_range if self._fake_mode.shape_env else {}
        return ExportedProgram(
            root=self._module,
            graph=self._graph,
            graph_signature=ExportGraphSignature(self._inputs, outputs),
            state_dict={str(b.target): weight.detach() for b, weight in zip(buffers, weights)},
            range_constraints={symbol: ranges[symbol] for symbol in self._sizes},
            module_call_graph=[ModuleCallEntry("", call)],
            constants=self._constants,
        )

    def _add_placeholder(
        self, name: str, value: torch.Tensor, kind: InputKind = InputKind.USER_INPUT
    ) -> fx.Node:
        node = self._graph.placeholder(name)
        node.meta["val"] = value
        target = None if kind == InputKind.USER_INPUT else node.name
        persistent = True if kind == InputKind.BUFFER else None
        self._inputs.append(InputSpec(kind, TensorArgument(node.name), target, persistent))
        return node

    def _add_tensors(
        self, arguments: Iterable[fx.Node], static: set[int], names: Sequence[str]
    ) -> None:
        for position, node in enumerate(arguments):
            value = node.meta["val"]
            if node not in self._nodes or not isinstance(value, torch.Tensor):
                continue
            if position in static and not free_symbols(value):
                self.weights.append(position)
                kind = InputKind.BUFFER
            else:
                self.inputs.append(position)
                kind = InputKind.USER_INPUT
            added = self._known[node] = self._add_placeholder(names[position], value, kind)
            for dim, size in enumerate(value.shape):
                if isinstance(size, torch.SymInt) and size.node.expr.is_Symbol:
                    self._sizes.setdefault(size.node.expr, (added, dim))

    def _add_constants(self) -> None:
        """Tensors that the graph itself holds."""
        for node in self._nodes:
            content = getattr(self._module, node.target) if node.op == "get_attr" else None
            if isinstance(content, torch.Tensor):
                value, kind = node.meta["val"], InputKind.CONSTANT_TENSOR
                added = self._known[node] = self._add_placeholder(node.name, value, kind)
                self._constants[added.name] = content

    def _add_lengths(self, arguments: Iterable[fx.Node], names: Sequence[str]) -> None:
        """An input for each symbol that is no size of an input yet."""
        wanted: set[Any] = set()
        values = [node.meta["val"] for node in self._nodes if "val" in node.meta]  # no subgraphs
        for value in values:
            wanted |= free_symbols(value) - free_unbacked_symbols(value)
        for position, node in enumerate(arguments):
            value = node.meta["val"]
            symbol = value.node.expr if isinstance(value, torch.SymInt) else None
            if symbol in wanted - self._sizes.keys():
                if value.node.hint < 0:
                    raise UnsupportedError(f"{names[position]} is negative, expected 0 or more")
                with self._fake_mode:
                    length = torch.empty(value, dtype=torch.uint8)
                self._sizes[symbol] = (self._add_placeholder(names[position], length), 0)
                self.inputs.append(position)
                self.lengths += 1
        if wanted - self._sizes.keys():
            raise UnsupportedError(f"no argument gives {wanted - self._sizes.keys()}")

    def _add_numbers(self) -> None:
        """Integer arguments, as sizes of inputs."""
        for node in self._nodes:
            if node.op != "placeholder" or node in self._known:
                continue
            value = node.meta["val"]
            if not isinstance(value, torch.SymInt):
                kind = type(value).__name__
                raise UnsupportedError(f"{node.name} is a {kind}, expected a tensor or an integer")
            size = self._graph.call_function(aten.sym_size.int, self._sizes[value.node.expr])
            size.meta["val"] = value
            self._known[node] = size

    def _add_result(self, node: fx.Node, order: list[int] | None) -> fx.Node:
        known = self._known[node]
        if order:
            known = self._graph.call_function(aten.permute.default, (known, order))
            known.meta["val"] = node.meta["val"].permute(order)
        return known


def _copy_node(graph: fx.Graph, node: fx.Node, known: dict[fx.Node, fx.Node]) -> fx.Node:
    """Copies a node as torch.export would have written it."""
    copy = graph.node_copy(node, known.__getitem__)
    if node.target is torch.ops.prims.convert_element_type.default:  # of Python numbers
        copy.target, copy.kwargs = aten._to_copy.default, {"dtype": copy.args[1]}
        copy.args = copy.args[:1]
    if "nn_module_stack" in copy.meta:
        copy.meta["nn_module_stack"] = {
            key: (path, kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}")
            for key, (path, kind) in copy.meta["nn_module_stack"].items()
        }
    return copy
