"""Speed of translating captions, from English texts to Korean ones, against `generate` on texts as they come.

The peer takes batches in the order of arrival, padded by transformers' tokenizer, in the same dtype; the goal is one
against its fastest batch. Ours goes the way of the caption pipeline: windows of captions, each distinct text once, the
longest first, by `beams.search`. The texts are captions of one to four kinds of things, of which REPEATED say
what an earlier one said, as of photos taken in a row. Both networks read them by the bundled tokenizer, which makes
about as many tokens of them as the real one does.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from benchmarks import rows
from mini import world
from pipelines.caption.pipeline import translated
from pipelines.core.images.samples import Sample
from pipelines.core.networks.translate import Translator
from pipelines.core.running.batch_model import BatchModel, Outcome
from pipelines.core.running.batches import AUTO_MOST
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.terminal import settle
from tests import full_size

BUNDLED = Path("mini/weights/nllb")
SOURCE, TARGET, BEAMS = "eng_Latn", "kor_Hang", 4
REPEATED = 0.3
BATCHES = {"cpu": (16, 64), "gpu": (64, 256)}
"""Of the peer; ours finds its own."""
TEXTS = {"cpu": (240, 64), "gpu": (4000, 1000)}
"""For the bundled network, and for the large one."""
LAYERS = {"cpu": 2, "gpu": 12}
MOST_TOKENS = 128
TOKENS = {"cpu": 10, "gpu": 16}
"""Of each translation by the large network, whose random weights know no end; so nothing is saved where texts end."""
GOALS = {"cpu": 2.0, "gpu": 3.0}
LEVERS = {
    "cpu": "fewer bits for the head's weights, or only the words that Korean has",
    "gpu": "larger windows and batches, and a word's steps recorded as one CUDA graph",
}


def drawn_texts(count: int) -> list[str]:
    """Captions of one to four kinds of things."""
    rng = random.Random(0)
    texts: list[str] = []
    for number in range(count):
        if number and rng.random() < REPEATED:
            texts.append(rng.choice(texts))
            continue
        kinds = rng.sample(list(world.KINDS), rng.choice([1, 1, 2, 2, 2, 3, 3, 4]))
        texts.append(world.sentence({kind: rng.randint(1, 6) for kind in kinds}))
    return texts


class Plain:
    """`generate` in batches of texts as they come."""

    def __init__(self, checkpoint: Path, device: torch.device, dtype: torch.dtype, most: int) -> None:
        self.device, self.most = device, most
        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint, src_lang=SOURCE)
        self.model = AutoModelForSeq2SeqLM.from_pretrained(checkpoint, dtype=dtype).eval().to(device)
        self.model.generation_config.max_length = None
        self.forced = self.tokenizer.convert_tokens_to_ids(TARGET)

    @torch.inference_mode()
    def translations(self, texts: Sequence[str], batch: int) -> list[str]:
        """One per text."""
        found = []
        for start in range(0, len(texts), batch):
            inputs = self.tokenizer(texts[start : start + batch], padding=True, return_tensors="pt").to(self.device)
            tokens = self.model.generate(
                **inputs, forced_bos_token_id=self.forced, num_beams=BEAMS, max_new_tokens=self.most, do_sample=False
            )
            found += self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return found


def compare(
    work: str, checkpoint: Path, texts: Sequence[str], repeats: int, tokens: int | None = None
) -> list[rows.Row]:
    """A row for each batch of the peer; `tokens`: how many each translation has, None for as many as come.

    All take turns. Only the row against the peer's fastest batch has a goal.
    """
    device = rows.this_device()
    runner = Runner(RunnerConfig(progress=False))
    translator = Translator(checkpoint, SOURCE, TARGET, BEAMS, tokens or MOST_TOKENS)
    dtype = runner.dtype(translator)
    plain = Plain(checkpoint, runner.device, dtype, tokens or MOST_TOKENS)
    if tokens is not None:
        for network in (translator.module, plain.model):
            network.generation_config.eos_token_id = None
    said = [Outcome(Sample(str(number), Path()), text) for number, text in enumerate(texts)]

    def ours(model: BatchModel[str, str] = translator) -> int:
        return sum(outcome.ok for outcome in translated(said, runner, model))

    peers = {f"generate on batches of {batch} as they come": batch for batch in BATCHES[device]}
    with rows.peak_memory(device) as peak:
        ours()
    contestants = {name: partial(counted, plain, texts, batch) for name, batch in peers.items()}
    rates = rows.race(
        {"ours": ours, "network": network_alone(translator, runner, texts), **contestants}, repeats, device
    )
    timed = rows.Timed(translator)
    ours(timed)  # finds its batch size
    timed.prepare_s = timed.predict_s = 0.0
    started = time.perf_counter()
    rest = rows.rest(timed, ours(timed), time.perf_counter() - started, "text", "texts to tokens")
    repeated = 1 - len(set(texts)) / len(texts)
    best = max(peers, key=rates.__getitem__)
    return [
        rows.Row(
            work, name + (", its fastest" if name == best else ""), device, "texts/s", rates["ours"], rates[name],
            rates["ours"] / rates[name], GOALS[device] if name == best else None, rates["ours"] / rates["network"],
            peak.mb, repeats,
            f"{len(texts)} texts, {repeated:.0%} of them repeat an earlier one; {str(dtype).removeprefix('torch.')}, "
            f"{BEAMS} beams", rest, LEVERS[device],
        ) for name in peers
    ]  # fmt: skip


def counted(plain: Plain, texts: Sequence[str], batch: int) -> int:
    """How many the peer translates."""
    return len(plain.translations(texts, batch))


def network_alone(translator: Translator, runner: Runner, texts: Sequence[str]) -> Callable[[], int]:
    """Our `predict` on each distinct text once, the longest first, all prepared and on the device; it counts all."""
    translator.module.to(runner.device, runner.dtype(translator))
    ordered = sorted(set(texts), key=len, reverse=True)
    size = AUTO_MOST
    batches = [translator.prepare(ordered[start : start + size]) for start in range(0, len(ordered), size)]
    there = [{name: value.to(runner.device) for name, value in batch.items()} for batch in batches]

    @torch.inference_mode()
    def work() -> int:
        for batch in there:
            translator.predict(batch)
        return len(texts)

    return work


def main() -> None:
    """Prints the rows and, where wanted, keeps them."""
    device = rows.this_device()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="for a trial: the bundled network, 40 texts, one repeat")
    parser.add_argument("--write", action="store_true", help="also keep them for docs/benchmarks.md")
    options = parser.parse_args()
    if options.quick:
        show(compare("the bundled NLLB", BUNDLED, drawn_texts(40), 1))
        return
    few, layers, tokens = TEXTS[device], LAYERS[device], TOKENS[device]
    found = compare("the bundled NLLB", BUNDLED, drawn_texts(few[0]), options.repeats)
    show(found)
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        checkpoint = full_size.nllb(Path(folder) / "nllb", layers)
        AutoTokenizer.from_pretrained(BUNDLED).save_pretrained(checkpoint)
        work = f"NLLB-200-distilled-600M's size, {layers} + {layers} of 12 + 12 layers, {tokens} tokens each"
        large = compare(work, checkpoint, drawn_texts(few[1]), options.repeats, tokens)
        show(large)
    if options.write:
        print(rows.write("translation", [*found, *large]))


def show(found: Sequence[rows.Row]) -> None:
    """One line each."""
    for row in found:
        print(
            f"{row.work}: {row.ours:.1f} against {row.peer_value:.1f} ({row.peer}), {row.ratio:.1f}x, "
            f"{row.ceiling_share:.2f} of the network alone; {row.note}; {row.rest}",
            flush=True,
        )


if __name__ == "__main__":
    settle()
    main()
