"""The Python example runs from top to bottom and shows what it promises.

ctest: standard timeout=300
"""

import os
import subprocess
import sys

EXAMPLE = os.path.join(os.environ["TENON_TESTS"], "..", "examples", "python", "compile_bert.py")
done = subprocess.run([sys.executable, EXAMPLE], stdout=subprocess.PIPE, text=True, check=True)
print(done.stdout)
for part in (
    "(100.0%)",
    "compiled in ",
    "SequenceClassifierOutput, largest difference ",
    " times as fast",
    "(dtype('float32'), (2, 2))",
):
    if part not in done.stdout:
        sys.exit(f"the example did not print {part!r}")
