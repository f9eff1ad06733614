"""The libraries of the release build: what they export, what they need, what state they hold.

- libtenon exports exactly the functions that include/tenon/ declares with TN_API; libtenon_rt a part
  of them; nothing else, shared or static.
- The libraries and the command need only glibc.
- No layer has mutable globals: nothing of ours lies in .data, .bss or thread-local storage.
"""
import json
import os
import re
import subprocess

from source_tree import RELEASE_DIR, code_only, files, finish, read, report

# The release preset leaves its results in build/ itself.
OUTPUT = os.path.dirname(RELEASE_DIR)
GLIBC = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2",
         "ld-linux-aarch64.so.1"}


def lines(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def exported(library, *options):
    """Names of the defined global symbols."""
    return {line.split()[-1].split("@")[0]
            for line in lines("nm", "--defined-only", "--extern-only", *options, library)
            if len(line.split()) >= 3}


declared = {name for path in files(".h", under="include/")
            for name in re.findall(r"TN_API\b[^;{]*?\b(tnp?_\w+)\s*\(", code_only(read(path)))}

checked = 0
for stem in ("libtenon", "libtenon_rt"):
    for library, options in ((stem + ".so", ["--dynamic"]), (stem + ".a", [])):
        checked += 1
        names = exported(os.path.join(OUTPUT, library), *options)
        for name in sorted(names - declared):
            report(library, f"exports {name}, which no public header declares")
        if library == "libtenon.so":
            for name in sorted(declared - names):
                report(library, f"lacks {name}, which include/tenon/ declares")

for name in ("libtenon.so", "libtenon_rt.so", "tenon"):
    path = os.path.join(OUTPUT, name)
    if not os.path.exists(path) and name == "tenon":
        continue
    checked += 1
    for line in lines("readelf", "--dynamic", "--wide", path):
        needed = re.search(r"\(NEEDED\).*\[(.*)\]", line)
        if needed and needed.group(1) not in GLIBC:
            report(name, f"needs {needed.group(1)}; only glibc may be needed")

with open(os.path.join(RELEASE_DIR, "compile_commands.json"), encoding="utf-8") as f:
    objects = [re.search(r" -o (\S+)", entry["command"]).group(1) for entry in json.load(f)]
objects = [path for path in objects if path.startswith("CMakeFiles/tn_")]
for path in sorted(objects):
    checked += 1
    for line in lines("objdump", "--syms", os.path.join(RELEASE_DIR, path)):
        # address, flags, section, size, name
        symbol = re.match(r"[0-9a-f]+ (.{7}) (\S+)\s+([0-9a-f]+) (?:\.hidden )?(\S+)$", line)
        if not symbol or symbol.group(1)[6] != "O":
            continue
        section = symbol.group(2)
        if re.match(r"\.(data|bss|tdata|tbss)|\*COM", section) and \
                not section.startswith(".data.rel.ro"):
            report(path, f"{symbol.group(4)} is mutable state ({section}): the library has no globals")
finish(checked, "libraries and objects")
