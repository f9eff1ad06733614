"""The exceptions of tenon. Each is also what Python itself would raise, where there is such a
thing."""

from __future__ import annotations


class Error(Exception):
    """What the library refused or could not do.

    ``message`` names the thing, the value seen and the value wanted; ``notes`` say what was being
    done, innermost first; ``code`` is the C API's name of the kind of failure ("TN_IO").
    """

    code = "TN_INTERNAL"

    def __init__(self, message: str, notes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.notes = tuple(notes)

    def __str__(self) -> str:
        return "\n  ".join((self.message, *self.notes))


class InvalidArgumentError(Error, ValueError):
    """An argument that can never work: a setting, or an input's dtype, rank, size or device."""

    code = "TN_INVALID_ARGUMENT"


class UnsupportedError(Error, NotImplementedError):
    """Valid, but tenon cannot do it; the message says what it could do."""

    code = "TN_UNSUPPORTED"


class OutOfMemoryError(Error, MemoryError):
    """An allocation failed."""

    code = "TN_OUT_OF_MEMORY"


class FileError(Error, OSError):
    """The operating system refused a file operation."""

    code = "TN_IO"


class CorruptFileError(Error, ValueError):
    """A file's content is not what its format demands."""

    code = "TN_CORRUPT"


class NotFoundError(Error, FileNotFoundError):
    """A file, or a name within a model, does not exist."""

    code = "TN_NOT_FOUND"


class OutOfRangeError(Error, IndexError, ValueError):
    """A size outside of its declared range, or an index that the model computed."""

    code = "TN_OUT_OF_RANGE"


class ToolchainError(Error, RuntimeError):
    """The system's C compiler is missing or failed."""

    code = "TN_TOOLCHAIN"


class CancelledError(Error):
    """The progress callback asked to stop."""

    code = "TN_CANCELLED"


class InternalError(Error, RuntimeError):
    """A bug in tenon: please report it."""


class ExportError(Error, RuntimeError):
    """PyTorch could not export the module; its own error is the ``__cause__``."""

    code = "TN_UNSUPPORTED"


class MissingError(Error, ImportError):
    """This installation lacks a part: the compiler (runtime-only), or PyTorch."""

    code = "TN_UNSUPPORTED"


_BY_CODE = {
    kind.code: kind
    for kind in (
        InvalidArgumentError,
        UnsupportedError,
        OutOfMemoryError,
        FileError,
        CorruptFileError,
        NotFoundError,
        OutOfRangeError,
        ToolchainError,
        CancelledError,
        InternalError,
    )
}


def from_status(code: str, texts: list[str], raised: BaseException | None) -> BaseException:
    """The exception of a C status: its message, then its notes. An exception that a callback raised
    stays what it is, with the texts as its notes."""
    if raised is None:
        return _BY_CODE.get(code, InternalError)(texts[0], tuple(texts[1:]))
    notes = getattr(raised, "__notes__", [])
    setattr(raised, "__notes__", [*notes, *texts[1:]])  # shown by Python 3.11 and later
    return raised


def from_array(name: str, raised: Exception) -> Exception:
    """What an input's own package said when it was asked for its memory, with the input's name."""
    lines = str(raised).splitlines() or [type(raised).__name__]
    if isinstance(raised, TypeError):
        return TypeError(f"input {name}: {lines[0]}")
    error = InvalidArgumentError(f"input {name}: {lines[0]}; expected a dense array in host memory")
    error.__cause__ = raised
    return error
