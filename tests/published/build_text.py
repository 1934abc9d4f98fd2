"""Small vocabularies in the layouts that the hub's tokenizers have, with special tokens at their published ids.

Words are ours: some English, some Korean. Ids that no word has are holes, or fillers where a file is numbered by line.
"""

import io
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers.convert_slow_tokenizer import generate_merges

from tests.published.facts import Facts

_ENGLISH = """
a photo of an image the one two three four five dog dogs cat cats person people man woman car cars bus train bicycle
apple apples banana cup bottle chair table tree flower bird horse sheep cow boat ball book traffic light red green blue
black white small large on in under with and is are there standing sitting next to what picture describe this sentence
please user assistant system
"""
_KOREAN = """
강아지 고양이 사람 자동차 버스 기차 자전거 사과 바나나 컵 병 의자 탁자 나무 꽃 새 말 양 소 배 공 책 신호등 빨간 초록
파란 한 두 세 네 마리 마리와 대 개 명 사진 사진을 그림 이 있는 있습니다 위에 아래에 그리고 한국어 문장으로 설명해 주세요
의 를 을 가 는 옆에 앉아 서
"""
ENGLISH, KOREAN = tuple(_ENGLISH.split()), tuple(_KOREAN.split())
ENGLISH_ONLY = frozenset(
    {"openai/clip-vit-base-patch32", "openai/clip-vit-large-patch14", "google/siglip-base-patch16-224"}
)
"""Checkpoints whose vocabulary has no Korean: CLIP cuts a syllable into its bytes, SigLIP has but <unk> for it."""
LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
CLIP_START, CLIP_END, CLIP_SIZE = "<|startoftext|>", "<|endoftext|>", 49408
CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""A word to CLIP, by https://github.com/openai/CLIP/blob/main/clip/simple_tokenizer.py, less its special tokens."""
BERT_SIZE = 30522
ENDS = ("<|endoftext|>", "<|im_end|>", "<end_of_utterance>")
"""What a chat model ends an answer with."""


@dataclass(frozen=True)
class Text:
    """A tokenizer's files, by their published names."""

    files: Mapping[str, bytes]
    words: Sequence[int]
    """The ids of whole words, in the language that the checkpoint is to write: what a network may say."""
    size: int
    """One more than the highest id."""


def bert(facts: Facts) -> Text:
    """bert-base-uncased's: vocab.txt of 30,522 lines, [CLS] 101, [SEP] 102, '.' 1012 and '?' 1029."""
    tokens = [f"[u{number}]" for number in range(BERT_SIZE)]
    tokens[0], tokens[1012], tokens[1029] = "[PAD]", ".", "?"
    tokens[100:104] = ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = list(dict.fromkeys([*ENGLISH, *LETTERS, *("##" + letter for letter in LETTERS)]))
    tokens[2000 : 2000 + len(words)] = words
    vocabulary = {token: number for number, token in enumerate(tokens)}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer, backend.decoder = normalizers.BertNormalizer(), decoders.WordPiece()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", 102), ("[CLS]", 101))
    backend.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    files = {"vocab.txt": ("\n".join(tokens) + "\n").encode(), "tokenizer.json": _json(backend)}
    return Text(files, range(2000, 2000 + len(ENGLISH)), BERT_SIZE)


def clip(facts: Facts) -> Text:
    """CLIP's: all bytes within and at the end of a word; the start is 49406, the end 49407, the highest of all."""
    alphabet, merges = _byte_merges(_words(facts), "</w>")
    tokens = [*alphabet, *(byte + "</w>" for byte in alphabet), *("".join(merge) for merge in merges)]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    vocabulary |= {CLIP_START: CLIP_SIZE - 2, CLIP_END: CLIP_SIZE - 1}
    backend = Tokenizer(models.BPE(vocabulary, merges, end_of_word_suffix="</w>", unk_token=CLIP_END))
    spaces = normalizers.Replace(Regex(r"\s+"), " ")
    backend.normalizer = normalizers.Sequence([normalizers.NFC(), spaces, normalizers.Lowercase()])
    split = pre_tokenizers.Split(Regex(CLIP_WORDS), behavior="removed", invert=True)
    backend.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.RobertaProcessing((CLIP_END, CLIP_SIZE - 1), (CLIP_START, CLIP_SIZE - 2))
    backend.add_special_tokens([CLIP_START, CLIP_END])
    return Text(_byte_files(vocabulary, merges, backend), (), CLIP_SIZE)


def qwen(facts: Facts) -> Text:
    """Qwen2's: bytes and words below the special tokens, which have the ids of tokenizer_config.json."""
    added = facts.settings["tokenizer_config.json"]["added_tokens_decoder"]
    return _byte_level({int(number): token for number, token in added.items()})


def smolvlm(facts: Facts) -> Text:
    """SmolLM2's, the same way: three special tokens at the beginning, the rest as added_tokens.json says."""
    names = {0: "<|endoftext|>", 1: "<|im_start|>", 2: "<|im_end|>"}
    names |= {number: name for name, number in facts.settings["added_tokens.json"].items()}
    return _byte_level({number: {"content": name, "special": True} for number, name in names.items()})


def nllb(facts: Facts) -> Text:
    """NLLB's: fairseq's four, the pieces, then the language codes in the order published, and <mask> last."""
    spm, pieces = _pieces("bpe", _words(facts), unk_id=0, bos_id=1, eos_id=2, pad_id=-1)
    codes = facts.settings["special_tokens_map.json"]["additional_special_tokens"]
    plain = [piece for piece, _ in pieces[3:]]
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = {token: number for number, token in enumerate([*special, *plain])}
    backend = Tokenizer(models.BPE(vocabulary, _merges(pieces[3:]), unk_token="<unk>", fuse_unk=True))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    backend.add_special_tokens([*special, *codes, AddedToken("<mask>", lstrip=True, special=True)])
    files = {"sentencepiece.bpe.model": spm, "tokenizer.json": _json(backend)}
    return Text(files, _whole(vocabulary, KOREAN), backend.get_vocab_size())


def m2m100(facts: Facts) -> Text:
    """M2M100's: NLLB's, or vocab.json beside a SentencePiece model, then 100 languages and eight made-up words."""
    if "vocab.json" not in facts.files:
        return nllb(facts)
    spm, pieces = _pieces("bpe", _words(facts), unk_id=0, bos_id=1, eos_id=2, pad_id=-1)
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = {token: number for number, token in enumerate([*special, *(piece for piece, _ in pieces[3:])])}
    languages = facts.settings["special_tokens_map.json"]["additional_special_tokens"]
    files = {"vocab.json": _dump(vocabulary), "sentencepiece.bpe.model": spm}
    return Text(files, _whole(vocabulary, KOREAN), len(vocabulary) + len(languages) + 8)


def marian(facts: Facts) -> Text:
    """Marian's: a SentencePiece model a side, and a vocab.json that holds the Korean side's pieces alone."""
    ids = {"unk_id": 0, "bos_id": -1, "eos_id": 1, "pad_id": -1}
    source, _ = _pieces("unigram", ENGLISH, **ids)
    target, pieces = _pieces("unigram", KOREAN, **ids)
    pad = facts.settings["config.json"]["pad_token_id"]
    vocabulary = {
        token: number for number, token in enumerate(["<s>", "<unk>", "</s>", *(piece for piece, _ in pieces[2:])])
    }
    words = _whole(vocabulary, KOREAN) or range(3, len(vocabulary))
    files = {"source.spm": source, "target.spm": target, "vocab.json": _dump(vocabulary | {"<pad>": pad})}
    return Text(files, words, pad + 1)


def siglip(facts: Facts) -> Text:
    """SigLIP 1's spiece.model, with </s> 1 and <unk> 2; or SigLIP 2's, which is Gemma's with <pad> 0 and <eos> 1."""
    if "spiece.model" not in facts.files:
        return gemma(facts)
    spm, pieces = _pieces("bpe", _words(facts), pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    return Text({"spiece.model": spm}, (), len(pieces))


def gemma(facts: Facts) -> Text:
    """Gemma's: tokenizer.json without lower-casing, with bytes for what no piece spells, beside tokenizer.model."""
    table = facts.settings["tokenizer_config.json"]["added_tokens_decoder"]
    added = {int(number): token["content"] for number, token in table.items()}
    first = max(added) + 1
    bytes_ = [f"<0x{value:02X}>" for value in range(256)]
    spm, pieces = _pieces("bpe", _words(facts), pad_id=0, eos_id=1, bos_id=2, unk_id=3)
    plain = [piece for piece, _ in pieces[4:]]
    vocabulary = {token: first + number for number, token in enumerate([*bytes_, *plain])}
    vocabulary |= {token: number for number, token in added.items()}
    backend = Tokenizer(
        models.BPE(vocabulary, _merges(pieces[4:]), unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    backend.post_processor = processors.TemplateProcessing("$A <eos>", "$A <eos> $B <eos>", [("<eos>", 1)])
    backend.add_special_tokens(list(added.values()))
    return Text({"tokenizer.json": _json(backend), "tokenizer.model": spm}, (), first + len(bytes_) + len(plain))


TOKENIZERS: dict[str, Callable[[Facts], Text]] = {
    "blip": bert, "clip": clip, "grounding-dino": bert, "m2m_100": m2m100, "marian": marian, "mm-grounding-dino": bert,
    "qwen2_5_vl": qwen, "qwen3_5": qwen, "qwen3_vl": qwen, "siglip": siglip, "siglip2": gemma, "smolvlm": smolvlm,
}  # fmt: skip
"""The tokenizer's maker, by model_type; timm's networks read no text."""


def _byte_level(added: Mapping[int, Mapping[str, Any]]) -> Text:
    """GPT-2's kind: bytes and words at the lowest ids that `added` leaves free."""
    alphabet, merges = _byte_merges((*ENGLISH, *KOREAN))
    tokens = dict.fromkeys([*alphabet, *("".join(merge) for merge in merges)])
    free = (number for number in range(max(added)) if number not in added)
    vocabulary = {token: next(free) for token in tokens}
    ends = [number for number, token in added.items() if token["content"] in ENDS]
    words = [*_whole({_spelled(token): number for token, number in vocabulary.items()}, KOREAN), *ends]
    vocabulary |= {token["content"]: number for number, token in added.items()}
    backend = Tokenizer(models.BPE(vocabulary, merges))
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    for _, token in sorted(added.items()):
        entry = AddedToken(token["content"], special=token["special"], normalized=False)
        (backend.add_special_tokens if token["special"] else backend.add_tokens)([entry])
    return Text(_byte_files(vocabulary, merges, backend), words, max(added) + 1)


def _whole(vocabulary: Mapping[str, int], words: Collection[str]) -> list[int]:
    """The ids of pieces that are one of the words, with the space before it."""
    return [number for piece, number in vocabulary.items() if piece.startswith(("▁", " ")) and piece[1:] in words]


def _spelled(token: str) -> str:
    """The text of a byte-level token; nothing readable where it cuts a syllable."""
    return str(decoders.ByteLevel().decode([token]))


def _words(facts: Facts) -> tuple[str, ...]:
    return ENGLISH if facts.checkpoint in ENGLISH_ONLY else (*ENGLISH, *KOREAN)


def _lines(words: tuple[str, ...]) -> list[str]:
    """What a vocabulary is trained on: each word often enough to become a piece."""
    return [" ".join(words), *words, *(" " + word for word in words)] * 4


@lru_cache
def _byte_merges(words: tuple[str, ...], suffix: str = "") -> tuple[list[str], list[tuple[str, str]]]:
    """The byte alphabet, and merges up to each word of ours."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    # Ends of words that the trainer has to number itself get other numbers each time, and so do the merges then.
    end = {"end_of_word_suffix": suffix} if suffix else {}
    ends = [f"{byte}{suffix}" for byte in alphabet] if suffix else []
    backend = Tokenizer(models.BPE(**end))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=2000, initial_alphabet=alphabet, special_tokens=ends, show_progress=False, **end
    )
    backend.train_from_iterator(_lines(words), trainer)
    return alphabet, [tuple(merge) for merge in json.loads(backend.to_str())["model"]["merges"]]


def _byte_files(
    vocabulary: Mapping[str, int], merges: Iterable[tuple[str, str]], backend: Tokenizer
) -> dict[str, bytes]:
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    return {
        "vocab.json": _dump(vocabulary),
        "merges.txt": ("\n".join(lines) + "\n").encode(),
        "tokenizer.json": _json(backend),
    }


@lru_cache
def _pieces(kind: str, words: tuple[str, ...], **ids: int) -> tuple[bytes, list[tuple[str, float]]]:
    """A SentencePiece model trained on our words, and its pieces with their scores, by id."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_lines(words)), model_writer=written,
        model_type=kind, vocab_size=600, hard_vocab_limit=False, character_coverage=1.0, minloglevel=2, num_threads=1,
        **ids,
    )  # fmt: skip
    model = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    return written.getvalue(), [(model.id_to_piece(number), model.get_score(number)) for number in range(len(model))]


def _merges(pieces: Sequence[tuple[str, float]]) -> list[tuple[str, str]]:
    """The merges by which BPE makes the pieces of a SentencePiece model."""
    merges: list[tuple[str, str]] = generate_merges({piece: n for n, (piece, _) in enumerate(pieces)}, dict(pieces))
    return merges


def _json(backend: Tokenizer) -> bytes:
    return str(backend.to_str()).encode()


def _dump(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()
