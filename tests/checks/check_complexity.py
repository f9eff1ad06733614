"""No function of the library or the command has a modified McCabe complexity over 20 (a switch counts
once: a plain dispatch over many cases is easy to read). Counted by pmccabe.

ctest: quick
"""
import subprocess

from source_tree import SOURCE_DIR, files, finish, report, tool

LIMIT = 20
paths = [p for p in files(".c") if p.startswith(("src/", "tools/"))]
rows = subprocess.run([tool("pmccabe"), *paths], cwd=SOURCE_DIR, check=True, capture_output=True,
                      text=True).stdout.splitlines()
for row in rows:
    # modified, traditional, statements, first line, lines, then "file(line): function"
    columns = row.split("\t")
    where, _, function = columns[5].partition("): ")
    if int(columns[0]) > LIMIT:
        report(where.replace("(", ":"),
               f"{function} has complexity {columns[0]}; the limit is {LIMIT}")
finish(len(rows), "functions")
