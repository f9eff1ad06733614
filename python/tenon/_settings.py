"""The settings of compile(): their names, their types, and how the C library is told.

The names are those of docs/python.md; one that is unknown, of a wrong type, or without a meaning
yet is an error, never ignored.
"""

from __future__ import annotations

import difflib
import os
from typing import Any, Callable, Mapping

from ._errors import InvalidArgumentError, UnsupportedError


def _wrong(name: str, value: object, wanted: str) -> TypeError:
    return TypeError(f"setting {name}: given {value!r} ({type(value).__name__}), expected {wanted}")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(name, value, "a str")
    return value


def _path(name: str, value: object) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise _wrong(name, value, "a path")
    return os.fspath(value)


def _flag(name: str, value: object) -> str:
    if not isinstance(value, bool):
        raise _wrong(name, value, "True or False")
    return "true" if value else "false"


def _count(name: str, value: object) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(name, value, "an int")
    return str(value)


def _names(name: str, value: object) -> str:
    """A comma-separated text, or a collection of names or torch operators."""
    if isinstance(value, str):
        return value
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise _wrong(name, value, "a str or a list of names")
    return ",".join(sorted(_op_name(name, item) for item in value))


def _op_name(name: str, item: object) -> str:
    if isinstance(item, str):
        return item
    kind = type(item).__name__
    if kind == "OpOverload":  # "aten::gelu.default"; the schema's name leaves ".default" out
        schema_name = item.name()  # type: ignore[attr-defined]
        return schema_name if "." in schema_name else f"{schema_name}.default"
    if kind == "OpOverloadPacket":
        return str(item._qualified_op_name)  # type: ignore[attr-defined]
    raise _wrong(name, item, "names like 'aten::gelu', or operators of torch.ops")


def _ranges(name: str, value: object) -> str:
    """A text "s0=1:8,s1=1:512", or a dict {"s0": (1, 8)}."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        raise _wrong(name, value, "a dict {symbol: (min, max)}")
    items = []
    for symbol, bounds in value.items():
        if not isinstance(bounds, (tuple, list)) or [type(b) for b in bounds] != [int, int]:
            raise _wrong(f"{name}[{symbol!r}]", bounds, "a pair (min, max) of ints")
        items.append(f"{symbol}={bounds[0]}:{bounds[1]}")
    return ",".join(items)


_SETTINGS: dict[str, Callable[[str, object], str]] = {
    "target": _text,
    "codegen": _text,
    "compiler": _path,
    "keep_source_dir": _path,
    "cache_dir": _path,
    "dump_dir": _path,
    "disabled_passes": _names,
    "ranges": _ranges,
    "min_block_size": _count,
    "executed_ops": _names,
    "require_full_compilation": _flag,
}

# Of the design, but nothing that this version does.
_LATER = (
    "fallback_data_dependent_ops",
    "optimization_level",
    "tune_ms",
    "precision",
    "workspace_bytes",
    "refit",
    "strip_weights",
    "static_memory",
    "targets",
)
# Arguments of compile() itself, which a mistyped name may have meant.
_ARGUMENTS = ("inputs", "kwarg_inputs", "dynamic_shapes", "strict", "progress", "threads", "dryrun")


def take_settings(settings: Mapping[str, Any]) -> dict[str, str]:
    """The C library's options as text. None leaves a setting at its default."""
    options = {}
    for name, value in settings.items():
        if name in _LATER:
            raise UnsupportedError(
                f"setting {name} has no meaning in this version of tenon; those that have: "
                f"{', '.join(_SETTINGS)}"
            )
        if name not in _SETTINGS:
            names = (*_SETTINGS, *_LATER, *_ARGUMENTS)
            nearest = difflib.get_close_matches(name, names, 1, 0)[0]
            raise InvalidArgumentError(f"unknown setting {name!r}; the nearest is {nearest!r}")
        if value is not None:
            options[name] = _SETTINGS[name](name, value)
    return options
