"""What the checks share: the files of the tree, C text without comments and strings, and reporting.

Each check is a program: check_NAME.py SOURCE_DIR BUILD_DIR. It prints one line per finding
("file:line: what is wrong, what is wanted") and exits with 1 if there was any.
"""
import os
import re
import subprocess
import sys

SOURCE_DIR, BUILD_DIR = (os.path.abspath(a) for a in sys.argv[1:3])
RELEASE_DIR = os.path.join(SOURCE_DIR, "build", "release")

_findings = 0


def report(where, message):
    global _findings
    _findings += 1
    print(f"{where}: {message}")


def finish(checked, what):
    """Ends the program. A check that looked at nothing has failed: it would pass whatever happens."""
    if checked == 0:
        report(what, "none found, so nothing was checked")
    print(f"{checked} {what} checked, {_findings} findings")
    sys.exit(1 if _findings else 0)


def files(*suffixes, under=""):
    """Paths, relative to the source folder, of the files that git tracks or would track; with
    suffixes, of those that end in one of them."""
    listed = subprocess.run(
        ["git", "-C", SOURCE_DIR, "ls-files", "-co", "--exclude-standard", "-z"],
        check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted(p for p in set(listed)
                  if p.startswith(under) and (not suffixes or p.endswith(suffixes))
                  and os.path.isfile(os.path.join(SOURCE_DIR, p)))


def read(path):
    with open(os.path.join(SOURCE_DIR, path), encoding="utf-8") as f:
        return f.read()


_NOT_CODE = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)


def code_only(text):
    """C text with comments and literals blanked; line numbers stay."""
    return _NOT_CODE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def matches(pattern, text):
    """(line number, match) of each match."""
    for m in re.finditer(pattern, text):
        yield text.count("\n", 0, m.start()) + 1, m


def tool(*names):
    """The first of these programs that is installed; otherwise ends the check with the remedy."""
    for name in names:
        for folder in os.environ["PATH"].split(os.pathsep):
            if os.access(os.path.join(folder, name), os.X_OK):
                return name
    sys.exit(f"{names[0]} is not installed: run scripts/bootstrap check")


def layers():
    """The rows of cmake/layers.txt as dictionaries."""
    rows = []
    for line in read("cmake/layers.txt").splitlines():
        if re.match(r"[a-z]", line):
            name, folder, library, conversion, third, allowed = line.split()
            rows.append({
                "name": name, "folder": folder + "/", "library": library,
                "third": [] if third == "-" else third.split(","),
                "allowed": [] if allowed == "-" else allowed.split(","),
            })
    return rows
