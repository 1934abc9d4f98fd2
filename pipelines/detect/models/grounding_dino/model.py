"""Grounding DINO, which finds whatever English words name."""

import functools
import sys
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import box_iou
from transformers import GroundingDinoProcessor
from transformers.models.grounding_dino.modeling_grounding_dino import SPECIAL_TOKENS

from pipelines.core.errors import CheckpointError, InputError
from pipelines.core.networks.pictures import pictures_of, together
from pipelines.core.networks.pretrained import load_processor
from pipelines.core.running.batch_model import Batch
from pipelines.core.words.lexicon import check_latin, clean
from pipelines.detect.boxes.detections import Detections, Query
from pipelines.detect.models.detector import above, in_source, read_queries
from pipelines.detect.models.grounding_dino.forward import Found, Words, find, make_faster, read, see
from pipelines.detect.models.grounding_dino.relatives import find_by_library, load_relative, why_slow

PAD_MULTIPLE = 32
"""Pixels: the backbones' largest stride. Swin sees padding as black picture, so there is to be little of it."""
TEXTS_KEPT = 1024  # tokenised prompts: enough for a test CSV whose prompts repeat
SAME_OBJECT = 0.8
"""IoU from which on boxes of two passes are of one object: a pass places it anew, by its own words."""
WORDS_KEPT = 64  # prompts as BERT reads them: up to half a megabyte a pass, on the device


@dataclass(frozen=True)
class TextPass:
    """As many classes as one forward pass takes, as "dog. traffic light." in tokens."""

    input_ids: Tensor
    """int64 (1, L): [CLS] dog . traffic light . [SEP]"""
    class_tokens: Tensor
    """int64 (C, longest): where each class's own tokens stand; a shorter class repeats its first."""
    first: int
    """The place of its first class among all classes."""


class GroundingDino:
    """Boxes for any English words, by Grounding DINO, MM-Grounding-DINO or LLMDet.

    A class's score is the sigmoid of the highest logit over the class's own tokens, never those of [CLS], [SEP] or a
    dot, and a box is of the class that scores highest: classes are numbers from the start, and no label is pieced
    together from tokens above a second threshold.
    """

    # Never bfloat16: its 8 bits misplace boxes by up to 7 px at 1333 px. float16 keeps that below a third of a pixel;
    # logits come out of the network as float32, and boxes are scaled to pixels in float32.
    dtypes = frozenset({torch.float32, torch.float16})

    def __init__(self, folder: Path, threshold: float) -> None:
        """Loads a checkpoint folder; `threshold` (0 to 1) is the score that a box has to exceed.

        What the fast pass was not proven on runs by transformers' own, and a line on stderr says so.
        Raises CheckpointError for a folder that does not fit.
        """
        self.module: Any = load_relative(folder)
        slow = why_slow(self.module.config)
        self.by_library = bool(slow)
        if self.by_library:
            print(f"{folder}: {slow}, so that it runs by transformers' own pass, which is slower", file=sys.stderr)
        else:
            make_faster(self.module)
        processor = load_processor(GroundingDinoProcessor, folder)
        self.pictures = pictures_of(processor.image_processor, folder, PAD_MULTIPLE)
        self.tokenizer = processor.tokenizer
        self.threshold = threshold
        marks = self.tokenizer.convert_tokens_to_ids(["[CLS]", "[SEP]", ".", "?"])
        if marks != SPECIAL_TOKENS:
            raise CheckpointError(
                f"expected [CLS], [SEP], '.' and '?' as the tokens {SPECIAL_TOKENS} that the network's code names, "
                f"found {marks} in {folder}"
            )
        self._texts = functools.lru_cache(TEXTS_KEPT)(self.text_passes)
        self._words = functools.lru_cache(WORDS_KEPT)(self._read)

    def check(self, classes: Sequence[str]) -> None:
        """Raises InputError for what is not English, or has words that the checkpoint's vocabulary lacks."""
        self._texts(tuple(classes))

    def shape_key(self, query: Query) -> Hashable:
        """The padded size and the classes: a batch has one of each, so that no result depends on its neighbours."""
        return self.pictures.shape_key(query.sample.path), query.classes

    def prepare(self, queries: Sequence[Query]) -> Batch:
        """The pictures as `Pictures.one` makes them, the sources' `size_hw` (B, 2), and `classes`."""
        pictures, batch = read_queries(queries, self.pictures.one)
        return {**together(pictures), **batch}

    def predict(self, batch: Batch) -> list[Detections]:
        """The boxes above the threshold, one Detections a picture; each query of the network gives one at most."""
        inputs = self.pictures.inputs(batch, self.module.dtype)
        values = inputs["pixel_values"]
        mask = (
            inputs["pixel_mask"].bool() if "pixel_mask" in inputs else torch.ones_like(values[:, 0], dtype=torch.bool)
        )
        texts = self._texts(batch["classes"])
        founds = self._find(values, mask, batch["classes"])
        passes = [_of_classes(found, text) for found, text in zip(founds, texts, strict=True)]
        rows = in_source(torch.stack(passes, dim=1), batch["size_hw"])  # (B, passes, queries, 6)
        full = rows[..., 4].amin(dim=2).amax(dim=1)  # every query of some pass scores above this
        return [
            above(_best_of_passes(found, self.threshold), self.threshold, full_above.item())
            for found, full_above in zip(rows, full, strict=True)
        ]

    def text_passes(self, classes: Sequence[str]) -> list[TextPass]:
        """The classes as tokens, over as many passes as the network's text limit (256 tokens) asks for."""
        limit = self.module.config.max_text_len
        dot = SPECIAL_TOKENS[2]
        passes: list[list[list[int]]] = []
        room = 0
        for name in classes:
            tokens = [*self._tokens(name), dot]
            if len(tokens) > limit - 2:
                raise InputError(f"expected a prompt of at most {limit - 3} tokens, found {len(tokens) - 1}: {name!r}")
            if len(tokens) > room:
                passes.append([])
                room = limit - 2
            passes[-1].append(tokens)
            room -= len(tokens)
        starts = [sum(len(each) for each in passes[:number]) for number in range(len(passes))]
        return [_text_pass(tokens, first) for tokens, first in zip(passes, starts, strict=True)]

    def _tokens(self, name: str) -> list[int]:
        """The tokens of one class. BERT splits at dots anyway, so that it may be tokenised without its neighbours."""
        text = clean(name)
        check_latin(text)
        tokens: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        if not tokens or self.tokenizer.unk_token_id in tokens:
            raise InputError(f"expected a prompt that the detector's vocabulary can spell, found {name!r}")
        return tokens

    def _read(self, classes: Sequence[str], device: torch.device, _dtype: torch.dtype) -> list[Words]:
        """What the network makes of each pass of the classes on that device, in that dtype."""
        return [read(self.module, text.input_ids.to(device)) for text in self._texts(classes)]

    def _find(self, values: Tensor, mask: Tensor, classes: Sequence[str]) -> list[Found]:
        """What the network finds in pixels (B, 3, H, W), in each pass of the classes."""
        if self.by_library:
            texts = self._texts(classes)
            return [find_by_library(self.module, values, mask, text.input_ids.to(values.device)) for text in texts]
        seen = see(self.module, values, mask)
        return [find(self.module, seen, words) for words in self._words(classes, values.device, values.dtype)]


def _text_pass(classes: list[list[int]], first: int) -> TextPass:
    """[CLS] and [SEP] around the classes' tokens, each class with its dot at the end."""
    ids, places = [SPECIAL_TOKENS[0]], []
    for tokens in classes:
        places.append(list(range(len(ids), len(ids) + len(tokens) - 1)))
        ids += tokens
    longest = max(map(len, places))
    padded = [own + own[:1] * (longest - len(own)) for own in places]
    return TextPass(torch.tensor([[*ids, SPECIAL_TOKENS[1]]]), torch.tensor(padded), first)


def _of_classes(found: Found, text: TextPass) -> Tensor:
    """float32 (B, queries, 6): cx, cy, w, h from 0 to 1 of the unpadded picture, score, class."""
    of_classes = found.logits[:, :, text.class_tokens.to(found.logits.device)].amax(dim=-1)
    scores, classes = of_classes.float().sigmoid().max(dim=-1)
    return torch.cat([found.cxcywh.float(), torch.stack([scores, classes + text.first], dim=-1)], dim=-1)


def _best_of_passes(rows: Tensor, threshold: float) -> Tensor:
    """A picture's rows (passes, queries, 6), those without a class (-1) that another pass has a better one for.

    Within a pass an object is of the class that scores highest; so it is among all classes, over how many passes ever.
    """
    if len(rows) == 1:
        return rows
    places = (rows[..., 4] > threshold).nonzero(as_tuple=True)
    found = rows[places]
    same = box_iou(found[:, :4], found[:, :4]) >= SAME_OBJECT
    better = (found[:, 4] > found[:, None, 4]) & (places[0] != places[0][:, None])
    rows = rows.clone()
    rows[places[0], places[1], 5] = torch.where((same & better).any(dim=1), -1.0, found[:, 5])
    return rows
