"""libtenon_rt through ctypes: just enough of include/tenon/runtime.h to run an engine in-process.

Memory of inputs and outputs is numpy's, so that a timed run is tn_context_run() alone.
"""

import ctypes
import math

import numpy


class DLDevice(ctypes.Structure):
    _fields_ = [("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32)]


class DLDataType(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", DLDevice),
        ("ndim", ctypes.c_int32),
        ("dtype", DLDataType),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class SessionOptions(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("threads", ctypes.c_uint32),
        ("spin_us", ctypes.c_uint32),
        ("executor", ctypes.c_void_p),
    ]


# DLPack's (code, bits) to what numpy holds it as; bfloat16 is 2-byte void, as in the .npy files.
NUMPY_TYPES = {
    (2, 64): "f8", (2, 32): "f4", (2, 16): "f2", (4, 16): "V2", (6, 8): "?",
    (0, 64): "i8", (0, 32): "i4", (0, 16): "i2", (0, 8): "i1",
    (1, 64): "u8", (1, 32): "u4", (1, 16): "u2", (1, 8): "u1",
}  # fmt: skip
DLPACK_TYPES = {numpy.dtype(name): pair for pair, name in NUMPY_TYPES.items()}


# tn_dtype to numpy, in the order of TN_DTYPE_LIST; the 8-bit floats have no numpy type.
NUMPY_OF_DTYPE = {
    1: "f8", 2: "f4", 3: "f2", 4: "V2", 7: "i8", 8: "i4", 9: "i2", 10: "i1",
    11: "u1", 12: "u2", 13: "u4", 14: "u8", 15: "?",
}  # fmt: skip
MAX_RANK = 8


class IoInfo(ctypes.Structure):
    """tn_io_info."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("raw_name", ctypes.c_char_p),
        ("dtype", ctypes.c_int),
        ("rank", ctypes.c_uint32),
        ("dims", ctypes.c_int64 * MAX_RANK),
        ("dims_min", ctypes.c_int64 * MAX_RANK),
        ("dims_max", ctypes.c_int64 * MAX_RANK),
        ("dim_names", ctypes.c_char_p * MAX_RANK),
        ("mutates_input", ctypes.c_int64),
    ]

    @property
    def name(self):
        return self.raw_name.decode()

    @property
    def numpy_type(self):
        return numpy.dtype(NUMPY_OF_DTYPE[self.dtype])

    @property
    def smallest_shape(self):
        sizes = zip(self.dims[: self.rank], self.dims_min[: self.rank])
        return tuple(low if size < 0 else size for size, low in sizes)


class TenonError(RuntimeError):
    """An error that the library returned: its first line and its notes."""


class Engine:
    """An engine file, loaded and ready to run on `threads` threads."""

    @staticmethod
    def open_library(path):
        library = ctypes.CDLL(path)
        library.tn_version.restype = ctypes.c_char_p
        library.tn_status_message.restype = ctypes.c_char_p
        library.tn_status_note.restype = ctypes.c_char_p
        library.tn_engine_input_count.restype = ctypes.c_size_t
        library.tn_engine_output_count.restype = ctypes.c_size_t
        return library

    def __init__(self, library_path, engine_path, threads):
        self.library = self.open_library(library_path)
        self.version = self.library.tn_version().decode()
        self.held = []  # memory that the context borrows
        self.env = self.make("tn_env_create", None)
        self.engine = self.make("tn_engine_load", self.env, engine_path.encode(), None)
        options = SessionOptions(ctypes.sizeof(SessionOptions), threads, 200, None)
        self.session = self.make("tn_session_create", self.engine, ctypes.byref(options))
        self.context = self.make("tn_context_create", self.session)

    def call(self, name, *arguments):
        function = getattr(self.library, name)
        function.restype = ctypes.c_void_p
        status = function(*arguments)
        if status is None:
            return
        status = ctypes.c_void_p(status)
        text = self.library.tn_status_message(status).decode()
        index = 0
        while note := self.library.tn_status_note(status, ctypes.c_size_t(index)):
            text += f"\n  {note.decode()}"
            index += 1
        self.library.tn_status_free(status)
        raise TenonError(f"{name}: {text}")

    def make(self, name, *arguments):
        handle = ctypes.c_void_p()
        self.call(name, *arguments, ctypes.byref(handle))
        return handle

    def inputs(self):
        """A tn_io_info for each input, in order."""
        infos = []
        for index in range(self.library.tn_engine_input_count(self.engine)):
            info = IoInfo(size=ctypes.sizeof(IoInfo))
            position = ctypes.c_size_t(index)
            self.call("tn_engine_input_info", self.engine, position, ctypes.byref(info))
            infos.append(info)
        return infos

    def memory(self):
        """(bytes of the arena, largest sum of live values) for the current shapes."""
        arena, live = ctypes.c_size_t(), ctypes.c_size_t()
        self.call("tn_context_memory", self.context, ctypes.byref(arena), ctypes.byref(live))
        return arena.value, live.value

    def set_input(self, name, array):
        index = ctypes.c_size_t()
        self.call("tn_engine_find_input", self.engine, name.encode(), ctypes.byref(index))
        array = numpy.require(array, requirements="C")
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        code, bits = DLPACK_TYPES[array.dtype]
        tensor = DLTensor(
            array.ctypes.data, DLDevice(1, 0), array.ndim, DLDataType(code, bits, 1), shape, None, 0
        )
        self.held += [array, shape]
        self.call("tn_context_set_input", self.context, index, ctypes.byref(tensor))

    def run(self):
        self.call("tn_context_run", self.context)

    def set_profiling(self, is_on):
        self.library.tn_context_set_profiling(self.context, ctypes.c_bool(is_on))

    def step_times(self):
        """Nanoseconds of each step of the last run; needs profiling."""
        times = ctypes.POINTER(ctypes.c_uint64)()
        count = ctypes.c_size_t()
        self.call("tn_context_step_times", self.context, ctypes.byref(times), ctypes.byref(count))
        return times[: count.value]

    def outputs(self):
        """Copies of the last run's outputs, in order."""
        arrays = []
        for index in range(self.library.tn_engine_output_count(self.engine)):
            tensor = DLTensor()
            position = ctypes.c_size_t(index)
            self.call("tn_context_get_output", self.context, position, ctypes.byref(tensor))
            shape = tensor.shape[: tensor.ndim]
            dtype = numpy.dtype(NUMPY_TYPES[tensor.dtype.code, tensor.dtype.bits])
            byte_count = math.prod(shape) * dtype.itemsize
            data = ctypes.string_at(tensor.data + tensor.byte_offset, byte_count)
            arrays.append(numpy.frombuffer(data, dtype).reshape(shape))
        return arrays
