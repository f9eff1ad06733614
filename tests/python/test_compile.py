"""tenon.compile: what may be given, how the result is called, what comes back.

ctest: standard timeout=300
"""

import collections
import contextlib
import io
import json
import unittest
import warnings
from unittest import mock

import numpy
import torch
import transformers
from package_models import DATA, Sum3, assert_close, eager, run_without_torch

import tenon


class Nested(torch.nn.Module):
    """Structures in and out, numbers and None among the results, defaults, keyword arguments."""

    def forward(self, x, tree, scale=2, *, offset=None, flag=True):
        first, second = tree["pair"]
        y = x * scale + first
        if offset is not None:
            y = y + offset
        return {
            "sums": (y, [second - x, None, scale]),
            "rows": x.shape[0],
            "flag": flag,
            "again": y,
        }


class GiveTree(unittest.TestCase):
    def setUp(self):
        self.x, self.a, self.b = (torch.rand(3, 4) for _ in range(3))
        self.args = (self.x, {"pair": (self.a, self.b)})

    def check(self, compiled, *args, **kwargs):
        assert_close(compiled(*args, **kwargs), eager(Nested(), *args, **kwargs))

    def test_tree(self):
        compiled = tenon.compile(Nested().eval(), self.args)
        self.check(compiled, *self.args)
        self.check(compiled, *self.args, scale=2)
        self.check(compiled, *self.args, 2, offset=None)
        self.check(compiled, tree=self.args[1], x=self.x)
        result = compiled(*self.args)
        self.assertIs(result["again"], result["sums"][0])

    def test_keyword_arguments(self):
        kwargs = {"offset": torch.rand(4), "scale": 3}
        compiled = tenon.compile(Nested().eval(), self.args, kwargs)
        self.check(compiled, *self.args, **kwargs)
        self.check(compiled, *self.args, 3, offset=kwargs["offset"])
        self.check(compiled, *self.args, offset=kwargs["offset"], scale=3, flag=True)

    def test_refused(self):
        compiled = tenon.compile(Nested().eval(), self.args, {"scale": 3})
        x, tree = self.args
        cases = [
            ((x,), {}, "argument tree is missing: the model takes x, tree, scale"),
            ((x, tree), {"scale": 4}, "argument scale: given 4, but the model was compiled for 3"),
            ((x, tree), {"scale": 3.0}, "given 3.0, but the model was compiled for 3"),
            (
                (x, tree),
                {"flag": False},
                "argument flag: given bool, but the model was compiled without",
            ),
            ((x, tree), {"other": 1}, "no argument is named 'other'"),
            ((x, tree), {"x": x}, "argument x is given twice"),
            ((x, tree, 3, None, True, 1), {}, "given 6 positional arguments, expected at most 5"),
            (
                (x, {"pair": (x,)}),
                {},
                "argument tree['pair']: given a tuple of 1 items, expected 2 items",
            ),
            (
                (x, {"pair": [x, x]}),
                {},
                "argument tree['pair']: given a list of 2 items, expected a tuple",
            ),
            (
                (x, {"par": (x, x)}),
                {},
                "argument tree: given a dict with the keys par, expected the keys",
            ),
            ((x, x), {}, "argument tree: given a Tensor, expected a dict"),
        ]
        for args, kwargs, part in cases:
            with self.assertRaises(TypeError) as caught:
                compiled(*args, **kwargs)
            self.assertIn(part, str(caught.exception))

    def test_load_without_torch(self):
        tenon.compile(Nested().eval(), self.args).save("nested.tenon")
        for name, tensor in (("x", self.x), ("a", self.a), ("b", self.b)):
            numpy.save(f"{name}.npy", tensor.numpy())
        printed = run_without_torch(
            "import json, numpy, tenon\n"
            "x, a, b = (numpy.load(f'{n}.npy') for n in 'xab')\n"
            "r = tenon.load('nested.tenon')(x, {'pair': (a, b)})\n"
            "assert numpy.allclose(r['sums'][0], x * 2 + a) and type(r['sums']) is tuple\n"
            "assert r['again'] is r['sums'][0] and isinstance(r['again'], numpy.ndarray)\n"
            "print(json.dumps([r['sums'][1][1:], r['rows'], r['flag'], list(r)]))"
        )
        wanted = [[None, 2], 3, True, ["sums", "rows", "flag", "again"]]
        self.assertEqual(json.loads(printed), wanted)


class Containers(torch.nn.Module):
    def forward(self, x):
        ordered = collections.OrderedDict(b=x + 1, a=x - 1)
        return ordered, collections.deque([x], maxlen=3), collections.defaultdict(list, k=x * 2), ()


class Kinds(unittest.TestCase):
    """What compile() takes."""

    def setUp(self):
        self.module = Sum3().eval()
        self.tensors = [torch.rand(3, 8) for _ in range(3)]
        self.wanted = eager(self.module, *self.tensors)

    def test_module_program_and_path(self):
        program = torch.export.export(self.module, tuple(self.tensors))
        torch.export.save(program, "sum3.pt2")
        for compiled in (
            tenon.compile(self.module, self.tensors),
            tenon.compile(program),
            tenon.compile("sum3.pt2"),
        ):
            self.assertIsInstance(compiled, tenon.Module)
            self.assertIsInstance(compiled, torch.nn.Module)
            assert_close(eager(compiled, *self.tensors), self.wanted)
            x, y, z = self.tensors
            assert_close(eager(compiled, x, z=z, y=y), self.wanted)

    def test_path_without_torch(self):
        torch.export.save(torch.export.export(self.module, tuple(self.tensors)), "path.pt2")
        numpy.save("in.npy", self.tensors[0].numpy())
        printed = run_without_torch(
            "import numpy, tenon\n"
            "x = numpy.load('in.npy')\n"
            "print(tenon.compile('path.pt2')(x, x, x).dtype)"
        )
        self.assertEqual(printed, "float32\n")

    def test_numpy_in_numpy_out(self):
        compiled = tenon.compile(self.module, self.tensors)
        seen = compiled(*[tensor.numpy() for tensor in self.tensors])
        self.assertIsInstance(seen, numpy.ndarray)
        assert_close(torch.from_numpy(seen), self.wanted)

    def test_inputs_described(self):
        ranged = tenon.Input(
            min_shape=(1, 8), opt_shape=(4, 8), max_shape=(6, 8), dtype=torch.float32
        )
        compiled = tenon.compile(self.module, [ranged, ranged, ranged])
        self.assertEqual(compiled.engine.inputs[2].ranges, ((1, 6), (8, 8)))
        for count in (1, 5, 6):
            tensors = [torch.rand(count, 8) for _ in range(3)]
            assert_close(eager(compiled, *tensors), eager(self.module, *tensors))
        with self.assertRaisesRegex(tenon.OutOfRangeError, "is 7, expected 1 to 6"):
            compiled(*[torch.rand(7, 8)] * 3)
        fixed = tenon.compile(self.module, [tenon.Input((2, 8))] * 3)
        self.assertEqual(fixed.engine.inputs[0].shape, (2, 8))

    def test_inputs_refused(self):
        for arguments, part in (
            ({"name": "x"}, "Input x: give either shape, or min_shape and max_shape"),
            ({"shape": (1,), "min_shape": (1,)}, "give either shape"),
            ({"min_shape": (1,)}, "max_shape is missing"),
            ({"min_shape": (4,), "max_shape": (2,)}, "expected one rank and min <= opt <= max"),
            ({"min_shape": (4, 1), "max_shape": (4,)}, "expected one rank"),
            (
                {"shape": (1,), "dtype": "float17"},
                "dtype 'float17' is not known; there are float64",
            ),
        ):
            with self.assertRaises(tenon.InvalidArgumentError) as caught:
                tenon.Input(**arguments)
            self.assertIn(part, str(caught.exception))
        fixed = tenon.Input(min_shape=(1, 7), max_shape=(1, 9))  # Linear wants 8
        with self.assertRaises(tenon.ExportError) as caught:
            tenon.compile(self.module, [fixed] * 3)
        self.assertIsNotNone(caught.exception.__cause__)

    def test_containers(self):
        x = torch.rand(2)
        wanted = Containers()(x)
        compiled = tenon.compile(Containers().eval(), [x])
        assert_close(compiled(x)[0], wanted[0])
        self.assertEqual(compiled(x)[1].maxlen, 3)
        self.assertEqual(compiled(x)[2].default_factory, list)
        self.assertEqual(compiled(x)[3], ())

    def test_training_mode(self):
        module = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Dropout(0.5))
        module[0].eval()
        x = torch.rand(2, 8)
        with self.assertWarnsRegex(UserWarning, "in training mode; it is compiled as in eval mode"):
            compiled = tenon.compile(module, [x])
        self.assertTrue(module.training and module[1].training and not module[0].training)
        assert_close(eager(compiled, x), eager(module.eval(), x))

    def test_gradients(self):
        compiled = tenon.compile(self.module, [t.clone().requires_grad_() for t in self.tensors])
        x, y, z = self.tensors
        with self.assertWarnsRegex(UserWarning, "requires gradients"):
            seen = compiled(x.clone().requires_grad_(), y, z)
        self.assertFalse(seen.requires_grad)
        assert_close(seen, self.wanted)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled(x.clone().requires_grad_(), y, z)  # once is enough

    def test_hooks_run(self):
        compiled = tenon.compile(self.module, self.tensors)
        compiled.register_forward_hook(lambda module, args, result: result * 0)
        self.assertEqual(compiled(*self.tensors).abs().max(), 0)

    def test_no_inputs(self):
        class Constant(torch.nn.Module):
            def forward(self):
                return torch.arange(3) + 1

        assert_close(tenon.compile(Constant().eval())(), torch.arange(3) + 1)


class Transformers(unittest.TestCase):
    def setUp(self):
        config = transformers.BertConfig(
            vocab_size=99,
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
        )
        torch.manual_seed(0)
        self.model = transformers.BertModel(config).eval()
        self.ids = torch.randint(0, 99, (2, 7))
        self.mask = torch.ones(2, 7, dtype=torch.long)

    def test_model_output(self):
        inputs = {"input_ids": self.ids, "attention_mask": self.mask}
        compiled = tenon.compile(self.model, kwarg_inputs=inputs)
        wanted = eager(self.model, **inputs)
        assert_close(compiled(**inputs), wanted)
        assert_close(compiled(self.ids, self.mask), wanted)
        assert_close(compiled(self.ids, attention_mask=self.mask), wanted)
        compiled.save("bert.tenon")
        numpy.save("ids.npy", self.ids.numpy())
        printed = run_without_torch(
            "import numpy, tenon\n"
            "ids = numpy.load('ids.npy')\n"
            "out = tenon.load('bert.tenon')(input_ids=ids, attention_mask=numpy.ones_like(ids))\n"
            "print(type(out).__name__, out.last_hidden_state.shape, out['pooler_output'].shape)"
        )
        self.assertEqual(printed, "Fields (2, 7, 32) (2, 32)\n")


class Writes(torch.nn.Module):
    """Keeps a state, changes one input and returns it, returns another untouched."""

    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(3))

    def forward(self, x, y, z):
        self.total += x
        y.mul_(2)
        return self.total * 1, y, z, z.view(-1)


class Mutation(unittest.TestCase):
    def check(self, compiled, model):
        for step in range(3):
            x, y, z = (torch.full((3,), float(step + k)) for k in (1, 2, 3))
            x2, y2, z2 = x.clone(), y.clone(), z.clone()
            seen, wanted = compiled(x, y, z), model(x2, y2, z2)
            assert_close(seen, wanted)
            assert_close((x, y, z), (x2, y2, z2))
            self.assertIs(seen[1], y)
            self.assertIs(seen[2], z)

    def test_module_and_functional_program(self):
        args = tuple(torch.ones(3) for _ in range(3))
        program = torch.export.export(Writes(), args)
        for dialect in (Writes().eval(), program, program.run_decompositions()):
            with torch.no_grad():
                compiled = (
                    tenon.compile(dialect, args)
                    if isinstance(dialect, torch.nn.Module)
                    else tenon.compile(dialect)
                )
                self.assertTrue(compiled.engine.has_state)
                self.check(compiled, Writes())
                compiled.reset_state()
                self.check(compiled, Writes())

    def test_not_contiguous(self):
        compiled = tenon.compile(Writes().eval(), [torch.ones(3)] * 3)
        base = torch.ones(3, 2)
        y = base[:, 1]
        result = compiled(torch.ones(3), y, torch.ones(3))[1]
        self.assertIs(result, y)
        assert_close(base, torch.tensor([[1.0, 2.0]] * 3))

    def test_numpy(self):
        compiled = tenon.compile(Writes().eval(), [torch.ones(3)] * 3)
        x, y, z = (numpy.ones(3, "f4") for _ in range(3))
        self.assertIs(compiled(x, y, z)[1], y)
        self.assertEqual(y.tolist(), [2, 2, 2])


class Settings(unittest.TestCase):
    def setUp(self):
        self.module = Sum3().eval()
        self.tensors = [torch.rand(3, 8) for _ in range(3)]

    def refuse(self, kind, part, **settings):
        with self.assertRaises(kind) as caught:
            tenon.compile(self.module, self.tensors, **settings)
        self.assertIn(part, str(caught.exception))
        return caught.exception

    def test_refused(self):
        wrong = tenon.InvalidArgumentError
        self.refuse(
            wrong,
            "unknown setting 'min_blok_size'; the nearest is 'min_block_size'",
            min_blok_size=2,
        )
        self.refuse(wrong, "the nearest is 'executed_ops'", torch_executed_ops=["aten::add"])
        self.refuse(
            tenon.UnsupportedError,
            "setting precision has no meaning in this version",
            precision="bf16",
        )
        self.refuse(
            TypeError,
            "setting min_block_size: given [1] (list), expected an int",
            min_block_size=[1],
        )
        self.refuse(
            TypeError, "setting require_full_compilation: given 1 (int)", require_full_compilation=1
        )
        self.refuse(TypeError, "setting executed_ops: given {} (dict)", executed_ops={})
        self.refuse(TypeError, "setting ranges['s0']: given 3", ranges={"s0": 3})
        self.refuse(
            TypeError, "setting target: given {'cpu'} (set), expected a str", target={"cpu"}
        )
        self.refuse(TypeError, "progress: given a int", progress=3)
        self.refuse(wrong, "target", target="tpu:v1")
        self.refuse(tenon.NotFoundError, "aten::nothing", executed_ops="aten::nothing")
        self.refuse(tenon.ToolchainError, "no-such-compiler", compiler="no-such-compiler")
        with self.assertRaisesRegex(wrong, "an exported program has its own"):
            tenon.compile("some.pt2", [torch.ones(1)])
        with self.assertRaisesRegex(TypeError, "model: given a int, expected a torch.nn.Module"):
            tenon.compile(3)
        with self.assertRaisesRegex(TypeError, "inputs: given a Tensor, expected a tuple or list"):
            tenon.compile(self.module, torch.ones(3, 8))
        with self.assertRaisesRegex(FileNotFoundError, "no.pt2"):
            tenon.compile("no.pt2")

    def test_export_fails(self):
        class Branches(torch.nn.Module):
            def forward(self, x):
                return x + 1 if x.sum() > 0 else x

        with self.assertRaises(tenon.ExportError) as caught:
            tenon.compile(Branches().eval(), [torch.rand(3)])
        self.assertIn("torch.export could not export Branches", str(caught.exception))
        self.assertIn("torch", type(caught.exception.__cause__).__module__)

    def test_progress(self):
        seen = []
        tenon.compile(self.module, self.tensors, progress=lambda f, what: seen.append((f, what)))
        fractions = [fraction for fraction, _ in seen]
        self.assertEqual(fractions, sorted(fractions))
        self.assertTrue(len(seen) > 2 and all(what for _, what in seen))
        with self.assertRaises(tenon.CancelledError):
            tenon.compile(self.module, self.tensors, progress=lambda f, what: f < 0.1)

        shown = io.StringIO()
        with mock.patch("tenon._compile._BAR_DELAY_S", 0), contextlib.redirect_stderr(shown):
            tenon.compile(self.module, self.tensors, progress=False)
            tenon.compile(self.module, self.tensors)  # no terminal
            self.assertNotIn("%", shown.getvalue())
            tenon.compile(self.module, self.tensors, progress=True)
        self.assertIn("done: 100%", shown.getvalue())

        def fail(fraction, what):
            raise ZeroDivisionError("of the callback")

        with self.assertRaisesRegex(ZeroDivisionError, "of the callback"):
            tenon.compile(self.module, self.tensors, progress=fail)

    def test_report(self):
        report = tenon.compile(
            self.module, self.tensors, dryrun=True, executed_ops=[torch.ops.aten.mul]
        )
        self.assertIsInstance(report, tenon.Report)
        self.assertEqual([node["op"] for node in report.fallbacks], ["aten::mul.Tensor"])
        text = str(report)
        for part in ("3 nodes, 2 in the engine (66.7%)", "x: f32[3, 8]", "aten::mul.Tensor"):
            self.assertIn(part, text)


if __name__ == "__main__":
    unittest.main()
