"""Models that an engine computes in part, with PyTorch as the executor of the rest: custom operators,
operators that are kept out, small blocks. The library is used through its C interface, by ctypes.

ctest: standard timeout=300
"""
import ctypes
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import torch
from torch import Tensor

import models

# ---- the C interface


class Device(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int32), ("id", ctypes.c_int32)]


class DataType(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class DLTensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device", Device), ("ndim", ctypes.c_int32),
                ("dtype", DataType), ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64)]


class CallInfo(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("index", ctypes.c_size_t), ("op", ctypes.c_char_p),
                ("node", ctypes.c_char_p), ("module", ctypes.c_char_p),
                ("source", ctypes.c_char_p), ("arguments", ctypes.c_char_p),
                ("operand_count", ctypes.c_size_t), ("result_count", ctypes.c_size_t),
                ("int_count", ctypes.c_size_t)]


class Call(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("index", ctypes.c_size_t),
                ("operand_count", ctypes.c_size_t), ("result_count", ctypes.c_size_t),
                ("int_count", ctypes.c_size_t), ("operands", ctypes.POINTER(DLTensor)),
                ("ints", ctypes.POINTER(ctypes.c_int64)), ("results", ctypes.POINTER(DLTensor)),
                ("held", ctypes.c_void_p)]


PREPARE = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(CallInfo))
RUN = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(Call))
RELEASE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


class Executor(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("user", ctypes.c_void_p), ("prepare", PREPARE),
                ("run", RUN), ("release", RELEASE)]


class SessionOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("threads", ctypes.c_uint32),
                ("spin_us", ctypes.c_uint32), ("executor", ctypes.POINTER(Executor))]


LIB = ctypes.CDLL(str(pathlib.Path(os.environ["TENON_BUILD"], "libtenon.so")))
for function in ("tn_env_create", "tn_engine_load", "tn_session_create", "tn_context_create",
                 "tn_context_set_input", "tn_context_run", "tn_context_get_output",
                 "tn_status_create"):
    getattr(LIB, function).restype = ctypes.c_void_p
LIB.tn_status_message.restype = ctypes.c_char_p
LIB.tn_engine_call_count.restype = LIB.tn_engine_output_count.restype = ctypes.c_size_t

DTYPES = {torch.float32: (2, 32, ctypes.c_float), torch.int64: (0, 64, ctypes.c_int64),
          torch.bool: (6, 8, ctypes.c_uint8), torch.uint8: (1, 8, ctypes.c_uint8)}
NAMES = {"f32": torch.float32, "i64": torch.int64, "bool": torch.bool, "u8": torch.uint8}


def check(status):
    if status:
        message = LIB.tn_status_message(ctypes.c_void_p(status)).decode()
        LIB.tn_status_free(ctypes.c_void_p(status))
        raise RuntimeError(message)


def tensor_of(lent):
    """A tensor over the memory of a DLTensor."""
    dtype = next(d for d, (code, bits, _) in DTYPES.items()
                 if (code, bits) == (lent.dtype.code, lent.dtype.bits))
    shape = lent.shape[:lent.ndim]
    strides = lent.strides[:lent.ndim]
    if 0 in shape:
        return torch.empty(shape, dtype=dtype)
    elems = 1 + sum((size - 1) * stride for size, stride in zip(shape, strides))
    memory = (DTYPES[dtype][2] * elems).from_address(lent.data + lent.byte_offset)
    return torch.frombuffer(memory, dtype=dtype).as_strided(shape, strides)


def lend(tensor):
    code, bits, _ = DTYPES[tensor.dtype]
    shape = (ctypes.c_int64 * max(tensor.ndim, 1))(*tensor.shape)
    return DLTensor(tensor.data_ptr(), Device(1, 0), tensor.ndim, DataType(code, bits, 1), shape)


# ---- PyTorch as an executor


class Pytorch:
    """Looks operators up once; gives results in PyTorch's own memory."""

    def __init__(self):
        self.calls, self.held, self.runs = [], {}, 0
        self.table = Executor(ctypes.sizeof(Executor), None, PREPARE(self.prepare), RUN(self.run),
                              RELEASE(self.release))

    @staticmethod
    def find(name):
        space, rest = name.split("::")
        if space == "higher_order":
            return getattr(torch.ops.higher_order, rest)
        packet, overload = rest.split(".")
        op = getattr(getattr(getattr(torch.ops, space), packet), overload)
        if op._schema.is_mutable:
            raise RuntimeError(f"{name} writes to its arguments")
        return op

    def prepare(self, _, info):
        info = info.contents
        try:
            self.calls.append((self.find(info.op.decode()), json.loads(info.arguments)))
        except Exception as error:
            return LIB.tn_status_create(2, str(error).encode())
        return None

    @staticmethod
    def value(given, tensors, ints):
        if not isinstance(given, dict):
            if isinstance(given, str) and given.startswith("torch.ops."):
                return Pytorch.find_mutable(given)
            return given
        (kind, content), = given.items()
        if kind == "tensors":
            return [None if i is None else tensors[i] for i in content]
        if kind == "ints":
            return [Pytorch.value(i, tensors, ints) for i in content]
        return {"tensor": lambda: tensors[content], "int": lambda: ints[content],
                "float": lambda: float(content), "dtype": lambda: NAMES[content]}[kind]()

    @staticmethod
    def find_mutable(target):
        _, _, space, packet, overload = target.split(".")
        return getattr(getattr(getattr(torch.ops, space), packet), overload)

    def run(self, _, call):
        call = call.contents
        self.runs += 1
        try:
            op, arguments = self.calls[call.index]
            tensors = [tensor_of(call.operands[i]) for i in range(call.operand_count)]
            ints = call.ints[:call.int_count]
            values = [(a, self.value(a["value"], tensors, ints)) for a in arguments]
            results = op(*(v for a, v in values if not a["keyword"]),
                         **{a["name"]: v for a, v in values if a["keyword"]})
            if isinstance(results, (int, float)):
                results = torch.tensor(results)
            if isinstance(results, Tensor):
                results = [results]
            kept = [r if r is None else r.contiguous() for r in results]
            for i, result in enumerate(kept):
                if result is None:
                    continue
                call.results[i].data = result.data_ptr()
                for d, size in enumerate(result.shape):
                    call.results[i].shape[d] = size
            call.held = self.runs
            self.held[call.held] = kept
        except Exception as error:
            return LIB.tn_status_create(10, str(error).encode())
        return None

    def release(self, _, held):
        del self.held[held]


class Engine:
    """An engine with PyTorch behind it, called like a module of tensors."""

    def __init__(self, path):
        self.pytorch = Pytorch()
        self.env, self.engine, self.session, self.context = (ctypes.c_void_p() for _ in range(4))
        check(LIB.tn_env_create(None, ctypes.byref(self.env)))
        check(LIB.tn_engine_load(self.env, str(path).encode(), None, ctypes.byref(self.engine)))
        options = SessionOptions(ctypes.sizeof(SessionOptions), 2, 20,
                                 ctypes.pointer(self.pytorch.table))
        check(LIB.tn_session_create(self.engine, ctypes.byref(options),
                                    ctypes.byref(self.session)))
        check(LIB.tn_context_create(self.session, ctypes.byref(self.context)))

    def call_count(self):
        return LIB.tn_engine_call_count(self.engine)

    def __call__(self, *inputs):
        for i, tensor in enumerate(inputs):
            check(LIB.tn_context_set_input(self.context, ctypes.c_size_t(i),
                                           ctypes.byref(lend(tensor))))
        check(LIB.tn_context_run(self.context))
        outputs = []
        for i in range(LIB.tn_engine_output_count(self.engine)):
            output = DLTensor()
            check(LIB.tn_context_get_output(self.context, ctypes.c_size_t(i),
                                            ctypes.byref(output)))
            outputs.append(tensor_of(output).clone())
        assert not self.pytorch.held, "memory was not given back"
        return outputs

    def close(self):
        LIB.tn_context_destroy(self.context)
        LIB.tn_session_destroy(self.session)
        LIB.tn_engine_release(self.engine)
        LIB.tn_env_destroy(self.env)


# ---- models


@torch.library.custom_op("tenon_test::scale_mul", mutates_args=())
def scale_mul(x: Tensor, y: Tensor | None, sizes: list[int], *, b: float = 0.2,
              a: int = 2) -> Tensor:
    return x * b + (0 if y is None else y) * a + sum(sizes)


@scale_mul.register_fake
def _(x, y, sizes, *, b=0.2, a=2):
    return torch.empty_like(x, memory_format=torch.contiguous_format)


@torch.library.custom_op("tenon_test::add_one", mutates_args={"x"})
def add_one(x: Tensor) -> Tensor:
    x.add_(1)
    return x * 2


@add_one.register_fake
def _(x):
    return torch.empty_like(x)


class Custom(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(6, 4)

    def forward(self, x):
        y = self.fc(x).t()
        z = torch.ops.tenon_test.scale_mul(y, None, [3, x.shape[0]], b=0.5)
        w = torch.ops.tenon_test.scale_mul(z, y.relu(), [], a=3)
        return w.softmax(0), z


class Mutating(torch.nn.Module):
    def forward(self, x):
        y = x * 3
        z = torch.ops.tenon_test.add_one(y)
        return y + z


class Data(torch.nn.Module):
    """Sizes that depend on data: of outputs, of what the engine computes with, of later calls."""

    def forward(self, x, table):
        where = torch.nonzero(x > 0)
        chosen = x[x > 0]
        rows = table[where[:, 1]].exp()
        empty = torch.zeros(chosen.shape[0] + 2, 3)
        repeated = torch.repeat_interleave(table, torch.clamp(x[0].to(torch.int64), 0, 2), dim=0)
        scaled = torch.ops.tenon_test.scale_mul(chosen, None, [chosen.shape[0]])
        number = torch.clamp(x.sum(), 0, 2).to(torch.int64).item()
        torch._check(number >= 0)
        torch._check(number <= 2)
        return (where, rows, rows.softmax(0).sum(0), empty, repeated.relu(), scaled * 2,
                x[:number] * number, torch.ones(number + 1))


class Calls(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=".")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def engine(self, program, *options):
        model, path = self.folder / "model.pt2", self.folder / "model.tenon"
        torch.export.save(program, model)
        done = subprocess.run([os.environ["TENON"], "compile", model, "-o", path, *options],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        engine = Engine(path)
        self.addCleanup(engine.close)
        return engine

    def compare(self, seen, wanted):
        self.assertEqual(len(seen), len(wanted))
        for s, w in zip(seen, wanted):
            torch.testing.assert_close(s, w, rtol=1e-5, atol=1e-5)

    def test_custom_operators(self):
        rows = torch.export.Dim("rows", min=2, max=64)
        module = Custom().eval()
        program = torch.export.export(module, (torch.randn(5, 6),), dynamic_shapes=({0: rows},))
        engine = self.engine(program)
        self.assertEqual(engine.call_count(), 2)
        with torch.no_grad():
            for count in (5, 2, 64, 5):
                x = torch.randn(count, 6)
                self.compare(engine(x), module(x))
        self.assertEqual(engine.pytorch.runs, 8)

    def test_operators_that_write(self):
        """Refused as exported; right once PyTorch has made them functional."""
        program = torch.export.export(Mutating(), (torch.randn(3, 4),))
        with self.assertRaisesRegex(RuntimeError, "add_one.default writes to its arguments"):
            self.engine(program)
        engine = self.engine(program.run_decompositions())
        x = torch.randn(3, 4)
        self.compare(engine(x), [Mutating()(x)])
        self.assertEqual(engine.pytorch.runs, 1)

    def test_sizes_from_data(self):
        rows = torch.export.Dim("rows", min=2, max=16)
        module = Data()
        program = torch.export.export(module, (torch.randn(4, 3), torch.randn(3, 5)),
                                      dynamic_shapes=({0: rows}, None))
        for dialect in program, program.run_decompositions():
            for options in (), ("--codegen", "none"), ("--min-block-size", "3"):
                engine = self.engine(dialect, *options)
                self.assertGreaterEqual(engine.call_count(), 5)
                for count, shift in ((4, 0), (4, 1), (9, -1), (2, -9), (2, 9), (4, 0)):
                    x, table = torch.randn(count, 3) + shift, torch.randn(3, 5)
                    self.compare(engine(x, table), module(x, table))

    def test_bert(self):
        """A whole model, the more of it in PyTorch the more the settings say."""
        model = models.find("bert_base")
        module = models.build(model, "small", "fp32")
        example = models.inputs(model, "small", "fp32", 0)
        program = torch.export.export(module, tuple(example.values()), strict=False)
        with torch.no_grad():
            wanted = list(module(*example.values()))
        counts = []
        for options in ((), ("--executed-ops", "aten::gelu"),
                        ("--executed-ops", "aten::gelu,aten::*norm*"),
                        ("--executed-ops", "aten::linear", "--min-block-size", "3"),
                        ("--min-block-size", "1000")):
            engine = self.engine(program, *options)
            counts.append(engine.call_count())
            self.compare(engine(*example.values()), wanted)
        self.assertEqual(counts[:3], [0, 2, 7])
        self.assertTrue(13 < counts[3] < counts[4], counts)


if __name__ == "__main__":
    unittest.main()
