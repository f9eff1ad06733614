"""The command: every subcommand, its exit codes, its messages for bad input, its JSON.

ctest: standard timeout=120
"""
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import unittest

import numpy

TENON = os.environ["TENON"]
DEMO = pathlib.Path(os.environ["TENON_TESTS"], "..", "examples", "demo")

MODEL = """graph adder {
 symbol s0 in [2, 8]
 input %x: f32[s0, 3]
 input %y: f32[s0, 3]
 %0: f32[s0, 3] = aten::add.Tensor(%x, %y) loc("add", "aten::add.Tensor", "net.sum", "net.py:3")
 %1: f32[s0, 3] = aten::relu(%0) loc("relu", "aten::relu", "net.act", "net.py:4: relu(x + y)")
 return %1
}
"""
UNKNOWN = MODEL.replace("aten::relu(%0)", "mylib::foo(%0)")


def tenon(*arguments, **options):
    """Runs the command; a death by a signal is always a failure."""
    done = subprocess.run([TENON, *map(str, arguments)], text=True, capture_output=True, timeout=60,
                          stdin=subprocess.DEVNULL, **options)
    if done.returncode < 0:
        raise AssertionError(f"{arguments} died of signal {-done.returncode}: {done.stderr}")
    return done


class Command(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # What an earlier run left must not matter.
        cls.folder = tempfile.TemporaryDirectory(dir=".")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.addClassCleanup(os.chdir, os.getcwd())
        os.chdir(cls.folder.name)
        pathlib.Path("model.tn").write_text(MODEL)
        pathlib.Path("unknown.tn").write_text(UNKNOWN)
        done = tenon("compile", "model.tn", "-o", "model.tenon")
        if done.returncode != 0:
            raise AssertionError(done.stderr)

    def check(self, code, message, *arguments, **options):
        """The command fails with this code, and its first line holds the message."""
        done = tenon(*arguments, **options)
        first = done.stderr.splitlines()[0] if done.stderr else ""
        self.assertEqual(done.returncode, code, (arguments, done.stdout, done.stderr))
        self.assertRegex(first, "^tenon")
        self.assertIn(message, first)
        return done

    def succeed(self, *arguments, **options):
        done = tenon(*arguments, **options)
        self.assertEqual(done.returncode, 0, (arguments, done.stderr))
        self.assertEqual(done.stderr, "")
        return done.stdout

    # ---- the command line

    def test_usage(self):
        self.assertEqual(tenon().returncode, 2)
        self.assertIn("exit codes", self.succeed("help").lower())
        self.assertEqual(self.succeed("--help"), self.succeed("help"))
        self.check(2, 'no command is named "compil"; did you mean compile?', "compil")
        self.check(2, 'no command is named "xyzzy"', "xyzzy")
        self.check(2, "unknown option --inptu; did you mean --input?", "run", "--inptu=x", "m")
        self.check(2, "unknown option --frobnicate", "bench", "--frobnicate", "m")
        self.check(2, "--threads lacks its value N", "run", "model.tenon", "--threads")
        self.check(2, '--threads: "-1"', "run", "model.tenon", "--threads", "-1")
        self.check(2, '--threads: "1x"', "run", "model.tenon", "--threads=1x")
        self.check(2, '--duration: "inf"', "bench", "model.tenon", "--duration", "inf")
        self.check(2, '--json takes no value, given "1"', "inspect", "model.tenon", "--json=1")
        self.check(2, "FILE|MODEL is missing", "run")
        self.check(2, 'unexpected argument "b"', "run", "a", "b")
        self.check(2, "--output FILE is missing", "compile", "model.tn")
        self.check(2, 'unexpected argument "x"', "version", "x")
        self.check(4, "--threads: No such file", "run", "--", "--threads")

    def test_help(self):
        overview = self.succeed("help")
        for name in "compile run bench inspect report ops passes version help".split():
            self.assertIn(f"  {name}", overview)
            text = self.succeed("help", name)
            self.assertEqual(text, self.succeed(name, "--help"))
            self.assertTrue(text.startswith(f"tenon {name}"), text)
        self.check(2, "did you mean report", "help", "reprot")

    def test_version_and_listings(self):
        self.assertRegex(self.succeed("version"), r"^tenon \d+\.\d+\.\d+\n$")
        self.assertEqual(self.succeed("--version"), self.succeed("version"))
        ops = json.loads(self.succeed("ops", "--json"))
        self.assertGreater(len(ops), 300)
        self.assertIn({"family": "linear", "schema": "aten::linear(Tensor input, Tensor weight, "
                       "Tensor? bias=None) -> Tensor", "converter": True}, ops)
        self.assertEqual(self.succeed("ops").count("  aten::relu("), 1)
        self.assertIn("aten::topk(", self.succeed("ops", "topk"))
        self.check(1, 'contains "xyzzy"', "ops", "xyzzy")
        self.assertEqual(json.loads(self.succeed("ops", "--json", "xyzzy")), [])
        self.assertIn("functionalise", self.succeed("passes"))

    # ---- compile

    def test_compile_bad_models(self):
        self.check(4, "'nothing.pt2': No such file", "compile", "nothing.pt2", "-o", "out.tenon")
        done = self.check(3, "mylib::foo", "compile", "unknown.tn", "-o", "out.tenon",
                          "--require-full-compilation")
        self.assertIn("net.py:4", done.stderr)
        self.assertIn("while require_full_compilation is set", done.stderr)
        pathlib.Path("text.txt").write_text("hello")
        self.check(1, "'text.txt' is neither", "compile", "text.txt", "-o", "out.tenon")
        model = (DEMO / "classifier.pt2").read_bytes()
        for part in (0, 1, 100, len(model) // 2, len(model) - 30):
            pathlib.Path("cut.pt2").write_bytes(model[:part])
            done = tenon("compile", "cut.pt2", "-o", "out.tenon")
            self.assertIn(done.returncode, (1, 3, 4), (part, done.stderr))
        self.assertFalse(os.path.exists("out.tenon"))
        self.check(4, "out.tenon", "compile", "model.tn", "-o", "no/such/folder/out.tenon")

    def test_compile_bad_options(self):
        def refused(code, message, *options):
            self.check(code, message, "compile", "model.tn", "-o", "out.tenon", *options)
            self.assertFalse(os.path.exists("out.tenon"))
        refused(1, 'target "cpu:vax" is not known', "--target", "cpu:vax")
        refused(1, 'target "tpu"', "--target", "tpu")
        refused(1, 'codegen is "x"', "--codegen", "x")
        refused(5, "no-such-compiler", "--compiler", "no-such-compiler")
        refused(1, 'no pass is named "nope"', "--disable-pass", "dead-code,nope")
        refused(4, 'no symbolic size s9', "--ranges", "s9=1:2")
        refused(1, 'range "s0=4:2"', "--ranges", "s0=4:2")
        refused(1, 'min_block_size is "0"', "--min-block-size", "0")
        refused(1, 'min_block_size is "x"', "--min-block-size=x")
        refused(4, 'no node of the model matches "aten::gelu"', "--executed-ops",
                "aten::relu,aten::gelu")
        refused(2, '--require-full-compilation takes no value, given "true"',
                "--require-full-compilation=true")

    def test_compile_leaves_calls(self):
        """What falls back is said before, while and after; the command itself cannot run it."""
        def calls(*options):
            done = tenon("compile", "model.tn", "-o", "calls.tenon", *options)
            self.assertEqual(done.returncode, 0, done.stderr)
            about = json.loads(self.succeed("inspect", "calls.tenon", "--json"))
            report = json.loads(self.succeed("report", "model.tn", "--json", *options))
            names = [s["name"] for s in about["steps"] if s["kind"] == "call"]
            fates = [n for n in report["nodes"] if n["fate"] == "fallback"]
            self.assertEqual(len(names), len(fates))
            self.assertEqual(report["fallback_count"], len(fates))
            self.assertEqual(done.stderr.count("warning: "), len(set(names)), done.stderr)
            self.assertEqual("calls of an executor" in done.stdout, len(names) > 1)
            return names, [n["setting"] for n in fates]
        self.assertEqual(calls(), ([], []))
        self.assertEqual(calls("--executed-ops", "aten::relu"),
                         (["aten::relu.default"], ["executed_ops"]))
        self.assertEqual(calls("--executed-ops=aten::r*,aten::add.Tensor"),
                         (["aten::add.Tensor", "aten::relu.default"], ["executed_ops"] * 2))
        self.assertEqual(calls("--min-block-size", "2"), ([], []))
        self.assertEqual(calls("--min-block-size", "3"),
                         (["aten::add.Tensor", "aten::relu.default"], ["min_block_size"] * 2))
        self.assertEqual(calls("--min-block-size", "2", "--executed-ops", "aten::add"),
                         (["aten::add.Tensor", "aten::relu.default"],
                          ["executed_ops", "min_block_size"]))
        self.assertIn("aten::relu.default: called", self.succeed("inspect", "calls.tenon"))
        self.assertIn("2 by an executor", self.succeed("inspect", "calls.tenon"))
        done = self.check(3, "the engine leaves 2 nodes to an executor, for aten::add.Tensor, "
                          "aten::relu.default", "run", "calls.tenon")
        done = tenon("run", "unknown.tn")
        self.assertEqual(done.returncode, 3)
        self.assertIn("mylib::foo is left to an executor (1 node, first at net.py:4: relu(x + y)): "
                      "mylib::foo: no converter is known", done.stderr)
        self.assertIn("executor, for mylib::foo.default", done.stderr)

    def test_compile_keeps_and_dumps(self):
        self.succeed("compile", "model.tn", "-o", "kept.tenon", "--keep-source", "source",
                     "--dump", "dump", "--disable-pass", "common-nodes")
        self.assertIn("aten::relu", "".join(
            p.read_text() for p in pathlib.Path("dump").iterdir()))
        self.assertTrue(any(p.suffix == ".c" for p in pathlib.Path("source").iterdir()))
        self.assertIn("disabled_passes=common-nodes", self.succeed("inspect", "kept.tenon"))

    def test_compile_is_deterministic(self):
        self.succeed("compile", "model.tn", "-o", "one.tenon")
        self.succeed("compile", "model.tn", "-o", "two.tenon")
        self.assertEqual(pathlib.Path("one.tenon").read_bytes(),
                         pathlib.Path("two.tenon").read_bytes())

    def test_full_disk_keeps_the_old_file(self):
        numbers = ", ".join(f"{i % 7}.5" for i in range(8192))
        pathlib.Path("big.tn").write_text(
            "graph big {\n input %x: f32[8192]\n const %w: f32[8192] = [" + numbers + "]\n"
            " %0: f32[8192] = aten::add.Tensor(%x, %w)\n return %0\n}\n")
        os.makedirs("full", exist_ok=True)
        pathlib.Path("full/big.tenon").write_text("what stood there before")
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))
        done = self.check(4, "", "compile", "big.tn", "-o", "full/big.tenon", "--codegen", "none",
                          preexec_fn=limit)
        self.assertIn("File too large", done.stderr)
        self.assertEqual(os.listdir("full"), ["big.tenon"])
        self.assertEqual(pathlib.Path("full/big.tenon").read_text(), "what stood there before")
        self.succeed("compile", "big.tn", "-o", "full/big.tenon", "--codegen", "none")
        self.assertGreater(os.path.getsize("full/big.tenon"), 32768)

    # ---- run

    def test_run_with_files(self):
        x = numpy.array([[1, -2, 3], [4, 5, -6]], numpy.float32)
        y = numpy.array([[-3, 1, 0.5], [1, 1, 1]], numpy.float32)
        numpy.save("x.npy", x)
        numpy.save("y.npy", y)
        for path in ("model.tenon", "model.tn"):
            self.succeed("run", path, "--input", "x=x.npy", "--input=y=y.npy", "--output-dir", "out")
            files = os.listdir("out")
            self.assertEqual(files, ["1.npy"])
            numpy.testing.assert_array_equal(numpy.load("out/1.npy"), numpy.maximum(x + y, 0))
            os.remove("out/1.npy")

    def test_run_random(self):
        first = self.succeed("run", "model.tenon", "--shape", "y=5x3", "--threads", 1)
        self.assertIn("f32[5, 3]", first)
        self.assertEqual(first, self.succeed("run", "model.tenon", "--shape", "y=5x3", "--seed", 0))
        self.assertNotEqual(first, self.succeed("run", "model.tenon", "--shape", "y=5x3",
                                                "--seed", 1))
        self.assertIn("f32[2, 3]", self.succeed("run", "model.tenon"))

    def test_run_every_dtype(self):
        """A cast to f64 of each type: the bytes that the command makes up are what it says."""
        for name, low in (("f64", -1), ("f32", -1), ("f16", -1), ("bf16", -1), ("i64", 0),
                          ("i32", 0), ("i16", 0), ("i8", 0), ("u8", 0), ("bool", 0)):
            pathlib.Path("cast.tn").write_text(
                f"graph cast {{\n input %x: {name}[1000]\n"
                f" %0: f64[1000] = aten::to.dtype(%x, f64)\n return %0\n}}\n")
            self.succeed("run", "cast.tn", "--codegen", "none", "--output-dir", "cast")
            seen = numpy.load("cast/0.npy")
            self.assertEqual(seen.shape, (1000,))
            self.assertTrue((seen >= low).all() and (seen <= 1).all(), name)
            self.assertGreater(len(set(seen)), 100 if low else 1, name)
            self.assertAlmostEqual(seen.mean(), 0 if low else 0.5, delta=0.1)

    def test_run_bf16_files(self):
        pathlib.Path("half.tn").write_text(
            "graph half {\n input %x: bf16[4]\n %0: bf16[4] = aten::neg(%x)\n return %0\n}\n")
        bits = numpy.array([0x3f80, 0xc000, 0x0000, 0x7f80], numpy.uint16)  # 1, -2, 0, inf
        numpy.save("half.npy", bits.view("V2"))
        text = self.succeed("run", "half.tn", "--input", "x=half.npy", "--output-dir", "half")
        result = numpy.load("half/0.npy")
        self.assertEqual(result.dtype.str, "|V2")
        self.assertEqual((result.view(numpy.uint16) ^ bits).tolist(), [0x8000] * 4)
        self.assertIn("max 2", text)

    def test_run_bad_inputs(self):
        numpy.save("f64.npy", numpy.zeros((2, 3)))
        numpy.save("rank1.npy", numpy.zeros(3, numpy.float32))
        numpy.save("wide.npy", numpy.zeros((2, 4), numpy.float32))
        numpy.save("four.npy", numpy.zeros((4, 3), numpy.float32))
        numpy.save("fortran.npy", numpy.asfortranarray(numpy.zeros((2, 3), numpy.float32)))
        numpy.save("records.npy", numpy.zeros(3, [("a", "f4")]))
        pathlib.Path("cut.npy").write_bytes(pathlib.Path("four.npy").read_bytes()[:-1])

        def refused(code, message, *options):
            self.check(code, message, "run", "model.tenon", *options)
        refused(1, "input x: f32[s0, 3]: given dtype f64", "--input", "x=f64.npy")
        refused(1, "input x: f32[s0, 3]: given rank 1, expected 2", "--input", "x=rank1.npy")
        refused(1, "input x: f32[s0, 3]: given shape [2, 4]", "--input", "x=wide.npy")
        refused(1, "input y: dimension 0 is 3, expected 4", "--input", "x=four.npy", "--shape",
                "y=3x3")
        refused(1, "input x: dimension 0 (s0) is 9, expected 2 to 8", "--shape", "x=9x3")
        refused(3, "Fortran order", "--input", "x=fortran.npy")
        refused(3, "records", "--input", "x=records.npy")
        refused(4, "cut.npy", "--input", "x=cut.npy")
        refused(4, "'nothing.npy': No such file", "--input", "x=nothing.npy")
        refused(4, "not a .npy file", "--input", "x=model.tenon")
        refused(2, 'no input is named "z"; there are: x, y', "--input", "z=f64.npy")
        refused(2, "expected NAME=X.npy", "--input", "f64.npy")
        refused(2, "input x is given twice", "--input", "x=four.npy", "--shape", "x=2x3")
        refused(2, "expected sizes such as x=1x128", "--shape", "x=2xx3")
        refused(2, "expected sizes", "--shape", "x=2x")
        refused(2, "expected sizes", "--shape", "x=-2x3")
        refused(2, "expected sizes", "--shape", "x=1x1x1x1x1x1x1x1x1")
        refused(2, "its shape overflows", "--shape", "x=9223372036854775807x3")
        refused(1, "no memory for", "--shape", "x=99999999999999x3")
        refused(1, "5000 threads", "--threads", "5000")
        refused(4, "making the folder", "--output-dir", "no/such/folder")
        refused(2, "--target is for models", "--target", "cpu:native")

    def test_bad_engines(self):
        engine = pathlib.Path("model.tenon").read_bytes()
        for part in (5, 7, 8, 50, 100, 1000, len(engine) // 2, len(engine) - 1):
            pathlib.Path("cut.tenon").write_bytes(engine[:part])
            for command in ("run", "inspect", "bench"):
                self.check(4, "engine file has", command, "cut.tenon")
        pathlib.Path("changed.tenon").write_bytes(
            engine[:2000] + bytes([engine[2000] ^ 1]) + engine[2001:])
        done = tenon("run", "changed.tenon")
        self.assertIn(done.returncode, (0, 4), done.stderr)  # a gap between sections may change
        self.check(4, "Is a directory", "run", ".")
        self.check(4, "No such file", "inspect", "nothing.tenon")

    def test_full_standard_output(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([TENON, "inspect", "model.tenon"], stdout=full, text=True,
                                  stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 4)
        self.assertIn("No space left", done.stderr)

    # ---- report, inspect, bench

    def test_report(self):
        text = self.succeed("report", "unknown.tn")
        self.assertIn("2 nodes, of which 1 run in the engine, 50.00% coverage", text)
        self.assertIn("mylib::foo: 1", text)
        self.assertIn("no converter", text)
        self.assertIn("The engine runs where an executor serves", text)
        text = self.succeed("report", "unknown.tn", "--require-full-compilation")
        self.assertIn("A compile would refuse this model", text)
        self.assertIn("in net.act", text)
        self.assertIn("net.py:4: relu(x + y)", text)
        report = json.loads(self.succeed("report", "unknown.tn", "--json"))
        self.assertEqual([n["fate"] for n in report["nodes"]], ["engine", "fallback"])
        self.assertEqual(report["nodes"][1]["code"], "TN_UNSUPPORTED")
        self.assertEqual((report["fallback_count"], report["refused_count"]), (1, 0))
        self.assertIn("(aten::add.Tensor): engine", self.succeed("report", "--nodes", "model.tn"))
        self.check(4, "nothing.pt2", "report", "nothing.pt2")
        report = json.loads(self.succeed("report", DEMO / "classifier.pt2", "--json"))
        self.assertEqual(report["fallback_count"], 0)
        self.assertGreater(report["node_count"], 50)

    def test_inspect(self):
        text = self.succeed("inspect", "model.tenon", "--shape", "x=4x3")
        self.assertIn("s0: 2 to 8, here 4", text)
        self.assertIn("      add, relu\n", text)
        about = json.loads(self.succeed("inspect", "model.tenon", "--json", "--shape", "x=4x3"))
        self.assertEqual(about["name"], "adder")
        self.assertEqual(about["inputs"][1], {"name": "y", "dtype": "f32", "shape": ["s0", 3],
                                              "sizes": [4, 3], "bytes": 48})
        self.assertEqual(len(about["steps"]), 1)
        step = about["steps"][0]
        self.assertEqual([n["op"] for n in step["nodes"]], ["aten::add.Tensor", "aten::relu"])
        self.assertEqual(step["bytes_read"], 96)
        self.assertEqual(step["bytes_written"], 48)
        self.assertEqual(about["file_bytes"], os.path.getsize("model.tenon"))
        self.assertGreaterEqual(about["file_bytes"], sum(s["bytes"] for s in about["sections"]))
        self.check(1, "size s0 is 1, expected 2 to 8", "inspect", "model.tenon", "--shape", "x=1x3")

    def test_bench(self):
        quick = ("--duration", "0", "--warmup", "0", "--iterations", "7")
        text = self.succeed("bench", "model.tenon", "--profile", *quick)
        self.assertIn("over 7 runs", text)
        self.assertIn("GFLOP/s", text)
        summary = json.loads(self.succeed("bench", "model.tenon", "--json", "--profile", *quick))
        self.assertEqual(summary["runs"], 7)
        latency = summary["latency_ms"]
        ordered = [latency[key] for key in ("min", "median", "p90", "p99", "max")]
        self.assertEqual(ordered, sorted(ordered))
        self.assertGreater(latency["min"], 0)
        self.assertEqual(len(summary["steps"]), 1)
        self.assertIn("over 1 runs", self.succeed("bench", "model.tn", "--duration", "0",
                                                  "--iterations", "0", "--codegen", "none"))


if __name__ == "__main__":
    print(sys.version)
    unittest.main(verbosity=1)
