"""More architectures in small size: one of each family that people deploy, with tiny configurations.

Same protocol as models.py (models.build, models.inputs, models.dynamic_shapes). Each is exported in
one dialect, with a dynamic batch where torch.export allows that; its outputs are the tensors of
whatever transformers returns, in order.
"""

import torch
import transformers

from models import OTHER, Model, Size

VOCABULARY = 99


def ids(draw, rows, length):
    return torch.randint(3, VOCABULARY, (rows, length), generator=draw)


def text(draw, rows, length=12):
    mask = torch.ones(rows, length, dtype=torch.long)
    mask[-1, -3:] = 0
    return {"input_ids": ids(draw, rows, length), "attention_mask": mask}


def translation(draw, rows):
    return {**text(draw, rows), "decoder_input_ids": ids(draw, rows, 7)}


def image(side):
    return lambda draw, rows: {"pixel_values": torch.randn(rows, 3, side, side, generator=draw)}


def captioned_image(draw, rows):
    return {**text(draw, rows), **image(32)(draw, rows)}


def masked_image(draw, rows):
    return {**image(64)(draw, rows), "pixel_mask": torch.ones(rows, 64, 64, dtype=torch.long)}


def pointed_image(draw, rows):
    points = torch.rand(rows, 1, 2, 2, generator=draw) * 64
    return {**image(64)(draw, rows), "input_points": points}


def audio(draw, rows):
    return {"input_values": torch.randn(rows, 400, generator=draw)}


def speech(draw, rows):
    spectrum = torch.randn(rows, 8, 32, generator=draw)
    return {"input_features": spectrum, "decoder_input_ids": ids(draw, rows, 7)}


def sequence(draw, rows):
    return {"input": torch.randn(rows, 9, 6, generator=draw)}


class Recurrent(torch.nn.Module):
    """Two bidirectional LSTM layers, then a GRU."""

    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(6, 8, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = torch.nn.GRU(16, 8, batch_first=True)

    def forward(self, input):
        out, (h, c) = self.lstm(input)
        return self.gru(out)[0], h, c


TRANSFORMER = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
}
DECODER = {
    **TRANSFORMER,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 24}
PATCHES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": 32,
    "patch_size": 8,
}
TWO_TOWERS = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
}


def pretrained(model, config, **settings):
    """Makes transformers' MODEL with CONFIG."""

    def make():
        module = getattr(transformers, model)(getattr(transformers, config)(**settings))
        for part in module.modules():  # decoders hold a copy of the configuration
            if hasattr(getattr(part, "config", None), "use_cache"):
                part.config.use_cache = False
        return module

    return make


def convolutional_backbone(**settings):
    return transformers.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 16, 24],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        **settings,
    )


def architecture(name, make, example, dialect, shapes="dynamic"):
    return Model(
        name,
        OTHER,
        (),
        Size(make, ((2, 0), (3, 0)), batch=8),
        None,
        example=example,
        dtypes=("fp32",),
        dialects=(dialect,),
        shapes=(shapes,),
    )


MODELS = [
    # encoders of text
    architecture(
        "albert",
        pretrained("AlbertModel", "AlbertConfig", embedding_size=16, **TRANSFORMER),
        text,
        "core",
    ),
    architecture(
        "convbert",
        pretrained(
            "ConvBertModel", "ConvBertConfig", embedding_size=16, conv_kernel_size=3, **TRANSFORMER
        ),
        text,
        "train",
    ),
    architecture(
        "deberta_v2",
        pretrained(
            "DebertaV2Model",
            "DebertaV2Config",
            relative_attention=True,
            pos_att_type=["p2c", "c2p"],
            position_buckets=8,
            norm_rel_ebd="layer_norm",
            share_att_key=True,
            **TRANSFORMER,
        ),
        text,
        "train",
    ),
    architecture(
        "xlnet",
        pretrained(
            "XLNetModel",
            "XLNetConfig",
            vocab_size=VOCABULARY,
            d_model=32,
            n_layer=2,
            n_head=4,
            d_inner=48,
        ),
        text,
        "core",
    ),
    # decoders
    architecture(
        "bloom",
        pretrained(
            "BloomForCausalLM",
            "BloomConfig",
            vocab_size=VOCABULARY,
            hidden_size=32,
            n_layer=2,
            n_head=4,
        ),
        text,
        "train",
    ),
    architecture(
        "gemma3",
        pretrained(
            "Gemma3ForCausalLM",
            "Gemma3TextConfig",
            head_dim=8,
            sliding_window=4,
            query_pre_attn_scalar=8,
            **DECODER,
        ),
        text,
        "train",
    ),
    architecture(
        "qwen3", pretrained("Qwen3ForCausalLM", "Qwen3Config", head_dim=8, **DECODER), text, "core"
    ),
    architecture(
        "mamba",
        pretrained(
            "MambaForCausalLM",
            "MambaConfig",
            vocab_size=VOCABULARY,
            hidden_size=32,
            num_hidden_layers=2,
            state_size=4,
            pad_token_id=0,
        ),
        text,
        "train",
    ),
    architecture(
        "mixtral",
        pretrained("MixtralForCausalLM", "MixtralConfig", num_local_experts=4, **EXPERTS, **DECODER),
        text,
        "train",
    ),
    architecture(
        "qwen2_moe",
        pretrained(
            "Qwen2MoeForCausalLM",
            "Qwen2MoeConfig",
            num_experts=4,
            shared_expert_intermediate_size=24,
            **EXPERTS,
            **DECODER,
        ),
        text,
        "core",
    ),
    # encoders with decoders
    architecture(
        "bart",
        pretrained(
            "BartForConditionalGeneration",
            "BartConfig",
            vocab_size=VOCABULARY,
            max_position_embeddings=64,
            pad_token_id=0,
            **TWO_TOWERS,
        ),
        translation,
        "train",
    ),
    architecture(
        "t5",
        pretrained(
            "T5ForConditionalGeneration",
            "T5Config",
            vocab_size=VOCABULARY,
            d_model=32,
            d_kv=8,
            d_ff=48,
            num_layers=2,
            num_heads=4,
        ),
        translation,
        "core",
    ),
    architecture(
        "whisper",
        pretrained(
            "WhisperForConditionalGeneration",
            "WhisperConfig",
            vocab_size=VOCABULARY,
            num_mel_bins=8,
            max_source_positions=16,
            max_target_positions=16,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=1,
            suppress_tokens=None,
            begin_suppress_tokens=None,
            **TWO_TOWERS,
        ),
        speech,
        "train",
    ),
    # images
    architecture(
        "detr",
        pretrained(
            "DetrForObjectDetection",
            "DetrConfig",
            use_timm_backbone=False,
            backbone_config=convolutional_backbone(out_features=["stage4"]),
            num_queries=5,
            **TWO_TOWERS,
        ),
        masked_image,
        "core",
    ),
    architecture(
        "mobilevitv2",
        pretrained(
            "MobileViTV2ForImageClassification",
            "MobileViTV2Config",
            image_size=64,
            width_multiplier=0.25,
            base_attn_unit_dims=[16, 24, 32],
            n_attn_blocks=[1, 1, 1],
        ),
        image(64),
        "train",
    ),
    architecture(
        "sam",
        pretrained(
            "SamModel",
            "SamConfig",
            vision_config={
                "hidden_size": 32,
                "num_hidden_layers": 1,
                "num_attention_heads": 4,
                "image_size": 64,
                "patch_size": 8,
                "window_size": 4,
                "global_attn_indexes": [0],
                "mlp_dim": 48,
                "output_channels": 16,
                "num_pos_feats": 8,
            },
            prompt_encoder_config={
                "hidden_size": 16,
                "image_size": 64,
                "patch_size": 8,
                "mask_input_channels": 4,
            },
            mask_decoder_config={
                "hidden_size": 16,
                "mlp_dim": 32,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "attention_downsample_rate": 1,
                "iou_head_hidden_dim": 16,
            },
        ),
        pointed_image,
        "train",
    ),
    architecture(
        "segformer",
        pretrained(
            "SegformerForSemanticSegmentation",
            "SegformerConfig",
            num_encoder_blocks=2,
            depths=[1, 1],
            sr_ratios=[2, 1],
            hidden_sizes=[16, 32],
            patch_sizes=[7, 3],
            strides=[4, 2],
            num_attention_heads=[1, 2],
            mlp_ratios=[2, 2],
            decoder_hidden_size=16,
        ),
        image(32),
        "core",
    ),
    architecture(
        "swin",
        pretrained(
            "SwinForImageClassification",
            "SwinConfig",
            image_size=32,
            patch_size=2,
            embed_dim=16,
            depths=[2, 2],
            num_heads=[2, 4],
            window_size=4,
        ),
        image(32),
        "train",
    ),
    # images with text, sound, sequences
    architecture(
        "clip",
        pretrained(
            "CLIPModel",
            "CLIPConfig",
            text_config={**TRANSFORMER, "max_position_embeddings": 16, "eos_token_id": 2},
            vision_config=PATCHES,
            projection_dim=16,
        ),
        captioned_image,
        "core",
    ),
    architecture(
        "wav2vec2",
        pretrained(
            "Wav2Vec2ForCTC",
            "Wav2Vec2Config",
            conv_dim=[16, 16],
            conv_stride=[5, 2],
            conv_kernel=[10, 3],
            num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=4,
            num_feat_extract_layers=2,
            **{**TRANSFORMER, "max_position_embeddings": None},
        ),
        audio,
        "train",
    ),
    architecture("recurrent", Recurrent, sequence, "train"),
]
