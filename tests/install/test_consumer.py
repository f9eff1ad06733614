"""Installs this build into a folder, moves the folder, and builds programs against it the two ways
that users have: examples/cmake_consumer through the CMake package, and pkg-config, shared and static.

ctest: standard timeout=180
"""
import os
import shutil
import subprocess
import sys

SOURCE = os.path.join(os.environ["TENON_TESTS"], "..")
BUILD = os.environ["TENON_BUILD"]
CONSUMER = os.path.join(SOURCE, "examples", "cmake_consumer")


def run(*command, **environment):
    result = subprocess.run(command, env={**os.environ, **environment}, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode:
        sys.exit(f"{' '.join(command)}\nended with {result.returncode}:\n{result.stdout}")
    return result.stdout.strip()


with open(os.path.join(SOURCE, "include/tenon/base.h"), encoding="utf-8") as header:
    version = next(line.split('"')[1] for line in header if "define TN_VERSION_STRING" in line)


def expect_version(program, **environment):
    seen = run(program, **environment)
    if seen != f"tenon {version}":
        sys.exit(f"{program} printed {seen!r}, expected 'tenon {version}'")


for folder in ("first", "moved", "consumer"):
    shutil.rmtree(folder, ignore_errors=True)
run("cmake", "--install", BUILD, "--prefix", os.path.abspath("first"))
# The installed tree names no place of its own, so it may be packed here and unpacked elsewhere.
os.rename("first", "moved")
prefix = os.path.abspath("moved")

run("cmake", "-G", "Ninja", "-S", CONSUMER, "-B", "consumer", f"-DCMAKE_PREFIX_PATH={prefix}")
run("cmake", "--build", "consumer")
for target in ("rt", "tenon", "rt_static", "static"):
    expect_version(f"consumer/consumer_{target}")

library_folder = next(f for f, _, names in os.walk(prefix) if "libtenon.so" in names)
pkg_config = {"PKG_CONFIG_PATH": os.path.join(library_folder, "pkgconfig")}
for package in ("tenon", "tenon_rt"):
    if run("pkg-config", "--modversion", package, **pkg_config) != version:
        sys.exit(f"{package}.pc has another version than {version}")
    source = os.path.join(CONSUMER, "consumer.c")
    flags = run("pkg-config", "--cflags", "--libs", package, **pkg_config).split()
    run("cc", source, "-o", f"shared_{package}", *flags)
    expect_version(f"./shared_{package}", LD_LIBRARY_PATH=library_folder)
    flags = run("pkg-config", "--cflags", "--libs", "--static", package, **pkg_config).split()
    os.remove(os.path.join(library_folder, f"lib{package}.so"))
    run("cc", source, "-o", f"static_{package}", *flags)
    expect_version(f"./static_{package}")
print("installed, moved, built through CMake and pkg-config, and run")
