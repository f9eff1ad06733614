"""Small transformers of many architectures through tenon.compile: whatever tenon does not compute
runs in PyTorch, and the results are PyTorch's. Weights are random and seeded.

ctest: standard timeout=600
"""

import sys
import warnings

import torch
import transformers

import tenon

SMALL = dict(
    vocab_size=99, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
)
TEXT = dict(SMALL, max_position_embeddings=64)
GROUPED = dict(TEXT, num_key_value_heads=2)
IMAGE = dict(
    hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, image_size=32
)
LIMIT = 1e-4

# name: (model class, configuration class, its arguments)
ARCHITECTURES = {
    "albert": ("AlbertModel", "AlbertConfig", dict(TEXT, embedding_size=16)),
    "bart": (
        "BartModel",
        "BartConfig",
        dict(
            vocab_size=99,
            d_model=32,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            max_position_embeddings=64,
        ),
    ),
    "beit": ("BeitModel", "BeitConfig", dict(IMAGE, patch_size=8)),
    "deit": ("DeiTModel", "DeiTConfig", dict(IMAGE, patch_size=8)),
    "distilbert": (
        "DistilBertModel",
        "DistilBertConfig",
        dict(
            vocab_size=99, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=64
        ),
    ),
    "electra": ("ElectraModel", "ElectraConfig", dict(TEXT, embedding_size=16)),
    "gemma": ("GemmaForCausalLM", "GemmaConfig", dict(GROUPED, head_dim=8)),
    "gpt_neox": ("GPTNeoXModel", "GPTNeoXConfig", TEXT),
    "mistral": ("MistralForCausalLM", "MistralConfig", GROUPED),
    "mpnet": ("MPNetModel", "MPNetConfig", TEXT),
    "opt": (
        "OPTModel",
        "OPTConfig",
        dict(
            vocab_size=99,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            ffn_dim=64,
            max_position_embeddings=64,
            word_embed_proj_dim=32,
        ),
    ),
    "phi": ("PhiForCausalLM", "PhiConfig", TEXT),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", GROUPED),
    "roberta": ("RobertaModel", "RobertaConfig", TEXT),
    "t5_encoder": (
        "T5EncoderModel",
        "T5Config",
        dict(vocab_size=99, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4),
    ),
    "vit": ("ViTModel", "ViTConfig", dict(IMAGE, patch_size=8)),
}


def build(name):
    model_name, config_name, arguments = ARCHITECTURES[name]
    config = getattr(transformers, config_name)(**arguments)
    if hasattr(config, "use_cache"):
        config.use_cache = False
    torch.manual_seed(0)
    return getattr(transformers, model_name)(config).eval()


def example(name):
    generator = torch.Generator().manual_seed(1)
    if "image_size" in ARCHITECTURES[name][2]:
        return {"pixel_values": torch.randn(2, 3, 32, 32, generator=generator)}
    ids = torch.randint(3, 99, (2, 9), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    return {"input_ids": ids, "attention_mask": mask}


def compare(seen, wanted):
    """The largest difference of two results, in units of the wanted one's largest value."""
    if type(seen) is not type(wanted) or list(seen) != list(wanted):
        raise AssertionError(f"{type(seen).__name__} {list(seen)} instead of {list(wanted)}")
    worst = 0.0
    for key, tensor in wanted.items():
        if seen[key].shape != tensor.shape or seen[key].dtype != tensor.dtype:
            raise AssertionError(f"{key}: {seen[key].dtype} {list(seen[key].shape)}")
        worst = max(worst, float((seen[key] - tensor).abs().max() / tensor.abs().max()))
    if not worst <= LIMIT:
        raise AssertionError(f"differs by {worst:.1e}, limit {LIMIT:.0e}")
    return worst


def main():
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    failed = 0
    for name in ARCHITECTURES:
        model, inputs = build(name), example(name)
        try:
            with torch.no_grad():
                compiled = tenon.compile(model, kwarg_inputs=inputs)
                worst = compare(compiled(**inputs), model(**inputs))
            fallbacks = sorted({node["op"] for node in compiled.report.fallbacks})
            print(
                f"ok      {name}: {worst:.1e}, in PyTorch: {', '.join(fallbacks) or 'none'}",
                flush=True,
            )
        except (AssertionError, tenon.Error) as failure:
            failed += 1
            print(f"FAILED  {name}: {failure}", flush=True)
    print(f"{len(ARCHITECTURES) - failed} of {len(ARCHITECTURES)} architectures passed")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
