"""tenon.onnx_backend answers as onnx.backend.base asks. The library has no reader for ONNX yet, so
models are refused; when it has one, the first test is to be replaced by ONNX's own suite.

ctest: standard
"""

import unittest

import numpy
import onnx
from onnx import TensorProto, helper

import tenon
from tenon import onnx_backend

FLOATS = {"elem_type": TensorProto.FLOAT, "shape": [2]}


def double():
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "double",
        [helper.make_tensor_value_info("x", **FLOATS)],
        [helper.make_tensor_value_info("y", **FLOATS)],
    )
    return helper.make_model(graph)


class Backend(unittest.TestCase):
    def test_models_are_refused(self):
        self.assertFalse(onnx_backend.is_compatible(double()))
        with self.assertRaisesRegex(tenon.UnsupportedError, "cannot compile this ONNX model"):
            onnx_backend.prepare(double())
        with self.assertRaises(NotImplementedError):
            onnx_backend.run_model(double(), [numpy.ones(2, "f4")])

    def test_what_is_no_model(self):
        broken = double()
        broken.graph.node[0].op_type = "NoSuchOperator"
        with self.assertRaises(onnx.checker.ValidationError):
            onnx_backend.prepare(broken)

    def test_devices(self):
        self.assertTrue(onnx_backend.supports_device("CPU"))
        self.assertFalse(onnx_backend.supports_device("CUDA:1"))
        self.assertFalse(onnx_backend.is_compatible(double(), "CUDA"))
        with self.assertRaisesRegex(tenon.UnsupportedError, "device 'CUDA': expected 'CPU'"):
            onnx_backend.prepare(double(), "CUDA")

    def test_settings(self):
        with self.assertRaisesRegex(tenon.InvalidArgumentError, "the nearest is 'codegen'"):
            onnx_backend.prepare(double(), codgen="none")


if __name__ == "__main__":
    unittest.main()
