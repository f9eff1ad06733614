"""tenon compiles PyTorch models into engine files and runs them.

    compiled = tenon.compile(model, [x])    # a torch.nn.Module that is called like the model
    compiled.save("model.tenon")
    tenon.load("model.tenon")(x)            # later, elsewhere, without PyTorch
    tenon.Engine("model.tenon").run({"x": x})

Importing it does not import torch. docs/python.md says the rest.
"""

from ._compile import Input, compile
from ._core import version as __version__
from ._engine import Context, Engine, TensorInfo
from ._errors import (
    CancelledError,
    CorruptFileError,
    Error,
    ExportError,
    FileError,
    InternalError,
    InvalidArgumentError,
    MissingError,
    NotFoundError,
    OutOfMemoryError,
    OutOfRangeError,
    ToolchainError,
    UnsupportedError,
)
from ._module import Module, load
from ._report import Report

__all__ = [
    "CancelledError",
    "Context",
    "CorruptFileError",
    "Engine",
    "Error",
    "ExportError",
    "FileError",
    "Input",
    "InternalError",
    "InvalidArgumentError",
    "MissingError",
    "Module",
    "NotFoundError",
    "OutOfMemoryError",
    "OutOfRangeError",
    "Report",
    "TensorInfo",
    "ToolchainError",
    "UnsupportedError",
    "__version__",
    "compile",
    "load",
]
