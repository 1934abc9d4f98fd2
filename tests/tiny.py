"""Makes small checkpoint folders with random weights of the real text-writing architectures, in a second each.

The weights are drawn wide, so that what such a network writes varies with what it reads.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    BertTokenizerFast,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipForImageTextRetrieval,
    BlipImageProcessor,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    M2M100Config,
    M2M100ForConditionalGeneration,
    MarianConfig,
    MarianMTModel,
    NllbTokenizer,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
)

from mini.train_clip import make_tokenizer as clip_tokenizer

ENGLISH = "a photo of one two three dogs cats cars apples and the red blue green on under"
KOREAN = "강아지 두 마리와 자동차 한 대 그리고 사과 세 개가 나무 아래에 있습니다"


def blip(folder: Path, size: int = 32) -> Path:
    """BLIP of `size` px with a WordPiece tokenizer of some 40 words."""
    return _blip(BlipForConditionalGeneration, folder, size)


def blip_itm(folder: Path, size: int = 32) -> Path:
    """The same BLIP with the heads that match pictures and texts, in place of the one that writes."""
    return _blip(BlipForImageTextRetrieval, folder, size)


def _blip(kind: Any, folder: Path, size: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]", *ENGLISH.split()]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"))
    tokenizer.add_special_tokens({"bos_token": "[DEC]", "additional_special_tokens": ["[ENC]"]})
    tokenizer.save_pretrained(folder)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    text = {
        "vocab_size": len(words), "encoder_hidden_size": 32, "bos_token_id": 5, "eos_token_id": 3, "sep_token_id": 3,
        "pad_token_id": 0, "max_position_embeddings": 64,
    }  # fmt: skip
    config = BlipConfig(text_config=shape | text, vision_config={**shape, "image_size": size, "patch_size": 8})
    _save(kind, config, folder, quiet=[0, 1, 2, 4, 5, 6])
    BlipImageProcessor(size={"height": size, "width": size}).save_pretrained(folder)
    return folder


def nllb(folder: Path) -> Path:
    """M2M100 with NLLB's tokenizer, trained on the words above."""
    tokenizer = _nllb_tokenizer()
    config = M2M100Config(
        vocab_size=len(tokenizer), d_model=32, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=64,
        decoder_ffn_dim=64, encoder_attention_heads=4, decoder_attention_heads=4, max_position_embeddings=64,
        decoder_start_token_id=2,
    )  # fmt: skip
    _save(M2M100ForConditionalGeneration, config, folder, quiet=tokenizer.all_special_ids, max_length=200)
    tokenizer.save_pretrained(folder)
    return folder


def marian(folder: Path) -> Path:
    """Marian of one pair of languages in the layout of Helsinki-NLP/opus-mt-*, with words as its pieces."""
    folder.mkdir(parents=True, exist_ok=True)
    text = folder / "text.txt"
    text.write_text(f"{ENGLISH}\n{KOREAN}\n" * 20, encoding="utf-8")
    for name in ("source", "target"):
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix=str(folder / name), vocab_size=90, hard_vocab_limit=False, minloglevel=2
        )
        (folder / f"{name}.model").rename(folder / f"{name}.spm")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    words = [pieces.id_to_piece(number) for number in range(len(pieces))]
    vocabulary = ["</s>", "<unk>", *(word for word in words if word not in ("<s>", "</s>", "<unk>")), "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(vocabulary)}))
    (folder / "tokenizer_config.json").write_text('{"target_lang": "ko", "source_lang": "en"}')  # as opus-mt-en-mg's
    pad = len(vocabulary) - 1
    config = MarianConfig(
        vocab_size=len(vocabulary), d_model=32, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=64,
        decoder_ffn_dim=64, encoder_attention_heads=4, decoder_attention_heads=4, max_position_embeddings=64,
        pad_token_id=pad, eos_token_id=0, forced_eos_token_id=0, decoder_start_token_id=pad,
    )  # fmt: skip
    _save(MarianMTModel, config, folder, quiet=[1, pad], bad_words_ids=[[pad]], num_beams=4)
    return folder


def qwen_vl(folder: Path) -> Path:
    """Qwen2.5-VL, the chat model, with a word tokenizer and a chat template of its kind."""
    names = ["endoftext", "im_start", "im_end", "vision_start", "vision_end", "image_pad", "video_pad"]
    special = [f"<|{name}|>" for name in names]
    words = {word: number for number, word in enumerate([*special, "?", *KOREAN.split()])}
    backend = Tokenizer(models.WordLevel(words, "?"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, additional_special_tokens=special[1:], eos_token=special[2], pad_token=special[0]
    )
    shape = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}
    text = {
        "vocab_size": len(tokenizer), "num_hidden_layers": 2, "num_key_value_heads": 2, "max_position_embeddings": 512,
        "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 0,
        "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0},
    }  # fmt: skip
    vision = {
        "depth": 2, "hidden_size": 32, "num_heads": 4, "intermediate_size": 64, "out_hidden_size": 32,
        "window_size": 56, "fullatt_block_indexes": [1],
    }  # fmt: skip
    config = Qwen2_5_VLConfig(
        text_config=shape | text,
        vision_config=vision,
        vision_start_token_id=words["<|vision_start|>"],
        vision_end_token_id=words["<|vision_end|>"],
        image_token_id=words["<|image_pad|>"],
        video_token_id=words["<|video_pad|>"],
    )
    sampling = {"do_sample": True, "temperature": 0.1, "top_p": 0.001, "repetition_penalty": 1.05}
    _save(Qwen2_5_VLForConditionalGeneration, config, folder, quiet=range(len(special)), **sampling)
    template = (
        "{% for message in messages %}<|im_start|> {{ message['role'] }} {% for part in message['content'] %}"
        "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|> {% else %}{{ part['text'] }}"
        "{% endif %}{% endfor %}<|im_end|>{% endfor %}{% if add_generation_prompt %} <|im_start|> assistant{% endif %}"
    )
    limits = {"shortest_edge": 56 * 56, "longest_edge": 84 * 84}
    Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(size=limits), tokenizer, Qwen2VLVideoProcessor(size=limits), chat_template=template
    ).save_pretrained(folder)
    return folder


def clip(folder: Path, size: int = 32) -> Path:
    """CLIP with its own tokenizer over the mini world's words."""
    tokenizer = clip_tokenizer()
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    text = {
        "vocab_size": len(tokenizer), "max_position_embeddings": 16, "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    vision = shape | {"image_size": size, "patch_size": 8}
    _save(CLIPModel, CLIPConfig(text_config=shape | text, vision_config=vision, projection_dim=24), folder)
    crop = {"height": size, "width": size}
    CLIPProcessor(CLIPImageProcessor(size={"shortest_edge": size}, crop_size=crop), tokenizer).save_pretrained(folder)
    return folder


def siglip(folder: Path, size: int = 32) -> Path:
    """SigLIP, whose texts are padded to its longest, with a word tokenizer."""
    words = {word: number for number, word in enumerate(["<pad>", "</s>", "?", *f"{ENGLISH} {KOREAN}".split()])}
    backend = Tokenizer(models.WordLevel(words, "?"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    text = shape | {"vocab_size": len(words), "max_position_embeddings": 16, "projection_size": 32}
    vision = shape | {"image_size": size, "patch_size": 8}
    _save(SiglipModel, SiglipConfig(text_config=text, vision_config=vision), folder)
    PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="</s>", pad_token="<pad>", unk_token="?"
    ).save_pretrained(folder)
    SiglipImageProcessor(size={"height": size, "width": size}).save_pretrained(folder)
    return folder


def _nllb_tokenizer() -> NllbTokenizer:
    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(special_tokens=["<s>", "<pad>", "</s>", "<unk>"], show_progress=False)
    bpe.train_from_iterator([ENGLISH, KOREAN] * 2, trainer)
    state = json.loads(bpe.to_str())["model"]
    merges = [tuple(pair) for pair in state["merges"]]
    return NllbTokenizer(vocab=state["vocab"], merges=merges, src_lang="eng_Latn", tgt_lang="kor_Hang")


def _save(kind: Any, config: Any, folder: Path, quiet: Iterable[int] = (), **generation: object) -> None:
    """Saves a network with weights drawn wide, tokens in `quiet` scored low, and a generation config as on the hub."""
    torch.manual_seed(0)
    network = kind(config)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3)
        if network.can_generate():
            head = network.get_output_embeddings() or network.get_input_embeddings()
            head.weight[list(quiet)] *= 0.01
            network.generation_config.update(**generation)
    network.save_pretrained(folder)
