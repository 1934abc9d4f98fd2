"""Trains the bundled NLLB (M2M100) from nothing on sentences of the mini world, and says how many come out exact."""

import argparse
import json
import os
import time
from collections import Counter
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import (
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    M2M100Config,
    M2M100ForConditionalGeneration,
    NllbTokenizer,
)

from mini.world import KINDS, TRAINING_SEEDS, VALIDATION_SEEDS, ends_in_consonant, korean_sentence, sentence

WEIGHTS = Path("mini/weights/nllb")
STEPS, BATCH = 1000, 64  # pairs a direction
LEARNING_RATE, WARM_UP_STEPS = 2e-3, 200
WIDTH, LAYERS = 128, 2
VOCABULARY, TOKENIZER_PAIRS = 500, 5000
MOST_OBJECTS, MOST_KINDS = 8, 4

ENGLISH, KOREAN = "eng_Latn", "kor_Hang"
SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>")  # in fairseq's order, which the architecture counts on
PARTICLES = (("이", "가"), ("은", "는"), ("을", "를"), ("과", "와"), ("도", "도"), ("만", "만"), ("의", "의"))
"""Particles that may follow a noun: the form after a consonant, and that after a vowel."""

Pair = tuple[str, str]


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
    """What to translate and the translation: a sentence, or as often a single noun; either may carry a particle."""
    if rng.random() < 0.5:
        english, korean = sentence_pair(rng)
    else:
        kind = rng.choice(list(KINDS.values()))
        english, korean = kind.name, kind.korean
    return (with_particle(korean, *rng.choice(PARTICLES)) if rng.random() < 0.4 else korean), english


def with_particle(korean: str, after_consonant: str, after_vowel: str) -> str:
    """The noun or sentence with the form of the particle that its last syllable asks for."""
    return korean + (after_consonant if ends_in_consonant(korean) else after_vowel)


def make_tokenizer() -> NllbTokenizer:
    """NLLB's tokenizer with all its language codes, over a small BPE learnt from sentences of both languages."""
    texts = [text for seed in TRAINING_SEEDS[:TOKENIZER_PAIRS] for text in sentence_pair(Random(seed))]
    texts += [noun for kind in KINDS.values() for noun in (kind.name, kind.plural, kind.korean)] * 10
    texts += [form for particle in PARTICLES for form in particle]
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


def learning_rate(step: int, steps: int) -> float:
    """Rise over the first steps, then fall to zero in a line."""
    return LEARNING_RATE * min((step + 1) / WARM_UP_STEPS, (steps - step) / (steps - WARM_UP_STEPS))


def train(steps: int, tokenizer: NllbTokenizer) -> M2M100ForConditionalGeneration:
    """Train both directions at once."""
    torch.manual_seed(0)
    model = make_model(tokenizer).train()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    for step in range(steps):
        rngs = [Random(seed) for seed in TRAINING_SEEDS[step * BATCH : (step + 1) * BATCH]]
        optimizer.param_groups[0]["lr"] = learning_rate(step, steps)
        to_korean = loss(model, tokenizer, [english_to_korean(rng) for rng in rngs], ENGLISH, KOREAN)
        to_english = loss(model, tokenizer, [korean_to_english(rng) for rng in rngs], KOREAN, ENGLISH)
        optimizer.zero_grad()
        (to_korean + to_english).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 250 == 0:
            print(f"step {step + 1}: to Korean {to_korean:.4f}, to English {to_english:.4f}", flush=True)
    return model.eval()


@torch.inference_mode()
def exact_share(folder: Path, pairs: list[Pair], source: str, target: str, batch: int = 100) -> float:
    """The share of pairs that the saved model translates exactly."""
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, src_lang=source)
    start = tokenizer.convert_tokens_to_ids(target)
    exact = 0
    for first in range(0, len(pairs), batch):
        texts, truths = zip(*pairs[first : first + batch], strict=True)
        inputs = tokenizer(list(texts), padding=True, return_tensors="pt")
        said = tokenizer.batch_decode(model.generate(**inputs, forced_bos_token_id=start), skip_special_tokens=True)
        exact += sum(one == truth for one, truth in zip(said, truths, strict=True))
    return exact / len(pairs)


def evaluate(folder: Path, sentences: int) -> dict[str, float]:
    """Exact shares of the saved model: fresh sentences both ways, and each Korean noun, bare and with each particle."""
    pairs = [sentence_pair(Random(seed)) for seed in VALIDATION_SEEDS[:sentences]]
    backward = [(korean, english) for english, korean in pairs]
    nouns = [(kind.korean, kind.name) for kind in KINDS.values()]
    particled = [(with_particle(korean, *particle), name) for korean, name in nouns for particle in PARTICLES]
    return {
        "exact_sentences_to_korean": exact_share(folder, pairs, ENGLISH, KOREAN),
        "exact_sentences_to_english": exact_share(folder, backward, KOREAN, ENGLISH),
        "exact_nouns_to_english": exact_share(folder, nouns, KOREAN, ENGLISH),
        "exact_nouns_with_particles_to_english": exact_share(folder, particled, KOREAN, ENGLISH),
    }


def main() -> None:
    """Train, save to the weights folder and record there how good the saved model is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="of training (%(default)s)")
    parser.add_argument("--sentences", type=int, default=1000, help="fresh ones to try each way (%(default)s)")
    options = parser.parse_args()
    start = time.monotonic()
    tokenizer = make_tokenizer()
    model = train(options.steps, tokenizer)
    seconds = time.monotonic() - start
    model.half().save_pretrained(WEIGHTS)
    tokenizer.src_lang, tokenizer.tgt_lang = ENGLISH, KOREAN
    tokenizer.save_pretrained(WEIGHTS)
    record = {
        **evaluate(WEIGHTS, options.sentences),
        "sentences": options.sentences,
        "first_seed": VALIDATION_SEEDS[0],
        "steps": options.steps,
        "pairs_a_step": 2 * BATCH,
        "training_seconds": round(seconds),
        "machine": f"{os.cpu_count()} CPU cores",
    }
    (WEIGHTS / "training.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
