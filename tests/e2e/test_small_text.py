"""The text models in small size: every dtype, shape kind and dialect.

ctest: standard timeout=900
"""

import sys

import run

sys.exit(run.run("small", ["bert_base*", "gpt2*", "llama*"]) != 0)
