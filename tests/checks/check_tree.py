"""File length, unique names, purpose comments, banned functions, paths of somebody's machine.

ctest: quick
"""
import os
import re

from source_tree import code_only, files, finish, matches, read, report

MOST_LINES = 999
# Names that tools or habit demand, so that each folder may have one.
REPEATED = {"CMakeLists.txt", "README.md", ".gitignore", "__init__.py", "requirements.txt", "run"}

TEXT = (".c", ".h", ".in", ".cu", ".py", ".cmake", ".txt", ".md", ".json", ".yml")
CODE = (".c", ".h", ".py", ".in", ".cu", ".cmake")

# Unbounded or locale-bound, in all C code.
BANNED = "strcpy strcat sprintf vsprintf strtok gets atoi atol atoll atof alloca tmpnam mktemp".split()
# Reserved to the places that own the matter.
ALLOCATION = "malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf " \
             "aligned_alloc posix_memalign".split()
# The C library's allocator is wrapped in one file, and errors must not need the env's.
ALLOCATION_OWNERS = {"src/base/alloc.c", "src/base/status.c"}
PROCESS = "abort exit _exit _Exit quick_exit longjmp setjmp printf vprintf puts putchar perror " \
          "signal system".split()


def calls(names):
    # Not a member (x.free(...)) and not a definition's part of another word.
    return r"(?<![\w.>])(" + "|".join(names) + r")\s*\("


checked = 0
seen = {}
for path in files():
    name = os.path.basename(path)
    if name not in REPEATED and not path.startswith(("tests/golden/", "tests/fuzz/corpus/")):
        if name in seen:
            report(path, f"the name is taken by {seen[name]}; file names are unique in the tree")
        seen[name] = path
    if not path.endswith(TEXT):
        continue
    checked += 1
    text = read(path)
    lines = text.count("\n")
    if lines > MOST_LINES and path.endswith(CODE):
        report(path, f"{lines} lines; the limit is {MOST_LINES}, the aim under 400")
    for line, m in matches(r"(?<![\w.])/(?:home|root|work|Users)/\w[\w./-]*", text):
        report(f"{path}:{line}", f"names a path of one machine: {m.group()}")
    if not path.endswith((".c", ".h")):
        continue
    if not text.startswith("/*"):
        report(f"{path}:1", "starts without a purpose comment: what it owns, its invariant, why")
    code = code_only(text)
    banned = list(BANNED)
    if path.startswith("src/"):
        banned += PROCESS + ([] if path in ALLOCATION_OWNERS else ALLOCATION)
        for line, m in matches(r"(?<!\w)f(?:printf|puts)\s*\(\s*(stdout|stderr)", code):
            report(f"{path}:{line}", f"the library does not print (here to {m.group(1)}): tn_log")
    for line, m in matches(calls(banned), code):
        report(f"{path}:{line}", f"{m.group(1)}() is banned here (tests/checks/check_tree.py)")
    if path.endswith(".h") and not re.search(r"#ifndef \w+_H\n#define \w+_H\n", text):
        report(path, "a header needs an include guard NAME_H")
finish(checked, "files")
