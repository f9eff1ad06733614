"""The text models in full size: every dtype, shape kind and dialect.

ctest: full timeout=7200
"""

import sys

import run

sys.exit(run.run("full", ["bert_base*", "gpt2*", "llama*"]) != 0)
