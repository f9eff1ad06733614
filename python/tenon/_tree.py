"""Nested structures (pytrees) as PyTorch writes them into a .pt2 file, restored with or without it.

A spec is the text that torch.utils._pytree.treespec_dumps() gives: types by name, contexts as JSON,
nothing to execute. Containers of the standard library are handled here; any other type is restored
by what PyTorch has registered for it, where PyTorch and the type's module can be imported, and
otherwise becomes a :class:`Fields`.
"""

from __future__ import annotations

import collections
import importlib
import json
from typing import Any, Callable, Iterator, NamedTuple

FORMAT = 1


class Fields(dict[str, Any]):
    """The fields of an object whose class is not there: a dict, with attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Spec(NamedTuple):
    """A node of a structure; ``type`` None is a leaf. ``context``: whatever the type needs besides
    its children, mostly the keys."""

    type: str | None
    context: Any
    children: tuple[Spec, ...]

    @property
    def leaf_count(self) -> int:
        return 1 if self.type is None else sum(child.leaf_count for child in self.children)


def parse(text: str) -> Spec:
    """Reads treespec_dumps()' text. Raises ValueError for another format."""
    version, tree = json.loads(text)
    if version != FORMAT:
        raise ValueError(f"a pytree of format {version}, expected {FORMAT}")
    return _read(tree)


def _read(tree: dict[str, Any]) -> Spec:
    context = tree["context"]
    if isinstance(context, str):
        context = json.loads(context)
    return Spec(tree["type"], context, tuple(map(_read, tree["children_spec"])))


# ---- restoring -----------------------------------------------------------------------------------


def unflatten(spec: Spec, leaves: Iterator[Any]) -> Any:
    """The structure with the next leaves of the iterator."""
    if spec.type is None:
        return next(leaves)
    children = [unflatten(child, leaves) for child in spec.children]
    make = _MAKERS.get(spec.type)
    return make(children, spec.context) if make else _make_other(spec, children)


def _default_dict(children: list[Any], context: Any) -> Any:
    module = importlib.import_module(context["default_factory_module"])
    factory = getattr(module, context["default_factory_name"])
    return collections.defaultdict(factory, zip(context["dict_context"][0], children))


_MAKERS: dict[str, Callable[[list[Any], Any], Any]] = {
    "builtins.tuple": lambda children, _: tuple(children),
    "builtins.list": lambda children, _: children,
    "builtins.dict": lambda children, keys: dict(zip(keys, children)),
    "collections.OrderedDict": lambda children, keys: collections.OrderedDict(zip(keys, children)),
    "collections.defaultdict": _default_dict,
    "collections.deque": lambda children, size: collections.deque(children, size),
}


def _registered(name: str) -> Any:
    """PyTorch's entry for a type of that name: (type, how to flatten, how to make), or None."""
    try:
        from torch.utils import _pytree
    except ImportError:
        return None
    types = _pytree.SERIALIZED_TYPE_TO_PYTHON_TYPE
    if name not in types:
        try:  # types register themselves, or their bases do, when they are defined
            importlib.import_module(name.rpartition(".")[0])
        except (ImportError, ValueError):
            return None
    kind = types.get(name)
    return (kind, _pytree.SUPPORTED_NODES[kind]) if kind in _pytree.SUPPORTED_NODES else None


def _context_of(spec: Spec, kind: Any) -> Any:
    from torch.utils import _pytree

    load = _pytree.SUPPORTED_SERIALIZED_TYPES[kind].from_dumpable_context
    return load(spec.context) if load else spec.context


def _make_other(spec: Spec, children: list[Any]) -> Any:
    found = _registered(spec.type or "")
    if found:
        return found[1].unflatten_fn(children, _context_of(spec, found[0]))
    keys = spec.context
    if isinstance(keys, list) and len(keys) > 0 and isinstance(keys[0], list):
        keys = keys[0]  # PyTorch's dataclasses: [names, names of those that are None]
    if isinstance(keys, list) and len(keys) == len(children):
        return Fields(zip(map(str, keys), children))
    return Fields((str(i), child) for i, child in enumerate(children))


# ---- taking apart --------------------------------------------------------------------------------


def flatten(spec: Spec, value: Any, where: str, leaves: list[Any]) -> None:
    """Appends the leaves of a value that has the spec's structure. Raises TypeError, which says
    where and what was seen, for one that has not."""
    if spec.type is None:
        leaves.append(value)
        return
    if spec.type in ("builtins.tuple", "builtins.list", "collections.deque"):
        wanted = spec.type.rpartition(".")[2]
        _check(type(value).__name__ == wanted, where, value, f"a {wanted}")
        _check(len(value) == len(spec.children), where, value, f"{len(spec.children)} items")
        for i, (child, item) in enumerate(zip(spec.children, value)):
            flatten(child, item, f"{where}[{i}]", leaves)
    elif spec.type in ("builtins.dict", "collections.OrderedDict", "collections.defaultdict"):
        default = spec.type == "collections.defaultdict"
        keys = spec.context["dict_context"][0] if default else spec.context
        _check(isinstance(value, dict), where, value, "a dict")
        _check(set(value) == set(keys), where, value, f"the keys {', '.join(map(str, keys))}")
        for child, key in zip(spec.children, keys):
            flatten(child, value[key], f"{where}[{key!r}]", leaves)
    else:
        found = _registered(spec.type)
        _check(found is not None, where, value, f"a {spec.type}, which is not known here")
        _check(isinstance(value, found[0]), where, value, f"a {spec.type}")
        items, _ = found[1].flatten_fn(value)
        items = list(items)
        _check(len(items) == len(spec.children), where, value, f"{len(spec.children)} fields")
        for i, (child, item) in enumerate(zip(spec.children, items)):
            flatten(child, item, f"{where}.{i}", leaves)


def _check(holds: bool, where: str, value: Any, wanted: str) -> None:
    if holds:
        return
    seen = type(value).__name__
    if isinstance(value, (tuple, list)):
        seen += f" of {len(value)} items"
    elif isinstance(value, dict):
        seen += f" with the keys {', '.join(map(str, value))}"
    raise TypeError(f"argument {where}: given a {seen}, expected {wanted} as when it was compiled")
