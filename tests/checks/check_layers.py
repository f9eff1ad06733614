"""Includes only from permitted layers (cmake/layers.txt; docs/architecture.md says why).

Also: public headers and what stands outside of the library (tools/, python/, examples/) include nothing of
tenon but <tenon/...>; a layer of libtenon_rt may include only layers of libtenon_rt; third-party
headers only where the table names the package.

ctest: quick
"""
from source_tree import code_only, files, finish, layers, matches, read, report

THIRD_PARTY = {"xxhash": ("xxhash.h", "xxh3.h"), "zlib": ("zlib.h",), "jsmn": ("jsmn.h",),
               "minizip": ("minizip/",)}
OUTSIDE = ("tools/", "python/", "examples/", "include/")

table = layers()
by_name = {row["name"]: row for row in table}
for row in table:
    for name in row["allowed"]:
        if name not in by_name:
            report("cmake/layers.txt", f"{row['name']} may include {name}, which is no layer")
        elif row["library"] == "rt" and by_name[name]["library"] != "rt":
            report("cmake/layers.txt", f"{row['name']} is in libtenon_rt, {name} is not")


def layer_of(path):
    return next((row for row in table if path.startswith(row["folder"])), None)


checked = 0
for path in files(".c", ".h"):
    layer = layer_of(path)
    outside = path.startswith(OUTSIDE)
    if layer is None and not outside:
        if path.startswith("src/"):
            report(path, "lies in no layer of cmake/layers.txt")
        continue
    checked += 1
    text = read(path)
    # Literals are blanked in code_only, so it only tells which #include lines are not comments.
    live = code_only(text).splitlines()
    for line, m in matches(r'(?m)^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', text):
        if "#" not in live[line - 1]:
            continue
        name = m.group(2)
        where = f"{path}:{line}"
        if name.startswith("tenon/"):
            continue
        for package, headers in THIRD_PARTY.items():
            if name.startswith(headers) and (outside or package not in layer["third"]):
                report(where, f"<{name}> may be included only in layers that name {package}")
        if m.group(1) == "<":
            continue
        if outside:
            if path.startswith("include/") or name.startswith("src/") or layer_of("src/" + name):
                report(where, f'"{name}": only <tenon/...> may be included here')
            continue
        if name == f"embedded_{layer['name']}.h":
            continue
        target = layer_of("src/" + name)
        if target is None:
            report(where, f'"{name}": write the path below src/, as in "base/status.h"')
        elif target is not layer and target["name"] not in layer["allowed"]:
            report(where, f"{layer['name']} may not include {target['name']} ({name})")
finish(checked, "files")
