"""Every small model through torch.compile(backend="tenon"), with automatic and with dynamic shapes.

ctest: full timeout=1800
"""

import itertools
import sys

import dynamo_models
import models
import models_more

names = [model.name for model in models.MODELS]
selected = [*itertools.product(names, models.DTYPES, (None, True))]
for model in models_more.MODELS:
    if model.name != "recurrent":  # Dynamo leaves nn.LSTM to PyTorch
        selected.append((model.name, "fp32", None))
sys.exit(dynamo_models.main(selected))
