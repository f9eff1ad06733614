"""Operators that run in PyTorch inside of a compiled module: right results, shared memory, errors.

ctest: standard timeout=300
"""

import concurrent.futures
import threading
import unittest

import numpy
import torch
from package_models import Sum3, assert_close, eager, run_without_torch

import tenon

seen_pointers = []


@torch.library.custom_op("tenontest::scale_add", mutates_args=())
def scale_add(
    x: torch.Tensor, y: torch.Tensor, *, factor: float = 2.0, bias: int = 1
) -> torch.Tensor:
    seen_pointers.append(x.data_ptr())
    return x * factor + y + bias


@scale_add.register_fake
def _(x, y, *, factor=2.0, bias=1):
    return torch.empty_like(x)


@torch.library.custom_op("tenontest::halves", mutates_args=())
def halves(x: torch.Tensor, sizes: list[int], name: str, dtype: torch.dtype) -> list[torch.Tensor]:
    assert name == "both" and sum(sizes) == x.shape[0]
    return [part.clone().to(dtype) for part in x.split(sizes)]


@halves.register_fake
def _(x, sizes, name, dtype):
    return [x.new_empty((size, *x.shape[1:]), dtype=dtype) for size in sizes]


@torch.library.custom_op("tenontest::add_one_", mutates_args={"x"})
def add_one_(x: torch.Tensor) -> None:
    x += 1


@torch.library.custom_op("tenontest::fails", mutates_args=())
def fails(x: torch.Tensor) -> torch.Tensor:
    raise ZeroDivisionError("fails always")


@fails.register_fake
def _(x):
    return torch.empty_like(x)


class Custom(torch.nn.Module):
    def forward(self, x, y):
        a = torch.ops.tenontest.scale_add(torch.relu(x), y, factor=0.5)
        first, second = torch.ops.tenontest.halves(a, [1, x.shape[0] - 1], "both", torch.float64)
        return first.sum() + second.sum(), a + 1


class Fallback(unittest.TestCase):
    def test_custom_operators(self):
        for dims in (
            None,
            {"x": {0: torch.export.Dim.DYNAMIC}, "y": {0: torch.export.Dim.DYNAMIC}},
        ):
            x, y = torch.randn(4, 5), torch.randn(4, 5)
            compiled = tenon.compile(Custom().eval(), [x, y], dynamic_shapes=dims)
            ops = {call["op"] for call in compiled.engine.calls}
            self.assertIn("tenontest::scale_add.default", ops)
            self.assertIn("tenontest::halves.default", ops)
            self.assertIn("tenontest::scale_add", str(compiled.report))
            assert_close(compiled(x, y), eager(Custom(), x, y))
            if dims:
                x, y = torch.randn(7, 5), torch.randn(7, 5)
                assert_close(compiled(x, y), eager(Custom(), x, y))

    def test_sizes_that_depend_on_data(self):
        class Pick(torch.nn.Module):
            def forward(self, x):
                mask = x > 0
                return x[mask] * 2, mask.nonzero(), x.sum()

        x = torch.randn(5, 4)
        compiled = tenon.compile(Pick().eval(), [x])
        # All, none, some, and some again with as many as before.
        for value in (x.abs() + 1, -x.abs() - 1, x, -x, x.flip(0)):
            with self.subTest(count=int((value > 0).sum())):
                for seen, wanted in zip(compiled(value), Pick()(value), strict=True):
                    torch.testing.assert_close(seen, wanted)
        kept = compiled(x)[0]
        compiled(x + 1)
        torch.testing.assert_close(kept, x[x > 0] * 2)  # later runs leave it alone

    def test_operands_are_shared(self):
        class First(torch.nn.Module):
            def forward(self, x, y):
                return torch.ops.tenontest.scale_add(x, y) * 2

        x, y = torch.randn(4, 5), torch.randn(4, 5)
        compiled = tenon.compile(First().eval(), [x, y])
        seen_pointers.clear()
        assert_close(compiled(x, y), (x * 2 + y + 1) * 2)
        self.assertEqual(seen_pointers[0], x.data_ptr())

    def test_every_kind_of_argument(self):
        class Kinds(torch.nn.Module):
            def forward(self, x):
                clone = torch.clone(x, memory_format=torch.contiguous_format)
                filled = torch.full_like(x, float("inf"), dtype=torch.float64)
                parts = torch.cat([x, clone[:, :1]], dim=1).split([2, 4], dim=1)
                clamped = torch.clamp(x, max=0.5)
                top = torch.topk(x, 2, sorted=True)
                made = torch.arange(x.shape[1], device="cpu", dtype=torch.int32)
                return filled, parts, clamped, top[0], top[1], made, torch.std(x, 1, correction=0)

        x = torch.randn(3, 5)
        compiled = tenon.compile(Kinds().eval(), [x], executed_ops="aten::*", min_block_size=1)
        self.assertGreater(len(compiled.engine.calls), 6)
        assert_close(compiled(x), eager(Kinds(), x))

    def test_operator_that_writes(self):
        class Model(torch.nn.Module):
            def forward(self, x):
                y = x * 2
                torch.ops.tenontest.add_one_(y)
                return y + 1

        x = torch.randn(3)
        program = torch.export.export(Model().eval(), (x,))
        compiled = tenon.compile(program.run_decompositions())
        assert_close(compiled(x), x * 2 + 2)
        with self.assertRaisesRegex(tenon.UnsupportedError, "add_one_"):
            tenon.compile(program)

    def test_error_of_the_operator(self):
        class Model(torch.nn.Module):
            def forward(self, x):
                return torch.ops.tenontest.fails(x + 1) * 2

        compiled = tenon.compile(Model().eval(), [torch.randn(3)])
        for _ in range(3):
            with self.assertRaisesRegex(ZeroDivisionError, "fails always") as caught:
                compiled(torch.randn(3))
            notes = " ".join(getattr(caught.exception, "__notes__", []))
            self.assertIn("tenontest::fails", notes)

    def test_context_in_use(self):
        """A context is for one thread at a time: one that is running refuses, and stays usable."""
        x, y = torch.randn(4, 5), torch.randn(4, 5)
        compiled = tenon.compile(Custom().eval(), [x, y])
        context = compiled.engine.context()
        entered, leave = threading.Event(), threading.Event()

        class Wait:
            """An input whose package takes its time to lend its memory."""

            def __dlpack__(self, **options):
                entered.set()
                leave.wait(30)
                return x.__dlpack__(**options)

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            first = pool.submit(context.run, {"x": Wait(), "y": y})
            self.assertTrue(entered.wait(30))
            with self.assertRaisesRegex(RuntimeError, "the context is running on another thread"):
                context.run({"x": x, "y": y})
            with self.assertRaisesRegex(RuntimeError, "the context is running on another thread"):
                context.reset_state()
            leave.set()
            results = list(first.result().values())
        assert_close(results, list(eager(Custom(), x, y)))
        assert_close(list(context.run({"x": x, "y": y}).values()), results)

    def test_threads(self):
        compiled = tenon.compile(Custom().eval(), [torch.randn(4, 5)] * 2)

        def work(number):
            x = torch.full((4, 5), float(number))
            assert_close(compiled(x, x), eager(Custom(), x, x))
            return threading.get_ident()

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(60)))

    def test_save_and_load(self):
        x, y = torch.randn(4, 5), torch.randn(4, 5)
        tenon.compile(Custom().eval(), [x, y]).save("custom.tenon")
        assert_close(tenon.load("custom.tenon")(x, y), eager(Custom(), x, y))
        numpy.save("x.npy", x.numpy())
        printed = run_without_torch(
            "import tenon\n"
            "assert len(tenon.Engine('custom.tenon').calls) >= 2\n"
            "try:\n"
            "    tenon.load('custom.tenon')\n"
            "except tenon.MissingError as error:\n"
            "    print(error)\n"
        )
        self.assertIn("to PyTorch, which is not installed: ", printed)
        self.assertIn("tenontest::scale_add.default", printed)

    def test_operator_is_not_registered(self):
        tenon.compile(Custom().eval(), [torch.randn(4, 5)] * 2).save("unknown.tenon")
        import subprocess
        import sys

        script = (
            "import torch, tenon\n"
            "try: tenon.load('unknown.tenon')\n"
            "except tenon.Error as error: print(error)\n"
        )
        printed = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True
        ).stdout
        self.assertIn("PyTorch has no such operator here; import the package", printed)

    def test_nothing_may_fall_back(self):
        with self.assertRaisesRegex(tenon.UnsupportedError, "tenontest::"):
            tenon.compile(Custom().eval(), [torch.randn(4, 5)] * 2, require_full_compilation=True)

    def test_chosen_operators(self):
        x = [torch.rand(3, 8) for _ in range(3)]
        module = Sum3().eval()
        for ops in (
            "aten::mul",
            ["aten::mul.Tensor"],
            [torch.ops.aten.mul.Tensor, torch.ops.aten.linear],
        ):
            compiled = tenon.compile(module, x, executed_ops=ops)
            self.assertGreaterEqual(len(compiled.engine.calls), 1)
            assert_close(eager(compiled, *x), eager(module, *x))


if __name__ == "__main__":
    unittest.main()
