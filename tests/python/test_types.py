"""The package's annotations hold: mypy --strict over python/tenon (settings in pyproject.toml).

ctest: standard timeout=300
"""

import os
import pathlib
import subprocess
import sys

root = pathlib.Path(os.environ["TENON_TESTS"]).parent
done = subprocess.run(
    [sys.executable, "-m", "mypy", "python/tenon", "--cache-dir", os.path.abspath("cache")],
    cwd=root,
)
sys.exit(done.returncode)
