"""clang-format 14 decides the layout; `make format` applies it.

ctest: quick
"""
import subprocess

from source_tree import SOURCE_DIR, files, finish, report, tool

paths = files(".c", ".h")
result = subprocess.run([tool("clang-format-14"), "--dry-run", "-ferror-limit=1", *paths],
                        cwd=SOURCE_DIR, capture_output=True, text=True)
for line in result.stderr.splitlines():
    if "clang-format" in line:
        report(line.split(" ")[0].rstrip(":"), "not formatted; run `make format`")
finish(len(paths), "files")
