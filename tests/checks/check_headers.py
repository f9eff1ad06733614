"""Every header compiles alone: the public ones as C11 and C++17, with warnings, the others as C11."""
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

from source_tree import BUILD_DIR, SOURCE_DIR, files, finish, report, tool

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wundef", "-Werror"]
INCLUDES = ["-Iinclude"]
INSIDE = ["-Isrc", f"-I{BUILD_DIR}/generated", "-D_GNU_SOURCE"]


def compile_alone(job):
    path, command = job
    result = subprocess.run([*command, "-fsyntax-only", *WARNINGS, "-include", path, "-"],
                            input="typedef int tn_not_empty;\n", cwd=SOURCE_DIR,
                            capture_output=True, text=True)
    return path, command, result


jobs = []
for path in files(".h"):
    if path.startswith("include/"):
        jobs.append((path, [tool("gcc"), "-xc", "-std=c11", *INCLUDES]))
        jobs.append((path, [tool("g++"), "-xc++", "-std=c++17", *INCLUDES]))
    elif path.startswith("src/"):
        jobs.append((path, [tool("gcc"), "-xc", "-std=c11", *INCLUDES, *INSIDE]))
with ThreadPoolExecutor(os.cpu_count()) as pool:
    for path, command, result in pool.map(compile_alone, jobs):
        if result.returncode:
            report(path, f"does not compile alone ({command[2]}):\n{result.stderr}")
finish(len(jobs), "headers")
