"""Compiles files that older versions of PyTorch wrote and compares with what those computed.

The files of tests/compat/pt2 were written by export_pt2.py, beside this script. One engine serves
both batches.

ctest: standard timeout=120
"""
import json
import os
import pathlib
import subprocess
import unittest

import numpy

FILES = pathlib.Path(__file__).resolve().parent / "pt2"
OUTPUTS = ("scores", "best", "tokens")  # in the order of the engine's
LIMIT = 1e-5  # relative L2 distance, as for every fp32 model


def tenon(*arguments):
    command = [os.environ["TENON"], *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


class Versions(unittest.TestCase):
    def compare(self, engine, case):
        """Runs one batch of the files that start with `case`."""
        results = pathlib.Path(f"{engine.stem}-{case}")
        image = FILES / f"{case}-image.npy"
        tenon("run", engine, "--input", f"image={image}", "--output-dir", results)
        outputs = json.loads(tenon("inspect", engine, "--json"))["outputs"]
        for name, output in zip(OUTPUTS, outputs, strict=True):
            seen = numpy.load(results / f"{output['name']}.npy")
            wanted = numpy.load(FILES / f"{case}-{name}.npy")
            self.assertEqual((seen.shape, seen.dtype), (wanted.shape, wanted.dtype), name)
            distance = numpy.linalg.norm(seen - wanted) / numpy.linalg.norm(wanted)
            self.assertLessEqual(distance, LIMIT, name)

    def test_files(self):
        programs = sorted(FILES.glob("*.pt2"))
        self.assertEqual(len(programs), 6)
        for program in programs:
            with self.subTest(program.name):
                engine = pathlib.Path(f"{program.stem}.tenon")
                tenon("compile", program, "-o", engine)
                version = program.stem.rsplit("-", 1)[0]
                for batch in (3, 5):
                    self.compare(engine, f"{version}-{batch}")


if __name__ == "__main__":
    unittest.main()
