"""Makes checkpoint folders of the real, full-size architectures with random weights and the real processors' settings.

`python tests/full_size.py FOLDER` writes FOLDER/{blip,nllb,grounding-dino,mm-grounding-dino,wide_resnet50_2}, ordinary
`from_pretrained` and timm folders of some 2.2 GB. Vocabularies have the real size and the real places of the special
tokens.
"""

import json
import sys
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    BertTokenizerFast,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    M2M100Config,
    M2M100ForConditionalGeneration,
    MMGroundingDinoConfig,
    MMGroundingDinoForObjectDetection,
    NllbTokenizer,
    SwinConfig,
)

from pipelines.core.terminal import settle

WORDS = ["dog", "cat", "person", "car", "a", "photo", "of", "two", "##s"]


def save_bert_tokenizer(folder: Path, added: dict[str, Any] | None = None) -> None:
    """A tokenizer of bert-base-uncased's size, with its special tokens, '.' and '?' where the models expect them."""
    vocabulary = [f"[unused{number}]" for number in range(30522)]
    vocabulary[0] = "[PAD]"
    vocabulary[100:104] = ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary[1012], vocabulary[1029] = ".", "?"
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    for number, word in enumerate(dict.fromkeys([*WORDS, *letters, *("##" + letter for letter in letters)])):
        vocabulary[2000 + number] = word
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True)
    tokenizer.add_special_tokens(added or {})
    tokenizer.save_pretrained(folder)


def blip(folder: Path, layers: int = 12) -> Path:
    """Salesforce/blip-image-captioning-base: ViT-B/16 at 384 px, a 12-layer decoder."""
    save_bert_tokenizer(folder, {"bos_token": "[DEC]", "additional_special_tokens": ["[ENC]"]})  # 30522 and 30523
    size = {"hidden_size": 768, "num_hidden_layers": layers, "num_attention_heads": 12}
    text = {**size, "vocab_size": 30524, "encoder_hidden_size": 768, "bos_token_id": 30522, "sep_token_id": 102}
    config = BlipConfig(
        text_config=text | {"pad_token_id": 0, "eos_token_id": 2}, vision_config={**size, "image_size": 384}
    )
    network = BlipForConditionalGeneration(config)
    with torch.no_grad():  # drawn wider than usual, so that what it says depends on the picture
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.1)
    network.half().save_pretrained(folder)
    BlipImageProcessor(size={"height": 384, "width": 384}).save_pretrained(folder)
    return folder


def nllb(folder: Path, layers: int = 12) -> Path:
    """facebook/nllb-200-distilled-600M: 12 + 12 layers, 1024 wide, 256,206 tokens (the tokenizer here has fewer)."""
    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.Metaspace()
    bpe.train_from_iterator(
        ["a dog and two cats in a photo of a car", "강아지 두 마리와 자동차 한 대"] * 2,
        trainers.BpeTrainer(special_tokens=["<s>", "<pad>", "</s>", "<unk>"], show_progress=False),
    )
    state = json.loads(bpe.to_str())["model"]
    tokenizer = NllbTokenizer(
        vocab=state["vocab"], merges=[tuple(pair) for pair in state["merges"]], src_lang="eng_Latn", tgt_lang="kor_Hang"
    )
    config = M2M100Config(
        vocab_size=256206, d_model=1024, encoder_layers=layers, decoder_layers=layers, encoder_ffn_dim=4096,
        decoder_ffn_dim=4096, encoder_attention_heads=16, decoder_attention_heads=16, max_position_embeddings=1024,
        activation_function="relu", scale_embedding=True, decoder_start_token_id=2, max_length=200,
    )  # fmt: skip
    M2M100ForConditionalGeneration(config).half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def grounding_dino(folder: Path, depths: tuple[int, ...] = (2, 2, 6, 2)) -> Path:
    """IDEA-Research/grounding-dino-tiny: Swin-T, BERT-base, 6 + 6 layers, 900 queries, 800 to 1333 px."""
    save_bert_tokenizer(folder)
    backbone = SwinConfig(
        embed_dim=96, depths=list(depths), num_heads=[3, 6, 12, 24], window_size=7, image_size=224,
        out_indices=[2, 3, 4],
    )  # fmt: skip
    GroundingDinoForObjectDetection(GroundingDinoConfig(backbone_config=backbone)).half().save_pretrained(folder)
    GroundingDinoImageProcessor().save_pretrained(folder)
    return folder


def mm_grounding_dino(folder: Path, layers: int = 6) -> Path:
    """iSEE-Laboratory/llmdet_tiny, of MM-Grounding-DINO's class: as above, with heads of its own for each layer.

    As huggingface/transformers' convert_mm_grounding_dino_to_hf.py made it. Heads that are new move no box: these are
    drawn.
    """
    save_bert_tokenizer(folder)
    backbone = SwinConfig(
        embed_dim=96, depths=[2, 2, 6, 2], num_heads=[3, 6, 12, 24], window_size=7, image_size=224,
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = MMGroundingDinoConfig(
        backbone_config=backbone, encoder_layers=layers, decoder_layers=layers,
        decoder_bbox_embed_share=False, decoder_cls_embed_share=False,
    )  # fmt: skip
    network = MMGroundingDinoForObjectDetection(config)
    with torch.no_grad():
        for number, (boxes, classes) in enumerate(zip(network.bbox_embed, network.class_embed, strict=True)):
            boxes.layers[-1].weight.normal_(0, 0.02)
            classes.bias.fill_(-number / layers)
    network.half().save_pretrained(folder)
    GroundingDinoImageProcessor().save_pretrained(folder)
    return folder


def wide_resnet(folder: Path, name: str = "wide_resnet50_2") -> Path:
    """timm/wide_resnet50_2.tv_in1k as a timm folder."""
    model = timm.create_model(name, pretrained=False)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / "model.safetensors")
    shown = {key: model.pretrained_cfg.get(key) for key in ("input_size", "interpolation", "crop_pct", "mean", "std")}
    config = {"architecture": name, "num_classes": 1000, "num_features": 2048, "pretrained_cfg": shown}
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    return folder


MAKERS = {
    "blip": blip,
    "nllb": nllb,
    "grounding-dino": grounding_dino,
    "mm-grounding-dino": mm_grounding_dino,
    "wide_resnet50_2": wide_resnet,
}


def made(name: str, folder: Path) -> Path:
    """The checkpoint folder `name` in `folder`; seeded, so that it is the same each time."""
    torch.manual_seed(0)
    return MAKERS[name](folder / name)


if __name__ == "__main__":
    settle()
    for name in MAKERS:
        print(made(name, Path(sys.argv[1])))
