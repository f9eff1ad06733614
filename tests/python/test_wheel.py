"""`pip wheel` builds one wheel for the stable ABI without PyTorch; installed in a fresh environment
it runs an engine and compiles; the runtime-only wheel runs, and says what it lacks.

The builds take CMake and Ninja of the system and scikit-build-core of this environment, so that
nothing is fetched.

ctest: standard timeout=600
"""

import os
import pathlib
import shutil
import subprocess
import sys
import venv
import zipfile

import numpy

SOURCE = pathlib.Path(os.environ["TENON_TESTS"]).parent
COUNTER = SOURCE / "tests" / "data" / "counter-core.pt2"
USE = """
import sys, numpy, tenon
assert tenon.__file__.startswith(sys.prefix), tenon.__file__
engine = tenon.Engine(sys.argv[1])
feeds = {
    info.name: numpy.ones([2 if isinstance(size, str) else size for size in info.shape], "f4")
    for info in engine.inputs
}
print(sum(float(a.sum()) for a in engine.run(feeds).values()))
try:
    tenon.compile(sys.argv[2], codegen="none").save("again.tenon")
    print("compiled")
except tenon.MissingError as error:
    print(error)
try:
    import torch
except ImportError:
    print("no torch")
"""


def run(*command):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def make_source():
    """A copy of what git has or would have of the tree, so that nothing of a build is found."""
    shutil.rmtree("source", ignore_errors=True)
    listed = run("git", "-C", SOURCE, "ls-files", "-co", "--exclude-standard", "-z")
    for name in filter(None, listed.split("\0")):
        if (SOURCE / name).is_file() and not name.startswith(("tests/", "bench/")):
            target = pathlib.Path("source") / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(SOURCE / name, target)


def make_environment(name, *options):
    """A fresh environment with the wheel in it and nothing else but NumPy; its Python."""
    shutil.rmtree(name, ignore_errors=True)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "./source", "--no-build-isolation", "--no-deps", "-w", name, *options)
    (wheel,) = pathlib.Path(name).glob("*.whl")
    assert "-cp39-abi3-" in wheel.name, wheel.name
    archive = zipfile.ZipFile(wheel)
    names = archive.namelist()
    assert "tenon/_core.abi3.so" in names and "tenon/py.typed" in names, names
    assert not any(name.endswith((".c", ".h", ".a")) for name in names), names
    (entries,) = (archive.read(name) for name in names if name.endswith("/entry_points.txt"))
    assert b"[torch_dynamo_backends]\ntenon = tenon.dynamo:backend" in entries.strip(), entries
    venv.create(f"{name}/venv", with_pip=False, symlinks=True)
    (packages,) = pathlib.Path(name, "venv", "lib").glob("python*/site-packages")
    run(*pip, "install", "--no-deps", "--target", packages, wheel)
    installed = pathlib.Path(numpy.__file__).parent
    for folder in (installed, installed.parent / "numpy.libs"):
        os.symlink(folder, packages / folder.name)
    return pathlib.Path(name, "venv", "bin", "python").absolute()


make_source()
run(os.environ["TENON"], "compile", COUNTER, "-o", "counter.tenon")
full = run(make_environment("full"), "-c", USE, "counter.tenon", COUNTER).splitlines()
runtime = run(
    make_environment("runtime", "-Ccmake.define.TENON_RT_ONLY=ON"),
    "-c",
    USE,
    "counter.tenon",
    COUNTER,
).splitlines()
print(full, runtime, sep="\n")
assert full[1:] == ["compiled", "no torch"], full
assert runtime[0] == full[0] and runtime[2] == "no torch", runtime
assert "carries the runtime alone" in runtime[1], runtime
sizes = [next(pathlib.Path(name).glob("*.whl")).stat().st_size for name in ("full", "runtime")]
assert sizes[1] < sizes[0] / 2, sizes
