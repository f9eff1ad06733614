"""A sample of the models that test_dynamo_zoo.py has, through torch.compile(backend="tenon").

ctest: standard timeout=300
"""

import sys

import dynamo_models

SAMPLE = [
    ("resnet18", "fp32", None),
    ("vit_b16", "bf16", True),
    ("bert_base", "bf16", True),
    ("llama", "fp32", True),
    ("mixtral", "fp32", None),
    ("segformer", "fp32", None),
]
sys.exit(dynamo_models.main(SAMPLE))
