"""10,000 calls of each kind leave nothing behind: no memory, no references, no threads, no files.

ctest: standard timeout=300
"""

import gc
import os
import sys
import threading
import unittest

import numpy
import torch
from package_models import DATA, Sum3

import tenon

CALLS = 10_000
# What malloc may keep. One leaked output of a call (8 KiB) would add 80 MB.
ALLOWED_BYTES = 4 << 20


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Leaks(unittest.TestCase):
    def check(self, call, held=()):
        for _ in range(200):
            call()
        gc.collect()
        before, references = resident_bytes(), [sys.getrefcount(item) for item in held]
        blocks = sys.getallocatedblocks()
        for _ in range(CALLS):
            call()
        gc.collect()
        self.assertLess(resident_bytes() - before, ALLOWED_BYTES)
        self.assertLess(sys.getallocatedblocks() - blocks, 200)
        self.assertEqual([sys.getrefcount(item) for item in held], references)

    @classmethod
    def setUpClass(cls):
        cls.module = Sum3().eval()
        dims = {0: torch.export.Dim("rows", min=1, max=512)}
        cls.tensors = [torch.rand(256, 8) for _ in range(3)]
        cls.compiled = tenon.compile(cls.module, cls.tensors, dynamic_shapes=(dims,) * 3, threads=1)

    def test_torch(self):
        self.check(lambda: self.compiled(*self.tensors), self.tensors)

    def test_numpy(self):
        arrays = [tensor.numpy() for tensor in self.tensors]
        self.check(lambda: self.compiled(*arrays), arrays)
        feeds = dict(zip("xyz", arrays))
        self.check(lambda: self.compiled.engine.run(feeds), arrays)

    def test_not_contiguous(self):
        turned = torch.rand(8, 256).t()
        self.check(lambda: self.compiled(turned, turned, turned), [turned])

    def test_shapes_change(self):
        parts = [[t[:rows] for t in self.tensors] for rows in (1, 100, 256)]
        numbers = iter(range(10**9))
        self.check(lambda: self.compiled(*parts[next(numbers) % 3]))

    def test_errors(self):
        wrong = [self.tensors[0], self.tensors[1], self.tensors[2].double()]

        def call():
            try:
                self.compiled(*wrong)
            except tenon.InvalidArgumentError:
                return
            self.fail("a wrong dtype was accepted")

        self.check(call, wrong)

    def test_fallback(self):
        tensors = [torch.rand(16, 8) for _ in range(3)]
        compiled = tenon.compile(self.module, tensors, executed_ops="aten::mul", threads=1)
        self.assertEqual(len(compiled.engine.calls), 1)
        self.check(lambda: compiled(*tensors), tensors)

    def test_engines(self):
        """Opening and dropping: descriptors, mappings and worker threads go too."""
        self.compiled.save("leaks.tenon")
        arrays = [numpy.ones((2, 8), "f4")] * 3

        def use():
            tenon.load("leaks.tenon", threads=2)(*arrays)

        for _ in range(20):
            use()
        gc.collect()
        files, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
        tasks, before = len(os.listdir("/proc/self/task")), resident_bytes()
        for _ in range(300):
            use()
        gc.collect()
        self.assertEqual(len(os.listdir("/proc/self/fd")), files)
        self.assertEqual(threading.active_count(), threads)
        self.assertEqual(len(os.listdir("/proc/self/task")), tasks)
        self.assertLess(resident_bytes() - before, ALLOWED_BYTES)

    def test_compiles(self):
        path = DATA / "counter-core.pt2"

        def use():
            tenon.compile(path, codegen="none")

        for _ in range(20):
            use()
        gc.collect()
        before, files = resident_bytes(), len(os.listdir("/proc/self/fd"))
        for _ in range(200):
            use()
        gc.collect()
        self.assertEqual(len(os.listdir("/proc/self/fd")), files)
        self.assertLess(resident_bytes() - before, ALLOWED_BYTES)


if __name__ == "__main__":
    unittest.main()
