"""Of what repositories hold, what is loaded."""

import pytest

from pipelines.core.networks.hub.files import has_pickles, has_weights, index_of, settings, weights

INDEX = "model.safetensors.index.json"
SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]

# name -> (what its repository holds, what is loaded of it). Laid out like https://huggingface.co/NAME/tree/main, cut
# down to what decides; a name in brackets is a kind. What is loaded of folders follows transformers 5.23
# (processing_utils.py, tokenization_utils_base.py, video_processing_utils.py).
REPOSITORIES = {
    "facebook/m2m100_418M": (  # no safetensors at all
        ["README.md", "config.json", "generation_config.json", "pytorch_model.bin", "rust_model.ot",
         "sentencepiece.bpe.model", "tokenizer_config.json", "vocab.json"],
        ["config.json", "generation_config.json", "pytorch_model.bin", "sentencepiece.bpe.model",
         "tokenizer_config.json", "vocab.json"],
    ),
    "Salesforce/blip-image-captioning-large": (
        ["config.json", "model.safetensors", "preprocessor_config.json", "pytorch_model.bin", "special_tokens_map.json",
         "tf_model.h5", "tokenizer.json", "tokenizer_config.json", "vocab.txt"],
        ["config.json", "model.safetensors", "preprocessor_config.json", "special_tokens_map.json", "tokenizer.json",
         "tokenizer_config.json", "vocab.txt"],
    ),
    "laion/CLIP-ViT-B-32-laion2B-s34B-b79K": (
        ["config.json", "merges.txt", "model.safetensors", "open_clip_config.json", "open_clip_model.safetensors",
         "open_clip_pytorch_model.bin", "preprocessor_config.json", "pytorch_model.bin", "tokenizer.json",
         "vocab.json"],
        ["config.json", "merges.txt", "model.safetensors", "open_clip_config.json", "preprocessor_config.json",
         "tokenizer.json", "vocab.json"],
    ),
    "timm/vit_small_patch16_dinov3.lvd1689m": (
        ["LICENSE.md", "config.json", "model.safetensors", "pytorch_model.bin"],
        ["config.json", "model.safetensors"],
    ),
    "Qwen/Qwen3-VL-4B-Instruct": (
        ["chat_template.json", "config.json", "generation_config.json", "merges.txt", *SHARDS, INDEX,
         "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", "video_preprocessor_config.json",
         "vocab.json"],
        ["chat_template.json", "config.json", "generation_config.json", "merges.txt", *SHARDS, INDEX,
         "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", "video_preprocessor_config.json",
         "vocab.json"],
    ),
    "Salesforce/instructblip-flan-t5-xl": (
        ["config.json", *SHARDS, INDEX, "preprocessor_config.json", "pytorch_model.bin.index.json",
         "pytorch_model-00001-of-00002.bin", "qformer_tokenizer/special_tokens_map.json",
         "qformer_tokenizer/tokenizer.json", "qformer_tokenizer/vocab.txt", "spiece.model"],
        ["config.json", *SHARDS, INDEX, "preprocessor_config.json", "qformer_tokenizer/special_tokens_map.json",
         "qformer_tokenizer/tokenizer.json", "qformer_tokenizer/vocab.txt", "spiece.model"],
    ),
    "llava-hf/llava-onevision-qwen2-0.5b-ov-hf": (
        ["chat_template.jinja", "config.json", "model.safetensors", "onnx/config.json", "onnx/vision_encoder.onnx",
         "preprocessor_config.json", "processor_config.json", "video_processor/preprocessor_config.json"],
        ["chat_template.jinja", "config.json", "model.safetensors", "preprocessor_config.json",
         "processor_config.json"],
    ),
    "Helsinki-NLP/opus-mt-tc-big-en-ko": (
        ["benchmark_results.txt", "config.json", "pytorch_model.bin", "model.safetensors", "source.spm", "target.spm",
         "vocab.json"],
        ["config.json", "model.safetensors", "source.spm", "target.spm", "vocab.json"],
    ),
    "[sentence-transformers]": (
        ["1_Pooling/config.json", "config.json", "model.safetensors", "onnx/model.onnx", "openvino/openvino_model.xml",
         "openvino/model.safetensors", "fp16/model.safetensors"],
        ["config.json", "model.safetensors"],
    ),
    "[a model that was trained further]": (
        ["adapter_config.json", "adapter_model.safetensors", "all_results.json", "checkpoint-500/model.safetensors",
         "checkpoint-500/tokenizer.json", "config.json", "model.safetensors", "trainer_state.json",
         "training_args.bin"],
        ["adapter_config.json", "config.json", "model.safetensors"],
    ),
    "[both kinds of weights]": (
        ["config.json", "consolidated.safetensors", "model.safetensors", *SHARDS, INDEX],
        ["config.json", "model.safetensors"],
    ),
    "[variants]": (
        ["config.json", "model.fp16.safetensors", "model.safetensors", "model.fp16.safetensors.index.json"],
        ["config.json", "model.safetensors"],
    ),
    "[a name of its own]": (["config.json", "other.safetensors", "some.txt"], ["config.json", "other.safetensors"]),
    "[templates]": (
        ["additional_chat_templates/rag.jinja", "additional_chat_templates/readme.json", "config.json",
         "model.safetensors"],
        ["additional_chat_templates/rag.jinja", "config.json", "model.safetensors"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REPOSITORIES)
def test_what_is_loaded_is_fetched_and_nothing_else(name):
    there, loaded = REPOSITORIES[name]
    index = {"weight_map": {"a": SHARDS[0], "b": SHARDS[1]}} if index_of(there) else None
    assert sorted([*settings(there), *weights(there, index)]) == loaded
    assert has_weights(there) or has_pickles(there)


def test_weights_are_in_the_root_and_in_safetensors():
    assert not has_weights([]) and not has_weights(["config.json", "pytorch_model.bin", "fp16/model.safetensors"])
    assert weights(["config.json", "fp16/model.safetensors"]) == []


@pytest.mark.parametrize("index", [{}, {"weight_map": []}, {"weight_map": {"a": "../x.safetensors", "b": "c"}}])
def test_an_index_names_files_of_the_root_only(index):
    assert weights([INDEX, *SHARDS], index) == []
