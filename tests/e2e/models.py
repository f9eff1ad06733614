"""The end-to-end models: one table, seeded random weights, seeded inputs.

Every model exists in two sizes: `small` keeps the structure with few layers and small widths,
`full` is the published configuration. Weights are random but not degenerate: each weight is scaled
by its fan-in, normalisation weights are not ones, batch norm statistics are those of random data,
then perturbed. A wrong operand, axis or layer therefore shows in the outputs, and activations
neither vanish nor explode.
"""

import dataclasses
import math
import typing
import zlib

import torch
import transformers
from torch import nn

import vision

VISION, TEXT, OTHER = "vision", "text", "other"
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclasses.dataclass(frozen=True)
class Size:
    """One size of a model. `shapes` are the input shapes that a model is run at, (batch, image
    side) for vision and (batch, sequence length) for text: the first one is the static export's,
    the second one the example of the dynamic export, which serves all of them. `batch` and
    `sequence` are the largest values of the dynamic dimensions.
    """

    make: typing.Callable[[], nn.Module]
    shapes: tuple
    batch: int = 4
    sequence: int = 0
    vocabulary: int = 0


@dataclasses.dataclass(frozen=True)
class Model:
    """A model of the table. `inputs` names forward's arguments, in order. `spelt_out` makes the
    decomposed dialect start from attention written as two matrix products and a softmax. A model of
    the kind OTHER has `example` instead of names, which makes all inputs of a batch from a random
    generator and a number of rows; only its batch is dynamic. `full` is None where there is no such
    size; `dtypes`, `dialects` and `shapes` are those that it is exported in."""

    name: str
    kind: str
    inputs: tuple
    small: Size
    full: Size
    spelt_out: bool = False
    example: typing.Callable = None
    dtypes: tuple = tuple(DTYPES)
    dialects: tuple = ("train", "core")
    shapes: tuple = ("static", "dynamic")

    def size(self, name):
        return {"small": self.small, "full": self.full}[name]


class Outputs(nn.Module):
    """A transformers model with plain tensors as results: the named fields of its output object."""

    def __init__(self, model, *fields, **options):
        super().__init__()
        self.model = model
        self.fields = fields
        self.options = options

    def forward(self, *args, **kwargs):
        result = self.model(*args, **kwargs, **self.options)
        values = tuple(getattr(result, field) for field in self.fields)
        return values[0] if len(values) == 1 else values


class ImageInput(Outputs):
    def forward(self, pixel_values):
        return super().forward(pixel_values=pixel_values)


class MaskedTextInput(Outputs):
    def forward(self, input_ids, attention_mask):
        return super().forward(input_ids=input_ids, attention_mask=attention_mask)


class TextInput(Outputs):
    def forward(self, input_ids):
        return super().forward(input_ids=input_ids)


def vit(**config):
    return ImageInput(
        transformers.ViTForImageClassification(transformers.ViTConfig(num_labels=1000, **config)),
        "logits",
    )


def bert(**config):
    model = transformers.BertModel(transformers.BertConfig(**config))
    return MaskedTextInput(model, "last_hidden_state", "pooler_output")


def gpt2(**config):
    return TextInput(
        transformers.GPT2LMHeadModel(transformers.GPT2Config(**config)), "logits", use_cache=False
    )


def llama(**config):
    config = transformers.LlamaConfig(max_position_embeddings=1024, **config)
    return MaskedTextInput(transformers.LlamaForCausalLM(config), "logits", use_cache=False)


MODELS = [
    Model(
        "resnet18",
        VISION,
        ("x",),
        Size(
            lambda: vision.ResNet(vision.BasicBlock, (1, 1, 1, 1), 16, 50),
            ((1, 64), (3, 64), (2, 64)),
        ),
        Size(lambda: vision.ResNet(vision.BasicBlock, (2, 2, 2, 2)), ((1, 224), (2, 224))),
    ),
    Model(
        "resnet50",
        VISION,
        ("x",),
        Size(
            lambda: vision.ResNet(vision.Bottleneck, (2, 1, 1, 1), 16, 50),
            ((1, 64), (3, 64), (2, 64)),
        ),
        Size(lambda: vision.ResNet(vision.Bottleneck, (3, 4, 6, 3)), ((1, 224), (2, 224))),
    ),
    Model(
        "mobilenetv2",
        VISION,
        ("x",),
        Size(
            lambda: vision.MobileNetV2(((1, 8, 1, 1), (6, 12, 2, 2), (6, 20, 2, 1)), 16, 80, 50),
            ((1, 64), (3, 64), (2, 64)),
        ),
        Size(vision.MobileNetV2, ((1, 224), (2, 224))),
    ),
    Model(
        "convnext_tiny",
        VISION,
        ("x",),
        Size(
            lambda: vision.ConvNeXt((1, 1, 2, 1), (16, 24, 40, 56), 50), ((1, 64), (3, 64), (2, 64))
        ),
        Size(vision.ConvNeXt, ((1, 224), (2, 224))),
    ),
    Model(
        "vit_b16",
        VISION,
        ("pixel_values",),
        Size(
            lambda: vit(
                hidden_size=48,
                num_hidden_layers=2,
                num_attention_heads=3,
                intermediate_size=96,
                image_size=64,
            ),
            ((1, 64), (3, 64), (2, 64)),
        ),
        Size(vit, ((1, 224), (2, 224))),
    ),
    Model(
        "bert_base",
        TEXT,
        ("input_ids", "attention_mask"),
        Size(
            lambda: bert(
                vocab_size=199,
                hidden_size=48,
                num_hidden_layers=2,
                num_attention_heads=3,
                intermediate_size=96,
                max_position_embeddings=64,
            ),
            ((2, 17), (3, 32), (1, 5), (4, 64)),
            4,
            64,
            199,
        ),
        Size(bert, ((2, 128), (3, 48), (1, 200)), 4, 512, 30522),
    ),
    Model(
        "gpt2",
        TEXT,
        ("input_ids",),
        Size(
            lambda: gpt2(vocab_size=199, n_positions=64, n_embd=48, n_layer=2, n_head=3),
            ((2, 17), (3, 32), (1, 5), (4, 64)),
            4,
            64,
            199,
        ),
        Size(gpt2, ((2, 64), (3, 33), (1, 100)), 4, 1024, 50257),
        # PyTorch 2.13 decomposes scaled_dot_product_attention to a result whose strides the model's
        # next view refuses for batches above one.
        spelt_out=True,
    ),
    Model(
        "llama",
        TEXT,
        ("input_ids", "attention_mask"),
        Size(
            lambda: llama(
                vocab_size=199,
                hidden_size=48,
                num_hidden_layers=2,
                num_attention_heads=6,
                num_key_value_heads=2,
                intermediate_size=112,
            ),
            ((2, 17), (3, 32), (1, 5), (4, 64)),
            4,
            64,
            199,
        ),
        Size(
            lambda: llama(
                vocab_size=32000,
                hidden_size=512,
                num_hidden_layers=8,
                num_attention_heads=8,
                num_key_value_heads=2,
                intermediate_size=1408,
            ),
            ((2, 64), (3, 33), (1, 100)),
            4,
            1024,
            32000,
        ),
    ),
]


def find(name):
    for model in MODELS:
        if model.name == name:
            return model
    raise KeyError(f"no model {name}; there are {', '.join(model.name for model in MODELS)}")


def generator(*key):
    """A random generator that depends on `key` alone, so that nothing else drawn changes its
    numbers."""
    return torch.Generator().manual_seed(zlib.crc32("/".join(map(str, key)).encode()))


def build(model, size_name, dtype_name, dialect="train"):
    """The model of one size and dtype, in inference mode, ready to be exported in a dialect:
    "train" as traced, "core" decomposed."""
    torch.manual_seed(0)  # for buffers that a module draws itself
    module = model.size(size_name).make()
    if model.spelt_out and dialect == "core":
        module.model.set_attn_implementation("eager")
    with torch.no_grad():
        randomise(module, f"{model.name}/{size_name}")
        if any(isinstance(child, nn.BatchNorm2d) for child in module.modules()):
            calibrate(module, inputs(model, size_name, "fp32", 0, batch=8))
    cast(module, DTYPES[dtype_name])
    return module.eval().requires_grad_(False)


def randomise(module, seed):
    """Gives every parameter random values of a size that keeps activations near one."""
    for name, parameter in module.named_parameters():
        draw = generator("weight", seed, name)
        owner = module.get_submodule(name.rpartition(".")[0])
        if isinstance(owner, nn.Embedding):
            parameter.normal_(0, 1 / math.sqrt(parameter.shape[1]), generator=draw)
        elif isinstance(owner, transformers.pytorch_utils.Conv1D) and parameter.dim() == 2:
            parameter.normal_(0, 1 / math.sqrt(parameter.shape[0]), generator=draw)
        elif isinstance(owner, (nn.Linear, nn.Conv2d)) and parameter.dim() > 1:
            parameter.normal_(0, 1 / math.sqrt(parameter[0].numel()), generator=draw)
        elif name.endswith("bias"):
            parameter.normal_(0, 0.1, generator=draw)
        elif name.endswith("weight") or name.endswith("layer_scale"):
            parameter.uniform_(0.5, 1.5, generator=draw)
        else:
            parameter.normal_(0, 0.5, generator=draw)


def calibrate(module, example):
    """Sets batch norm statistics to those of `example`'s activations, then perturbs them."""
    norms = {
        name: child for name, child in module.named_modules() if isinstance(child, nn.BatchNorm2d)
    }
    for norm in norms.values():
        norm.momentum = 1.0
    module.train()
    module(**example)
    for name, norm in norms.items():
        draw = generator("statistics", name)
        deviation = norm.running_var.sqrt()
        norm.running_mean += 0.2 * deviation * torch.randn(deviation.shape, generator=draw)
        norm.running_var *= torch.rand(deviation.shape, generator=draw) + 0.5
        norm.num_batches_tracked.fill_(1)


def cast(module, dtype):
    """Casts parameters and buffers to `dtype`, except rotary frequencies: transformers keeps those
    in float32."""
    frequencies = {
        name: buffer for name, buffer in module.named_buffers() if name.endswith("inv_freq")
    }
    module.to(dtype)
    for name, buffer in frequencies.items():
        owner, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(owner), leaf, buffer)


def inputs(model, size_name, dtype_name, index, batch=None):
    """The model's inputs by name, at the size's shape number `index`. Images are smooth fields with
    noise; token rows are padded to different lengths, the padding masked."""
    size = model.size(size_name)
    rows, length = size.shapes[index]
    rows = batch or rows
    draw = generator("input", model.name, size_name, index, rows)
    if model.kind == OTHER:
        return {
            name: tensor.to(DTYPES[dtype_name]) if tensor.is_floating_point() else tensor
            for name, tensor in model.example(draw, rows).items()
        }
    if model.kind == VISION:
        coarse = torch.randn(rows, 3, 7, 7, generator=draw)
        smooth = nn.functional.interpolate(coarse, (length, length), mode="bilinear")
        noise = torch.randn(rows, 3, length, length, generator=draw)
        return {model.inputs[0]: (smooth + 0.5 * noise).to(DTYPES[dtype_name])}
    ids = torch.randint(1, size.vocabulary, (rows, length), generator=draw)
    if len(model.inputs) == 1:
        return {"input_ids": ids}
    lengths = [max(1, length - row * length // rows // 2 - length // 4) for row in range(rows)]
    mask = (torch.arange(length)[None] < torch.tensor(lengths)[:, None]).long()
    return {"input_ids": ids * mask, "attention_mask": mask}


def dynamic_shapes(model, size_name):
    """What torch.export is told of the dynamic dimensions: every input's batch, and the sequence of
    text."""
    size = model.size(size_name)
    dims = {0: torch.export.Dim("batch", min=1, max=size.batch)}
    if model.kind == OTHER:
        names = model.example(generator("names"), 1)
        return {name: dims for name in names}
    if model.kind == TEXT:
        dims[1] = torch.export.Dim("sequence", min=2, max=size.sequence)
    return {name: dims for name in model.inputs}
