"""`make demo` with this build's command: compiles, runs, agrees with PyTorch, times. Then the C
example runs the engine that the demo made.

ctest: standard timeout=120
"""
import os
import subprocess
import sys

DEMO = os.path.join(os.environ["TENON_TESTS"], "..", "examples", "demo", "run")
RUN_ENGINE = os.path.join(os.environ["TENON_BUILD"], "tests", "bin", "example_run_engine")

subprocess.run([DEMO, os.path.abspath("demo")], check=True)
printed = subprocess.run([RUN_ENGINE, "demo/classifier.tenon"], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
print(printed)
# The smallest batch is 1; the model has eight classes.
if "f32 [1, 8]" not in printed:
    sys.exit("run_engine did not print an f32 output of shape [1, 8]")
