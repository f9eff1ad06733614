"""PyTorch as the executor of an engine's calls (docs/calls.md): each operator that the engine does
not compute runs as the very PyTorch operator, on tensors that share the engine's memory."""

from __future__ import annotations

import json
from typing import Any, Callable, Sequence

from ._errors import MissingError, UnsupportedError

Call = Callable[[Sequence[Any], Sequence[int]], Any]


def make_executor(calls: Sequence[dict[str, str]]) -> TorchExecutor:
    """Raises MissingError, naming the operators, if torch cannot be imported."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        names = sorted({call["op"] for call in calls})
        raise MissingError(
            f"the engine leaves {len(calls)} nodes to PyTorch, which is not installed: "
            f"{', '.join(names)}. Install torch, or compile with require_full_compilation=True to "
            "see what keeps them out of the engine"
        ) from error
    return TorchExecutor()


def find_op(name: str) -> Any:
    """The operator of that name: "aten::add.Tensor", "torch.ops.mylib.scale.default". Raises
    UnsupportedError if nothing has registered it."""
    import torch

    plain = name[len("torch.ops.") :] if name.startswith("torch.ops.") else name.replace("::", ".")
    namespace, packet, *overload = plain.split(".")
    try:
        found = getattr(getattr(torch.ops, namespace), packet)
        if namespace == "higher_order":
            return found
        return getattr(found, overload[0] if overload else "default")
    except (AttributeError, RuntimeError) as error:
        raise UnsupportedError(
            f"{name}: PyTorch has no such operator here; import the package that registers it "
            "before the engine is loaded"
        ) from error


class TorchExecutor:
    """What the C extension calls: prepare() for each call in order, then run()."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def prepare(self, index: int, op: str, node: str, arguments: str) -> None:
        assert index == len(self._calls)
        found = find_op(op)
        schema = getattr(found, "_schema", None)
        if schema is not None and schema.is_mutable:
            raise UnsupportedError(
                f"{op} (node {node}) writes to its arguments, which a call must not: export with "
                "run_decompositions(), which makes it functional"
            )
        self._calls.append(_bind(found, json.loads(arguments), schema))

    def run(self, index: int, operands: list[Any], ints: list[int]) -> list[Any]:
        import torch
        from torch.utils.dlpack import from_dlpack

        tensors = [from_dlpack(capsule) for capsule in operands]
        with torch.no_grad():
            result = self._calls[index](tensors, ints)
        flat: list[Any] = []
        for item in result if isinstance(result, (tuple, list)) else (result,):
            flat.extend(item if isinstance(item, (tuple, list)) else (item,))
        return [_as_tensor(item) for item in flat]


def _as_tensor(item: Any) -> Any:
    import torch

    if item is None:
        return None
    tensor = item if isinstance(item, torch.Tensor) else torch.tensor(item)
    return tensor.detach().contiguous().resolve_conj().resolve_neg()


def _bind(op: Any, arguments: list[dict[str, Any]], schema: Any) -> Call:
    """A function that calls the operator, with all that does not change bound."""
    kinds = {a.name: str(a.real_type) for a in schema.arguments} if schema else {}
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    late: list[tuple[Any, Any, Call]] = []  # (where, its key there, what gives the value)
    for argument in arguments:
        value = _value(argument["value"], kinds.get(argument["name"], ""))
        where: Any = keywords if argument["keyword"] else positional
        key = argument["name"] if argument["keyword"] else len(positional)
        if not argument["keyword"]:
            positional.append(None)
        if callable(value) and getattr(value, "is_late", False):
            late.append((argument["keyword"], key, value))
        else:
            where[key] = value

    def call(tensors: Sequence[Any], ints: Sequence[int]) -> Any:
        args, kwargs = list(positional), dict(keywords)
        for is_keyword, key, give in late:
            value = give(tensors, ints)
            if is_keyword:
                kwargs[key] = value
            else:
                args[key] = value
        return op(*args, **kwargs)

    return call


def _late(give: Call) -> Call:
    give.is_late = True  # type: ignore[attr-defined]
    return give


def _float(value: Any) -> float:
    return float(value["float"] if isinstance(value, dict) else value)


def _value(value: Any, kind: str) -> Any:
    """An argument's value, or a function marked by _late() that gives it when the call is made."""
    if isinstance(value, str):
        return _named(value, kind)
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    if tag == "tensor":
        return _late(lambda tensors, ints: tensors[content])
    if tag == "tensors":
        return _late(lambda tensors, ints: [None if i is None else tensors[i] for i in content])
    if tag == "int":
        return _late(lambda tensors, ints: ints[content])
    if tag == "ints":
        if not any(isinstance(item, dict) for item in content):
            return content
        return _late(
            lambda tensors, ints: [
                ints[item["int"]] if isinstance(item, dict) else item for item in content
            ]
        )
    if tag == "float":
        return float(content)
    if tag == "floats":
        return [_float(item) for item in content]
    if tag in ("bools", "strings"):
        return content
    from ._arrays import torch_dtype

    assert tag == "dtype", tag
    return torch_dtype(content)


def _named(value: str, kind: str) -> Any:
    """A text argument: what it names, if the schema says that it names something."""
    import torch

    if value.startswith("torch.ops."):
        return find_op(value)
    if "Layout" in kind:
        return getattr(torch, value)
    if "MemoryFormat" in kind:
        return getattr(torch, value)
    return torch.device(value) if "Device" in kind else value
