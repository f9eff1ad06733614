"""NumPy arrays and torch tensors as an engine's inputs and outputs.

Memory is never copied: inputs are lent through DLPack, outputs are new arrays that the engine
writes to. NumPy has no bfloat16 and no 8-bit floats: such arrays have the dtypes of ``ml_dtypes``
where that is installed, else 2-byte and 1-byte void (``V2``, ``V1``), as in .npy files.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from typing import TYPE_CHECKING, Any, Callable, Sequence

from ._errors import InvalidArgumentError

if TYPE_CHECKING:
    from ._engine import TensorInfo

NUMPY_NAMES = {
    "f64": "float64",
    "f32": "float32",
    "f16": "float16",
    "i64": "int64",
    "i32": "int32",
    "i16": "int16",
    "i8": "int8",
    "u8": "uint8",
    "u16": "uint16",
    "u32": "uint32",
    "u64": "uint64",
    "bool": "bool",
}
# Those that NumPy lacks: the name in ml_dtypes, what stands for it without, and its bits.
SMALL_FLOATS = {
    "bf16": ("bfloat16", "V2", "uint16"),
    "f8e4m3": ("float8_e4m3fn", "V1", "uint8"),
    "f8e5m2": ("float8_e5m2", "V1", "uint8"),
}
TORCH_NAMES = {
    **NUMPY_NAMES,
    **{name: names[0] for name, names in SMALL_FLOATS.items()},
}
TENON_NAMES = {name: dtype for dtype, name in TORCH_NAMES.items()}


def numpy_dtype(name: str) -> Any:
    """The NumPy dtype of a tenon dtype ("f32", "bf16")."""
    import numpy

    if name not in SMALL_FLOATS:
        return numpy.dtype(NUMPY_NAMES[name])
    full, plain, _ = SMALL_FLOATS[name]
    try:
        import ml_dtypes
    except ImportError:
        return numpy.dtype(plain)
    return numpy.dtype(getattr(ml_dtypes, full))


def torch_dtype(name: str) -> Any:
    """The torch dtype of a tenon dtype ("f32", "bf16")."""
    import torch

    return getattr(torch, TORCH_NAMES[name])


def is_torch(array: object) -> bool:
    """Whether it is a torch tensor, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def contiguous(array: Any) -> Any:
    """The array itself or a row-major copy of it."""
    if hasattr(array, "contiguous"):
        return array.contiguous()
    import numpy

    return numpy.ascontiguousarray(array)


@dataclasses.dataclass(frozen=True)
class Kind:
    """One package's arrays for one engine. ``core`` is what the C extension's run() wants."""

    core: tuple[Callable[[Any], Any], tuple[Callable[[Any], Any], ...], bool]
    lower: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None = None
    lift: Callable[[list[Any]], list[Any]] | None = None


def torch_kind(outputs: Sequence[TensorInfo]) -> Kind:
    import torch

    makers = tuple(functools.partial(torch.empty, dtype=torch_dtype(o.dtype)) for o in outputs)
    return Kind((contiguous, makers, False))


def _to_bits(array: Any, info: TensorInfo) -> Any:
    import numpy

    _, plain, bits = SMALL_FLOATS[info.dtype]
    if not isinstance(array, numpy.ndarray):
        return array
    if array.dtype != numpy_dtype(info.dtype) and array.dtype != numpy.dtype(plain):
        raise InvalidArgumentError(f"input {info}: given dtype {array.dtype}")
    return array.view(bits)


def numpy_kind(inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]) -> Kind:
    import numpy

    def maker(info: TensorInfo) -> Callable[[Any], Any]:
        is_small = info.dtype in SMALL_FLOATS
        dtype = numpy.dtype(SMALL_FLOATS[info.dtype][2]) if is_small else numpy_dtype(info.dtype)
        return functools.partial(numpy.empty, dtype=dtype)

    def lower(arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            _to_bits(array, info) if info.dtype in SMALL_FLOATS else array
            for array, info in zip(arrays, inputs)
        )

    def lift(arrays: list[Any]) -> list[Any]:
        return [
            array.view(numpy_dtype(info.dtype)) if info.dtype in SMALL_FLOATS else array
            for array, info in zip(arrays, outputs)
        ]

    small_in = any(info.dtype in SMALL_FLOATS for info in inputs)
    small_out = any(info.dtype in SMALL_FLOATS for info in outputs)
    makers = tuple(maker(info) for info in outputs)
    return Kind(
        (contiguous, makers, small_in or small_out),
        lower if small_in else None,
        lift if small_out else None,
    )
