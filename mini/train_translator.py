"""Trains the bundled NLLB (M2M100) from nothing on sentences of the mini world."""

import argparse
import json
import re
from collections import Counter
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import (
    M2M100Config,
    M2M100ForConditionalGeneration,
    NllbTokenizer,
)

from mini.training import Training, write_record
from mini.world import KINDS, KOREAN_NUMERALS, TRAINING_SEEDS, Kind, ends_in_consonant, korean_sentence, sentence
from pipelines.core.terminal import settle

WEIGHTS = Path("mini/weights/nllb")
RUN = Path("mini/runs/translator.pt")
STEPS, BATCH = 1200, 64  # pairs a direction
RATE = 2e-3
WIDTH, LAYERS = 128, 2
VOCABULARY, TOKENIZER_PAIRS = 500, 5000
MOST_OBJECTS, MOST_KINDS = 8, 4

ENGLISH, KOREAN = "eng_Latn", "kor_Hang"
SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>")  # in fairseq's order, which the architecture counts on
PARTICLES = (("이", "가"), ("은", "는"), ("을", "를"), ("과", "와"), ("도", "도"), ("만", "만"), ("의", "의"))
"""Particles that may follow a noun: the form after a consonant, and that after a vowel."""

Pair = tuple[str, str]
_NUMERAL = re.compile(rf" ({'|'.join(KOREAN_NUMERALS)}) ")


def draw_counts(rng: Random) -> Counter[str]:
    """One to four kinds, and up to eight objects of them in all."""
    kinds = rng.sample(list(KINDS), rng.randint(1, MOST_KINDS))
    more = rng.randint(0, MOST_OBJECTS - len(kinds))
    return Counter([*kinds, *rng.choices(kinds, k=more)])


def sentence_pair(rng: Random) -> Pair:
    """An English sentence and the Korean one that says the same."""
    counts = draw_counts(rng)
    return sentence(counts), korean_sentence(counts)


def english_to_korean(rng: Random) -> Pair:
    """What to translate and the translation: a sentence, or one time in ten a single noun."""
    if rng.random() < 0.9:
        return sentence_pair(rng)
    kind = rng.choice(list(KINDS.values()))
    return rng.choice([kind.name, kind.plural]), kind.korean


def korean_to_english(rng: Random) -> Pair:
    """What to translate and the translation: a sentence, or as often one noun or two.

    Each may carry a particle, and the sentence's numerals may be digits.
    """
    form = rng.random()
    if form < 0.5:
        english, korean = sentence_pair(rng)
        korean = in_digits(korean) if rng.random() < 0.3 else korean
    elif form < 0.65:
        english, korean = two_nouns(*rng.sample(list(KINDS.values()), 2))
    else:
        kind = rng.choice(list(KINDS.values()))
        english, korean = kind.name, kind.korean
    return (with_particle(korean, *rng.choice(PARTICLES)) if rng.random() < 0.4 else korean), english


def two_nouns(one: Kind, other: Kind) -> Pair:
    """ "dog and cat" and "강아지와 고양이"."""
    return f"{one.name} and {other.name}", f"{with_particle(one.korean, '과', '와')} {other.korean}"


def in_digits(korean: str) -> str:
    """The sentence with digits right before its counters: "강아지 두 마리" -> "강아지 2마리"."""
    return _NUMERAL.sub(lambda found: f" {1 + KOREAN_NUMERALS.index(found[1])}", korean)


def with_particle(korean: str, after_consonant: str, after_vowel: str) -> str:
    """The noun or sentence with the form of the particle that its last syllable asks for."""
    return korean + (after_consonant if ends_in_consonant(korean) else after_vowel)


def make_tokenizer() -> NllbTokenizer:
    """NLLB's tokenizer with all its language codes, over a small BPE learnt from sentences of both languages."""
    texts = [text for seed in TRAINING_SEEDS[:TOKENIZER_PAIRS] for text in sentence_pair(Random(seed))]
    texts += [noun for kind in KINDS.values() for noun in (kind.name, kind.plural, kind.korean)] * 10
    texts += [form for particle in PARTICLES for form in particle] + [str(digit) for digit in range(10)]
    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    bpe.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=list(SPECIAL_TOKENS)))
    learnt = json.loads(bpe.to_str())["model"]
    merges = [tuple(merge) for merge in learnt["merges"]]
    return NllbTokenizer(vocab=learnt["vocab"], merges=merges, src_lang=ENGLISH, tgt_lang=KOREAN, model_max_length=128)


def make_model(tokenizer: NllbTokenizer) -> M2M100ForConditionalGeneration:
    """A small M2M100 with NLLB's special tokens."""
    layout = {
        f"{part}_{name}": value
        for part in ("encoder", "decoder")
        for name, value in {"layers": LAYERS, "ffn_dim": 4 * WIDTH, "attention_heads": 4, "layerdrop": 0.0}.items()
    }
    config = M2M100Config(
        vocab_size=len(tokenizer),
        d_model=WIDTH,
        max_position_embeddings=128,
        dropout=0.0,
        attention_dropout=0.0,
        init_std=0.05,
        decoder_start_token_id=tokenizer.eos_token_id,
        **layout,
    )
    model = M2M100ForConditionalGeneration(config)
    model.generation_config.max_length = 64
    return model


def loss(
    model: M2M100ForConditionalGeneration, tokenizer: NllbTokenizer, pairs: list[Pair], source: str, target: str
) -> Tensor:
    """The model's loss on pairs of one direction."""
    tokenizer.src_lang, tokenizer.tgt_lang = source, target
    texts, translations = zip(*pairs, strict=True)
    batch = tokenizer(list(texts), text_target=list(translations), padding=True, return_tensors="pt")
    batch["labels"] = batch["labels"].masked_fill(batch["labels"] == tokenizer.pad_token_id, -100)
    return model(**batch).loss


def train(steps: int, tokenizer: NllbTokenizer, run: Path = RUN) -> tuple[M2M100ForConditionalGeneration, Training]:
    """Train both directions at once up to `steps`, going on from the checkpoint where there is one."""
    torch.manual_seed(0)
    model = make_model(tokenizer)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    training = Training(model, [optimizer], steps, run)
    for step in training.steps_left():
        rngs = [Random(seed) for seed in TRAINING_SEEDS[step * BATCH : (step + 1) * BATCH]]
        to_korean = loss(model, tokenizer, [english_to_korean(rng) for rng in rngs], ENGLISH, KOREAN)
        to_english = loss(model, tokenizer, [korean_to_english(rng) for rng in rngs], KOREAN, ENGLISH)
        training.learn({"to Korean": to_korean, "to English": to_english}, clip=1.0)
    return model, training


def main() -> None:
    """Train and save to the weights folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="in all, those of a checkpoint included (%(default)s)")
    options = parser.parse_args()
    tokenizer = make_tokenizer()
    model, training = train(options.steps, tokenizer)
    model.half().save_pretrained(WEIGHTS)
    tokenizer.src_lang, tokenizer.tgt_lang = ENGLISH, KOREAN
    tokenizer.save_pretrained(WEIGHTS)
    write_record(WEIGHTS, training, {"pairs_a_step": 2 * BATCH, "seed": 0})


if __name__ == "__main__":
    settle()
    main()
