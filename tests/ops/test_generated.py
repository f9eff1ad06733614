"""Every operator's cases through generated code against PyTorch.  ctest: standard timeout=900

As test_cases.py, but each graph of cases becomes an engine: passes, fusion, generated C, the C
compiler, the runtime. Every case runs on the machine's own target, every tenth on the others. $CC may
name a wrapper around the compiler (one that lowers the optimisation, or adds sanitizers).

    test_generated.py [PATTERN...]   only operators that match ("aten::add.*")
"""

import fnmatch
import os
import sys
import tempfile

import test_cases as cases  # sets up PyTorch

TARGETS = {"native": (0, 1), "x86-64-v3": (3, 10), "portable": (7, 10)}  # first case, one of so many
BATCH = 100


def can_be_dynamic(case):
    """Whether every symbol is a dim of some input: an engine takes sizes from its inputs."""
    if "static" in case.flags:
        return False
    dims = {dim.text for spec in case.specs() for dim in spec.dims if isinstance(dim, cases.Sym)}
    return all(name in dims for name in case.symbols)


def find_cases(program, patterns):
    for op in cases.read_entries(program):
        if op["inplace"] or patterns and not any(fnmatch.fnmatch(op["name"], p) for p in patterns):
            continue
        for case in cases.read_cases(op):
            yield case, case.run_torch()


def main(patterns):
    program = os.path.join(os.environ.get("TENON_BUILD", "build"), "tests", "bin", "run_graph")
    found = list(find_cases(program, patterns))
    dynamic = [item for item in found if can_be_dynamic(item[0])]
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        for target, (first, step) in TARGETS.items():
            for items, is_dynamic in ((found[first::step], False), (dynamic[first::step], True)):
                for start in range(0, len(items), BATCH):
                    met = []
                    cases.run_batch([program, "--target", target], items[start:start + BATCH], is_dynamic,
                                    met, folder)
                    failures += [(target, *failure) for failure in met]
    for target, case, kind, what in failures:
        print(f"{case.op['name']}{case.text} ({kind}, {target}): {what}")
    print(f"{len(found)} cases, {len(dynamic)} of them also with symbolic sizes; {len(failures)} failures")
    return 1 if failures or not found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
