"""tenon as a backend of onnx.backend.base; needs the package onnx.

    rep = tenon.onnx_backend.prepare(model)    # an onnx.ModelProto
    outputs = rep.run([x])

What the library cannot read or compile is refused: today that is every ONNX model, because it has
no reader for them yet. The backend asks the library itself, so the reader needs nothing here.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import onnx
from onnx.backend.base import Backend, BackendRep

from . import _core
from ._engine import Engine
from ._errors import Error, UnsupportedError
from ._settings import take_settings


class TenonRep(BackendRep):
    """A compiled model. ``engine``: the :class:`tenon.Engine`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Runs on a sequence of arrays in the order of the model's inputs. Gives its outputs."""
        if kwargs:
            raise TypeError(f"run() takes no argument {next(iter(kwargs))!r}")
        names = [info.name for info in self.engine.inputs]
        if len(inputs) != len(names):
            raise TypeError(
                f"given {len(inputs)} inputs, expected {len(names)}: {', '.join(names)}"
            )
        return tuple(self.engine.run(dict(zip(names, inputs))).values())


class TenonBackend(Backend):
    """See onnx.backend.base.Backend. Keyword arguments are settings of tenon.compile."""

    @classmethod
    def is_compatible(cls, model: Any, device: str = "CPU", **settings: Any) -> bool:
        """Whether prepare() would work, without compiling."""
        if not cls.supports_device(device):
            return False
        options = {"require_full_compilation": "true", **take_settings(settings)}
        with tempfile.TemporaryDirectory(prefix="tenon-") as folder:
            try:
                _core.report_file(_saved(model, folder), options)
            except Error:
                return False
        return True

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **settings: Any) -> TenonRep:
        """Compiles a model. Raises UnsupportedError for what cannot be."""
        super().prepare(model, device)
        if not cls.supports_device(device):
            raise UnsupportedError(f"device {device!r}: expected 'CPU'")
        options = {"require_full_compilation": "true", **take_settings(settings)}
        with tempfile.TemporaryDirectory(prefix="tenon-") as folder:
            engine = os.path.join(folder, "engine.tenon")
            try:
                _core.compile_file(_saved(model, folder), engine, options, None, None)
            except Error as error:
                raise UnsupportedError(
                    "tenon cannot compile this ONNX model; it reads .pt2 files of torch.export, "
                    f"and ONNX models where its library has a reader for them: {error}"
                ) from error
            return TenonRep(Engine(engine))

    @classmethod
    def supports_device(cls, device: str) -> bool:
        return device.partition(":")[0] == "CPU"


def _saved(model: Any, folder: str) -> str:
    path = os.path.join(folder, "model.onnx")
    onnx.save(model, path)
    return path


is_compatible = TenonBackend.is_compatible
prepare = TenonBackend.prepare
run_model = TenonBackend.run_model
supports_device = TenonBackend.supports_device
