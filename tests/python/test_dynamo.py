"""torch.compile(backend="tenon"): what PyTorch promises of a compiled function holds.

Each case runs in eager PyTorch and compiled, on copies of the same arguments, and the two must
agree in values, dtypes, strides and storage offsets, in what they did to their arguments, and in
which results share memory with which arguments and results. Unless a case says otherwise, every
graph must have become an engine: a silent fall back to PyTorch would agree, too.

ctest: standard timeout=300
"""

import contextlib
import copy
import gc
import threading
import unittest
import unittest.mock
import warnings

import torch
from torch import nn
from torch.utils._pytree import tree_flatten

from tenon import dynamo


class Watch:
    """Counts engines, notes the graphs that they are of, and keeps tenon's warnings."""

    def __enter__(self):
        self.engines = 0
        self.graphs = set()
        compile_engine = dynamo.Graph.compile

        def counted(graph, weights):
            self.engines += 1
            self.graphs.add(graph)
            return compile_engine(graph, weights)

        self._stack = contextlib.ExitStack()
        self._stack.enter_context(
            unittest.mock.patch.object(dynamo.Graph, "compile", counted)
        )
        self._all = self._stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        return self

    def __exit__(self, *details):
        return self._stack.__exit__(*details)

    @property
    def warnings(self):
        return [str(w.message) for w in self._all if str(w.message).startswith("tenon: ")]


def sharing(tensors):
    """The pairs of tensors that share memory."""
    places = [tensor.untyped_storage().data_ptr() for tensor in tensors]
    count = len(tensors)
    return {(i, j) for i in range(count) for j in range(i) if places[i] == places[j] != 0}


class Case(unittest.TestCase):
    def setUp(self):
        torch._dynamo.reset()
        self.enterContext(torch.no_grad())
        self.watch = self.enterContext(Watch())
        torch.manual_seed(0)

    def assert_same(self, seen, wanted):
        """Two lists of results and arguments agree in everything that can be observed."""
        seen, seen_form = tree_flatten(seen)
        wanted, wanted_form = tree_flatten(wanted)
        self.assertEqual(seen_form, wanted_form)
        for left, right in zip(seen, wanted):
            self.assertIs(type(left), type(right))
            if not isinstance(right, torch.Tensor):
                self.assertEqual(left, right)
                continue
            torch.testing.assert_close(left, right, equal_nan=True)
            self.assertEqual(left.stride(), right.stride())
            self.assertEqual(left.storage_offset(), right.storage_offset())
            self.assertEqual(left.requires_grad, right.requires_grad)
        tensors = [value for value in seen if isinstance(value, torch.Tensor)]
        originals = [value for value in wanted if isinstance(value, torch.Tensor)]
        self.assertEqual(sharing(tensors), sharing(originals))

    def check(self, function, *calls, engines=1, warned=0, **options):
        """Calls the compiled function with each tuple of arguments as eager PyTorch would."""
        compiled = torch.compile(copy.deepcopy(function), backend="tenon", **options)
        for arguments in calls:
            given = copy.deepcopy(arguments)
            state = torch.get_rng_state()
            wanted = function(*arguments)
            torch.set_rng_state(state)
            self.assert_same([compiled(*given), given], [wanted, arguments])
        self.assertEqual(len(self.watch.warnings), warned, self.watch.warnings)
        self.assertEqual(self.watch.engines, engines)
        return compiled


class Mutates(nn.Module):
    """A module that counts its calls in a buffer."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return self.linear(x) * self.calls


class Layer(nn.Module):
    """A layer that is compiled by itself."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return self.linear(x).relu()


class Arguments(Case):
    def test_mutated(self):
        def function(x, y):
            x.add_(1)
            y[0] = x.sum(0)
            return x * y

        self.check(function, (torch.randn(3, 4), torch.randn(3, 4)))

    def test_mutated_views_of_one_tensor(self):
        """AOTAutograd traces these as views of one tensor, whose size it only estimates: what the
        engine refuses at run time, PyTorch runs."""

        def function(x, y):
            x.mul_(2)
            return x.sum() + y

        def calls():
            for _ in range(2):
                base = torch.randn(6, 4)
                yield base[:3], base[2:5]

        self.check(function, *calls(), warned=1)

    def test_mutated_buffer(self):
        module = Mutates()
        compiled = self.check(module, (torch.randn(2, 4),), (torch.randn(2, 4),))
        self.assertEqual(compiled.calls, 2)

    def test_the_same_twice(self):
        x = torch.randn(3, 4)
        self.check(lambda x, y: x @ y.T + y[0, 0], (x, x))

    def test_the_same_twice_mutated(self):
        def function(x, y):
            x.add_(1)
            return y * 2

        x = torch.randn(3, 4)
        self.check(function, (x, x))

    def test_not_contiguous(self):
        base = torch.randn(4, 6, 5)
        views = (
            base.transpose(0, 2),
            base[:, ::2],
            base[1:2].expand(4, 6, 5),
            base.permute(2, 0, 1),
        )
        for view in views:
            with self.subTest(strides=view.stride()):
                torch._dynamo.reset()
                self.watch.engines = 0
                self.check(lambda x: (x.exp(), x + 1, x.sum(1)), (view,))

    def test_channels_last(self):
        module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1)).eval()
        module.to(memory_format=torch.channels_last)
        x = torch.randn(2, 3, 9, 9).to(memory_format=torch.channels_last)
        self.check(module, (x,))

    def test_kinds_of_elements(self):
        def function(i, b, u, s, d):
            return i * 2 + s, b & (i > 0), u.float() * d, torch.where(b, i, s), d.half()

        arguments = (
            torch.arange(-3, 3),
            torch.tensor([True, False] * 3),
            torch.arange(6, dtype=torch.uint8),
            torch.tensor(5),
            torch.tensor(0.5, dtype=torch.float64),
        )
        self.check(function, arguments)

    def test_sizes_0_and_1(self):
        self.check(
            lambda x: (x + 1, x.sum(0), x.T),
            (torch.randn(0, 4),),
            (torch.randn(1, 4),),
            (torch.randn(1, 1),),
            engines=3,
            dynamic=False,
        )

    def test_numbers(self):
        """Numbers are constants at first; one that changes becomes an argument."""

        def function(x, start, scale):
            return x[start : start + 2] * scale, x * start

        x = torch.randn(40, 3)
        calls = [(x, start, scale) for start, scale in ((2, 0.5), (3, 0.25), (7, 1.5), (30, 9.0))]
        self.check(function, *calls, engines=2)

    def test_negative_numbers(self):
        """They are no lengths, so PyTorch runs the graph that Dynamo makes for them."""

        def function(x, number):
            return x * number, x[number:]

        compiled = torch.compile(function, backend="tenon")
        x = torch.randn(9, 3)
        for number in (2, 3, -2, 0, 1, -3, 4, -5):
            self.assert_same(compiled(x, number), function(x, number))
        self.assertEqual(len(self.watch.warnings), 1, self.watch.warnings)
        self.assertIn("negative", self.watch.warnings[0])

    def test_requires_grad_but_not_now(self):
        x = torch.randn(3, requires_grad=True)
        self.check(lambda x: x * 2, (x,))

    def test_inference_mode(self):
        module = nn.Linear(3, 3)
        with torch.inference_mode():
            self.check(module, (torch.randn(2, 3),))


class Results(Case):
    def test_views_of_arguments(self):
        self.check(lambda x: (x.T, x[1], x.view(-1)[2:], x, x * 2), (torch.randn(3, 4),))

    def test_views_of_a_mutated_argument(self):
        def function(x):
            x.mul_(2)
            return x[1:], x.T, x.sum()

        self.check(function, (torch.randn(3, 4),))

    def test_views_of_each_other(self):
        def function(x):
            y = x.exp()
            return y, y.T, y[1], y.unbind(1)[1], y.detach(), y.split(2)

        self.check(function, (torch.randn(4, 3),))

    def test_views_of_a_hidden_tensor(self):
        def function(x):
            y = x.exp()
            return y[:2], y[1:]

        self.check(function, (torch.randn(4, 3),))

    def test_order_in_memory(self):
        def function(x):
            turned = x.permute(2, 0, 1)
            return turned + 1, turned.exp().transpose(0, 1), x.mT * 2

        self.check(function, (torch.randn(2, 3, 4),))

    def test_none_and_numbers(self):
        self.check(
            lambda x: {"none": None, "tensor": x * 2, "int": x.shape[0] + 1, "list": [1.5, "text"]},
            *[(torch.randn(n, 2),) for n in (3, 5, 7)],
            dynamic=True,
        )

    def test_one_tensor_twice(self):
        def function(x):
            y = x + 1
            return y, y

        compiled = self.check(function, (torch.randn(3),))
        self.assertIs(*compiled(torch.randn(3)))

    def test_fresh_at_each_call(self):
        compiled = torch.compile(lambda x: x * 2, backend="tenon")
        first = compiled(torch.ones(4))
        compiled(torch.zeros(4))
        torch.testing.assert_close(first, torch.full((4,), 2.0))

    def test_nothing_to_compute(self):
        self.check(lambda x: (x, x.T, x.shape[0]), (torch.randn(3, 4),), engines=0)

    def test_constants(self):
        table = [[1, 2], [3, 4]]
        self.check(lambda x: (x + torch.tensor(table), torch.ones(2), torch.arange(3)),
                   (torch.randn(2, 2),))


class Shapes(Case):
    def mlp(self):
        return nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 3)).eval()

    def test_automatic(self):
        """The first size is compiled as it is, the second one makes the dimension dynamic."""
        calls = [(torch.randn(n, 4),) for n in (3, 5, 9, 100)]
        self.check(self.mlp(), *calls, engines=2)

    def test_dynamic(self):
        calls = [(torch.randn(n, 4),) for n in (3, 5, 9, 100)]
        self.check(self.mlp(), *calls, dynamic=True)

    def test_marked(self):
        def marked(rows):
            x = torch.randn(rows, 4)
            torch._dynamo.mark_dynamic(x, 0, min=2, max=64)
            return (x,)

        compiled = torch.compile(self.mlp(), backend="tenon")
        module = compiled._orig_mod
        for rows in (3, 5, 64):
            (x,) = marked(rows)
            torch.testing.assert_close(compiled(x), module(x))
        self.assertEqual((self.watch.engines, self.watch.warnings), (1, []))

    def test_sizes_in_expressions(self):
        def function(x, y):
            z = torch.cat([x, y]).reshape(-1, 2)
            return z * x.shape[0], z.new_zeros(y.shape[0] * 2), torch.arange(x.shape[0] // 2)

        calls = [(torch.randn(m, 4), torch.randn(n, 4)) for m, n in ((5, 7), (6, 9), (10, 3))]
        self.check(function, *calls, dynamic=True)

    def test_argument_whose_size_is_an_expression(self):
        def function(x, y):
            return torch.cat([x, x]) + y

        calls = [(torch.randn(n, 4), torch.randn(2 * n, 4)) for n in (3, 5)]
        self.check(function, *calls, dynamic=True)


class Control(Case):
    def test_graph_break(self):
        def function(x):
            y = x.exp()
            torch._dynamo.graph_break()
            return y + x

        self.check(function, (torch.randn(3),), engines=2)

    def test_branch_on_data(self):
        def function(x):
            return x * 2 if x.sum() > 0 else x - 1

        self.check(function, (torch.ones(3),), (-torch.ones(3),), engines=3)

    def test_guards(self):
        module = nn.Linear(3, 3)
        module.sign = 1

        def function(x):
            return module(x) * module.sign

        compiled = torch.compile(function, backend="tenon")
        for module.sign in (1, -1, 1):
            x = torch.randn(2, 3)
            torch.testing.assert_close(compiled(x), function(x))
        x = torch.randn(2, 3, dtype=torch.float64)
        module.double()
        torch.testing.assert_close(compiled(x), function(x))
        self.assertEqual((self.watch.engines, self.watch.warnings), (3, []))

    def test_threads(self):
        module = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
        compiled = torch.compile(module, backend="tenon", dynamic=True)
        compiled(torch.randn(3, 16))  # Dynamo compiles once for each thread that comes too early
        failures = []

        def work(seed):
            draw = torch.Generator().manual_seed(seed)
            with torch.no_grad():
                for _ in range(50):
                    x = torch.randn(int(torch.randint(2, 9, (), generator=draw)), 16)
                    try:
                        torch.testing.assert_close(compiled(x), module(x))
                    except Exception as failure:
                        failures.append(failure)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual((self.watch.engines, self.watch.warnings), (1, []))


class Weights(Case):
    def setUp(self):
        super().setUp()
        self.module = nn.Linear(4, 3)
        self.compiled = torch.compile(self.module, backend="tenon")
        self.check_weights(1)

    def check_weights(self, engines):
        x = torch.randn(2, 4)
        torch.testing.assert_close(self.compiled(x), self.module(x))
        self.assertEqual((self.watch.engines, self.watch.warnings), (engines, []))

    def test_unchanged(self):
        self.check_weights(1)

    def test_changed_in_place(self):
        self.module.weight.mul_(2)
        self.check_weights(1)  # the first call after a change runs in PyTorch
        self.check_weights(2)
        self.check_weights(2)

    def test_loaded(self):
        self.module.load_state_dict(nn.Linear(4, 3).state_dict())
        self.check_weights(1)
        self.check_weights(2)

    def test_replaced(self):
        self.module.weight.data = torch.randn(3, 4)
        self.check_weights(1)
        self.check_weights(2)
        self.module.weight = nn.Parameter(torch.randn(3, 4))
        self.check_weights(2)
        self.check_weights(3)

    def test_one_graph_for_several_modules(self):
        layers = [Layer() for _ in range(3)]
        for layer in layers:
            layer.compile(backend="tenon")
        for _ in range(3):
            for layer in layers:
                x = torch.randn(2, 4)
                torch.testing.assert_close(layer(x), layer._call_impl(x))
        self.assertEqual((self.watch.engines, self.watch.warnings), (1 + len(layers), []))

    def test_forgotten_with_the_module(self):
        (graph,) = self.watch.graphs
        self.assertEqual(len(graph.engines), 1)
        del self.module, self.compiled
        gc.collect()
        self.assertEqual(len(graph.engines), 0)


class InPyTorch(Case):
    def test_gradients(self):
        """Training runs in PyTorch, with one warning, and gradients are right."""
        module = nn.Linear(4, 3)
        twin = copy.deepcopy(module)
        compiled = torch.compile(module, backend="tenon")
        with torch.enable_grad():
            for _ in range(2):
                x = torch.randn(2, 4)
                compiled(x).square().sum().backward()
                twin(x).square().sum().backward()
        self.assert_same([p.grad for p in module.parameters()], [p.grad for p in twin.parameters()])
        self.assertEqual(self.watch.engines, 0)
        self.assertEqual(len(self.watch.warnings), 1, self.watch.warnings)
        self.assertIn("gradients", self.watch.warnings[0])

    def test_no_grad_inside(self):
        """A model that turns gradients off itself is compiled."""
        module = nn.Linear(4, 3)
        compiled = torch.compile(torch.no_grad()(module.forward), backend="tenon")
        with torch.enable_grad():
            x = torch.randn(2, 4)
            torch.testing.assert_close(compiled(x), module(x))
        self.assertEqual((self.watch.engines, self.watch.warnings), (1, []))

    def test_dropout(self):
        module = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 4))
        self.check(module.eval(), (torch.randn(2, 4),))
        torch._dynamo.reset()
        self.check(module.train(), (torch.randn(2, 4),), engines=1, warned=1)
        self.assertIn("training", self.watch.warnings[0])

    def test_random(self):
        """Numbers drawn are those that eager PyTorch draws from the same state."""
        self.check(lambda x: (x + torch.rand(3), torch.randn_like(x)), (torch.randn(3),))

    def test_custom_op(self):
        with torch.library._scoped_library("tenon_test", "FRAGMENT") as library:
            library.define("twice(Tensor x) -> Tensor")
            library.impl("twice", lambda x: x * 2, "CPU")
            torch.library.register_fake("tenon_test::twice", torch.empty_like, lib=library)
            twice = torch.ops.tenon_test.twice
            self.check(lambda x: twice(x.exp()).sin(), (torch.randn(3),))

    def test_branches(self):
        """A graph with subgraphs."""

        def function(x):
            return torch.cond(x.sum() > 0, lambda x: x + 1, lambda x: x - 1, (x.exp(),))

        self.check(function, (torch.ones(3),), (-torch.ones(3),), warned=1)
        self.assertIn("cond", self.watch.warnings[0])

    def test_grouped_attention(self):
        def function(q, k):
            return nn.functional.scaled_dot_product_attention(q, k, k, enable_gqa=True)

        self.check(function, (torch.randn(2, 6, 4, 8), torch.randn(2, 2, 4, 8)))

    def test_numbers_from_data(self):
        """By default Dynamo ends its graph there; told not to, it gives one graph."""
        x = torch.tensor([1.0, 0, 2])
        self.check(lambda x: x.exp() + x.sum().item(), (x,), engines=2)
        torch._dynamo.reset()
        self.enterContext(torch._dynamo.config.patch("capture_scalar_outputs", True))
        self.check(lambda x: x.exp() + x.sum().item(), (x,), engines=3)

    def test_sizes_from_data(self):
        for is_captured in (False, True):
            torch._dynamo.reset()
            with torch._dynamo.config.patch("capture_dynamic_output_shape_ops", is_captured):
                compiled = torch.compile(lambda x: (x * 2).nonzero() * 2, backend="tenon")
                for x in (torch.tensor([1.0, 0, 2]), torch.zeros(3)):
                    torch.testing.assert_close(compiled(x), (x * 2).nonzero() * 2)

    def test_autocast(self):
        module = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 4))
        with torch.autocast("cpu", torch.bfloat16):
            compiled = self.check(module, (torch.randn(2, 8),))
            self.assertEqual(compiled(torch.randn(2, 8)).dtype, torch.bfloat16)
        compiled = self.check(module, (torch.randn(2, 8),), engines=2)
        self.assertEqual(compiled(torch.randn(2, 8)).dtype, torch.float32)

    def test_complex(self):
        """What no engine takes runs in PyTorch."""
        x = torch.randn(3, dtype=torch.complex64)
        self.check(lambda x: x * 2, (x,), (x,), warned=1)

    def test_negative_bit(self):
        """A conjugate's imaginary part is stored with the other sign."""
        x = torch.randn(1, dtype=torch.complex64).conj().imag
        compiled = torch.compile(lambda x: x + 1, backend="tenon")
        torch.testing.assert_close(compiled(x), x + 1)
        self.assertEqual((self.watch.engines, len(self.watch.warnings)), (0, 1))

    def test_index_out_of_range(self):
        """Bad data is PyTorch's error, and the engine stays."""
        table = nn.Embedding(4, 3)
        compiled = torch.compile(table, backend="tenon")
        with self.assertRaises(IndexError):
            compiled(torch.tensor([1, 5]))
        index = torch.tensor([1, 3])
        torch.testing.assert_close(compiled(index), table(index))
        self.assertEqual((self.watch.engines, self.watch.warnings), (1, []))

    def test_other_device(self):
        compiled = torch.compile(lambda x: x.exp() * 2, backend="tenon")
        self.assertEqual(compiled(torch.ones(3, device="meta")).device.type, "meta")
        self.assertEqual((self.watch.engines, len(self.watch.warnings)), (0, 1))
        self.assertIn("meta", self.watch.warnings[0])


class Options(Case):
    def test_unknown(self):
        compiled = torch.compile(lambda x: x + 1, backend="tenon", options={"min_blok_size": 3})
        with self.assertRaisesRegex(Exception, "min_blok_size.*min_block_size"):
            compiled(torch.ones(2))

    def test_executed_ops(self):
        """They hold for the graphs that have them."""

        def function(x):
            y = x.exp().sin()
            torch._dynamo.graph_break()
            return y.cos()

        options = {"executed_ops": ["aten::sin", "aten::*oftmax"]}
        self.check(function, (torch.randn(3),), options=options, engines=2)

    def test_require_full_compilation(self):
        compiled = torch.compile(
            lambda x: x * 2, backend="tenon", options={"require_full_compilation": True}
        )
        with self.assertRaisesRegex(Exception, "complex"):
            compiled(torch.randn(3, dtype=torch.complex64))
        torch.testing.assert_close(compiled(torch.ones(3)), torch.full((3,), 2.0))


if __name__ == "__main__":
    unittest.main()
