"""tenon.Engine with NumPy arrays: what it says, what it computes, contexts, state, threads.

ctest: standard timeout=300
"""

import concurrent.futures
import pathlib
import sys
import unittest

import numpy

import tenon

# What follows must not need torch.
assert "torch" not in sys.modules

from package_models import DATA, Sum3, eager, run_without_torch  # noqa: E402


class Small(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import torch

        cls.module = Sum3().eval()
        dims = {0: torch.export.Dim("rows", min=1, max=16)}
        cls.arrays = {name: numpy.random.rand(4, 8).astype("f4") for name in "xyz"}
        example = tuple(map(torch.from_numpy, cls.arrays.values()))
        cls.wanted = eager(cls.module, *example).numpy()
        compiled = tenon.compile(cls.module, example, dynamic_shapes=(dims, dims, dims))
        compiled.save("sum3.tenon")
        cls.engine = tenon.Engine("sum3.tenon", threads=2)

    def test_what_it_says(self):
        engine = self.engine
        self.assertEqual([info.name for info in engine.inputs], ["x", "y", "z"])
        self.assertEqual(engine.inputs[0].dtype, "f32")
        symbol, columns = engine.inputs[0].shape
        self.assertIsInstance(symbol, str)
        self.assertEqual(columns, 8)
        self.assertEqual(engine.inputs[0].ranges, ((1, 16), (8, 8)))
        self.assertEqual(str(engine.inputs[1]), f"y: f32[{symbol}, 8]")
        self.assertEqual(len(engine.outputs), 1)
        self.assertEqual(engine.describe("x=3x8")["inputs"][0]["sizes"], [3, 8])
        self.assertFalse(engine.has_state)
        self.assertEqual(engine.calls, [])
        self.assertIn('"tenon":1', engine.metadata)

    def test_numpy(self):
        (seen,) = self.engine.run(self.arrays).values()
        self.assertIsInstance(seen, numpy.ndarray)
        self.assertEqual((seen.dtype, seen.shape), (numpy.dtype("f4"), (4, 8)))
        numpy.testing.assert_allclose(seen, self.wanted, rtol=1e-5, atol=1e-5)

    def test_outputs_are_the_callers(self):
        (first,) = self.engine.run(self.arrays).values()
        kept = first.copy()
        (second,) = self.engine.run({k: v + 1 for k, v in self.arrays.items()}).values()
        self.assertFalse(numpy.shares_memory(first, second))
        numpy.testing.assert_array_equal(first, kept)
        self.assertFalse(numpy.allclose(first, second))

    def test_shapes_change(self):
        for rows in (1, 16, 3, 16):
            arrays = {name: numpy.resize(a, (rows, 8)) for name, a in self.arrays.items()}
            (seen,) = self.engine.run(arrays).values()
            wanted = numpy.resize(self.wanted[:4], (rows, 8))
            numpy.testing.assert_allclose(seen, wanted, rtol=1e-5, atol=1e-5)

    def test_not_contiguous_and_read_only(self):
        turned = {name: numpy.asfortranarray(array) for name, array in self.arrays.items()}
        turned["y"] = numpy.repeat(self.arrays["y"], 2, axis=0)[::2]
        turned["z"] = self.arrays["z"][::-1][::-1]
        turned["z"].flags.writeable = False
        (seen,) = self.engine.run(turned).values()
        numpy.testing.assert_allclose(seen, self.wanted, rtol=1e-5, atol=1e-5)

    def test_torch(self):
        import torch

        tensors = {name: torch.from_numpy(array) for name, array in self.arrays.items()}
        (seen,) = self.engine.run(tensors).values()
        self.assertIsInstance(seen, torch.Tensor)
        numpy.testing.assert_allclose(seen.numpy(), self.wanted, rtol=1e-5, atol=1e-5)

    def test_contexts(self):
        contexts = [self.engine.context() for _ in range(2)]
        for rows, context in zip((2, 5), contexts):
            context.run({name: numpy.ones((rows, 8), "f4") for name in "xyz"})
        self.assertGreaterEqual(*contexts[0].memory())

    def test_threads(self):
        def work(number):
            rows = 1 + number % 16
            arrays = {name: numpy.full((rows, 8), number, "f4") for name in "xyz"}
            (seen,) = self.engine.run(arrays).values()
            line = numpy.full(8, number, "f4")
            weight = self.module.linear.weight.detach().numpy()
            wanted = weight @ line + self.module.linear.bias.detach().numpy() + line * line
            numpy.testing.assert_allclose(seen, numpy.tile(wanted, (rows, 1)), rtol=1e-4, atol=1e-4)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(400)))

    def test_fresh_process_without_torch(self):
        numpy.save("x.npy", self.arrays["x"])
        printed = run_without_torch(
            "import numpy, tenon\n"
            "x = numpy.load('x.npy')\n"
            "(y,) = tenon.Engine('sum3.tenon').run({'x': x, 'y': x, 'z': x}).values()\n"
            "assert 'torch' not in sys.modules\n"
            "print(y.shape, tenon.load('sum3.tenon')(x, y=x, z=x).sum() == y.sum())"
        )
        self.assertEqual(printed, "(4, 8) True\n")

    def test_bad_feeds(self):
        import torch

        x = numpy.ones((4, 8), "f4")
        good = {"x": x, "y": x, "z": x}
        cases = [
            (
                {"x": x, "y": x},
                tenon.InvalidArgumentError,
                "input z is missing: given x, y, expected",
            ),
            ({**good, "w": x}, tenon.InvalidArgumentError, "no input is named 'w'"),
            ({**good, "y": x.astype("f8")}, ValueError, "input y: f32[s0, 8]: given dtype f64"),
            ({**good, "y": x[0]}, ValueError, "input y: f32[s0, 8]: given rank 1, expected 2"),
            ({**good, "y": x[:, :7]}, ValueError, "given shape [4, 7]"),
            ({**good, "z": x[:2]}, ValueError, "input z: dimension 0 is 2, expected 4"),
            (
                {n: numpy.ones((17, 8), "f4") for n in good},
                tenon.OutOfRangeError,
                "17, expected 1 to 16",
            ),
            (
                {**good, "z": [1, 2]},
                TypeError,
                "input z: expected an array with __dlpack__, not list",
            ),
            ({**good, "z": x.astype(object)}, ValueError, "input z: "),
            ({**good, "z": x.astype(">f4")}, ValueError, "; expected a dense array in host memory"),
            (
                {**good, "z": torch.ones(4, 8, device="meta")},
                ValueError,
                "input z: Cannot pack tensors on meta; expe",
            ),
            ({**good, "z": torch.ones(4, 8).to_sparse()}, ValueError, "input z: "),
        ]
        symbol = self.engine.inputs[0].shape[0]
        for feeds, kind, part in cases:
            with self.assertRaises(kind) as caught:
                self.engine.run(feeds)
            self.assertIn(part.replace("s0", symbol), str(caught.exception))
        (seen,) = self.engine.run(self.arrays).values()  # still good
        numpy.testing.assert_allclose(seen, self.wanted, rtol=1e-5, atol=1e-5)

    def test_bad_files(self):
        pathlib.Path("bad.tenon").write_bytes(b"TENON" * 100)
        for path, kind, part in (
            ("none.tenon", FileNotFoundError, "none.tenon"),
            ("bad.tenon", tenon.CorruptFileError, "not an engine file"),
        ):
            with self.assertRaises(kind) as caught:
                tenon.Engine(path)
            self.assertIsInstance(caught.exception, tenon.Error)
            self.assertIn(part, str(caught.exception))
        with self.assertRaises(tenon.UnsupportedError):
            tenon.Engine("sum3.tenon", allow_native_code=False)

    def test_save_replaces_or_leaves(self):
        self.engine.save("copy.tenon")
        self.assertEqual(
            pathlib.Path("copy.tenon").read_bytes(), pathlib.Path("sum3.tenon").read_bytes()
        )
        with self.assertRaises(OSError):
            self.engine.save("no/such/folder/copy.tenon")
        self.assertEqual(list(pathlib.Path(".").glob("*.tmp")), [])


class State(unittest.TestCase):
    def test_state(self):
        tenon.compile(DATA / "counter-core.pt2").save("counter.tenon")
        engine = tenon.Engine("counter.tenon")
        self.assertTrue(engine.has_state)
        feeds = {
            info.name: numpy.ones(
                [2 if s is None or isinstance(s, str) else s for s in info.shape], "f4"
            )
            for info in engine.inputs
        }
        first = engine.run(feeds)
        second = engine.run(feeds)
        self.assertTrue(any((first[name] != second[name]).any() for name in first))
        own = engine.context().run(feeds)
        engine.reset_state()
        again = engine.run(feeds)
        for name in first:
            numpy.testing.assert_array_equal(first[name], again[name])
            numpy.testing.assert_array_equal(first[name], own[name])


class Bfloat16(unittest.TestCase):
    def test_numpy_views(self):
        import ml_dtypes
        import torch

        class Twice(torch.nn.Module):
            def forward(self, x):
                return x + x

        tenon.compile(Twice().eval(), [torch.ones(3, dtype=torch.bfloat16)]).save("bf16.tenon")
        engine = tenon.Engine("bf16.tenon")
        array = numpy.array([1, 2, 3.5], ml_dtypes.bfloat16)
        (seen,) = engine.run({"x": array}).values()
        self.assertEqual(seen.dtype, array.dtype)
        numpy.testing.assert_array_equal(seen, array + array)
        (plain,) = engine.run({"x": array.view("V2")}).values()
        numpy.testing.assert_array_equal(plain.view("u2"), seen.view("u2"))
        with self.assertRaisesRegex(tenon.InvalidArgumentError, "given dtype float16"):
            engine.run({"x": array.astype("f2")})
        with self.assertRaisesRegex(tenon.InvalidArgumentError, "given dtype uint16"):
            engine.run({"x": array.view("u2")})


if __name__ == "__main__":
    unittest.main()
