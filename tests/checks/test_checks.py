"""The checks find what they are for: each is run on a small tree that is clean and must pass, then
with one fault of each kind added, which it must name.

ctest: standard timeout=120
"""
import os
import shutil
import subprocess
import sys

TESTS = os.environ["TENON_TESTS"]
CLEAN = {
    "include/tenon/one.h": """\
/* one.h: a header. */
#ifndef TENON_ONE_H
#define TENON_ONE_H
int tn_one(int x);
#endif
""",
    "src/base/one.c": """\
/* one.c: a source. */
#include "tenon/one.h"

int tn_one(int x) {
    return x + 1;
}
""",
}
HEAD = "/* two.c: a source. */\n"
# check, file, its text, what the check must say
FAULTS = [
    ("layers", "src/ir/two.c", HEAD + '#include "ops/three.h"\n', "ir may not include ops"),
    ("layers", "src/ir/two.c", HEAD + "#include <zlib.h>\n", "layers that name zlib"),
    ("layers", "src/ir/two.c", HEAD + '#include "three.h"\n', "write the path below src/"),
    ("layers", "src/odd/two.c", HEAD, "lies in no layer"),
    ("layers", "tools/two.c", HEAD + '#include "base/one.h"\n', "only <tenon/...>"),
    ("tree", "src/base/two.c", "int tn_two;\n", "without a purpose comment"),
    ("tree", "src/base/two.c", HEAD + "\n" * 1000, "1001 lines"),
    ("tree", "src/ir/one.c", HEAD, "the name is taken"),
    ("tree", "tests/two.c", HEAD + "void f(char *s) { strcpy(s, s); }\n", "strcpy() is banned"),
    ("tree", "src/base/two.c", HEAD + "void f(void) { free(0); }\n", "free() is banned"),
    ("tree", "src/base/two.c", HEAD + "void f(void) { abort(); }\n", "abort() is banned"),
    ("tree", "src/base/two.c", HEAD + 'void f(void) { fprintf(stderr, ""); }\n', "does not print"),
    ("tree", "src/base/two.h", "/* two.h: a header. */\n", "include guard"),
    ("tree", "docs/two.md", "see /ho" + "me/me/notes\n", "path of one machine"),
    ("format", "src/base/two.c", HEAD + "int  x;\n", "not formatted"),
    ("complexity", "src/base/two.c",
     HEAD + "int tn_two(int x) {\n" + "    if (x) x++;\n" * 20 + "    return x;\n}\n",
     "complexity 21"),
    ("headers", "include/tenon/two.h", "/* two.h */\nsize_t tn_two(void);\n", "does not compile"),
    ("headers", "include/tenon/two.h", "/* two.h */\nint class;\n", "(-std=c++17)"),
    ("cppcheck", "src/base/two.c", HEAD + "int tn_two(void) {\n    int a[2];\n    return a[2];\n}\n",
     "arrayIndexOutOfBounds"),
]


def write_tree(extra):
    shutil.rmtree("tree", ignore_errors=True)
    os.makedirs("tree/cmake")
    subprocess.run(["git", "init", "-q", "tree"], check=True)
    for name in ("cmake/layers.txt", ".clang-format"):
        shutil.copy(os.path.join(TESTS, "..", name), os.path.join("tree", name))
    for path, text in {**CLEAN, **extra}.items():
        path = os.path.join("tree", path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)


def run_check(name):
    # Outside of the tree, where an untracked build folder would be looked at as well.
    script = os.path.join(TESTS, "checks", f"check_{name}.py")
    return subprocess.run([sys.executable, "-B", script, "tree", "build"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


wrong = 0
write_tree({})
for check in dict.fromkeys(fault[0] for fault in FAULTS):
    result = run_check(check)
    if result.returncode != 0:
        wrong += 1
        print(f"check_{check} does not pass on a clean tree:\n{result.stdout}")
for check, path, text, expected in FAULTS:
    write_tree({path: text})
    result = run_check(check)
    if result.returncode != 1 or expected not in result.stdout:
        wrong += 1
        print(f"check_{check} should say '{expected}' of {path}, said:\n{result.stdout}")
print(f"{len(FAULTS)} faults tried, {wrong} wrong")
sys.exit(1 if wrong else 0)
