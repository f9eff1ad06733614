"""cppcheck over the library, the command, the Python module and the examples: warnings, performance, portability."""
import os
import subprocess

from source_tree import BUILD_DIR, SOURCE_DIR, files, finish, report, tool

paths = [p for p in files(".c") if p.startswith(("src/", "tools/", "python/", "examples/"))]
cache = os.path.join(BUILD_DIR, "cppcheck")
os.makedirs(cache, exist_ok=True)
result = subprocess.run(
    [tool("cppcheck"), "--enable=warning,performance,portability", "--inline-suppr", "--quiet",
     "--std=c11", "--library=posix", "-D_GNU_SOURCE", "-D__GNUC__=12", "-D__x86_64__",
     "-Iinclude", "-Isrc", f"-I{BUILD_DIR}/generated", f"--cppcheck-build-dir={cache}",
     # Only says that a system header was not read, which is how cppcheck is meant to be used.
     "--suppress=missingIncludeSystem",
     f"-j{os.cpu_count()}", "--template={file}:{line}: {id}: {message}", *paths],
    cwd=SOURCE_DIR, capture_output=True, text=True)
for line in result.stderr.splitlines():
    where, _, message = line.partition(": ")
    report(where, message)
if result.returncode:
    report("cppcheck", f"ended with {result.returncode}")
finish(len(paths), "files")
