"""The vision models in small size: every dtype, shape kind and dialect.

ctest: standard timeout=900
"""

import sys

import run

sys.exit(run.run("small", ["resnet*", "mobilenetv2*", "convnext_tiny*", "vit_b16*"]) != 0)
