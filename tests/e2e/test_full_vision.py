"""The vision models in full size: every dtype, shape kind and dialect.

ctest: full timeout=7200
"""

import sys

import run

sys.exit(run.run("full", ["resnet*", "mobilenetv2*", "convnext_tiny*", "vit_b16*"]) != 0)
