"""Many more architectures, each in one dialect.

ctest: standard timeout=900
"""

import sys

import models_more
import run

sys.exit(run.run("small", [f"{model.name}-*" for model in models_more.MODELS]) != 0)
