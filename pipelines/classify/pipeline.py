"""The classify task: photos and the names of classes in, the likeliest class of each photo out."""

import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from pipelines.classify.cache import LabelVectors, cache_path, load_vectors, save_vectors
from pipelines.classify.labels import SEPARATOR, read_labels
from pipelines.classify.models import CLASSIFIERS
from pipelines.classify.models.clip import Classified, Classifier, LabelTexts, scale_of
from pipelines.classify.settings import ClassifyConfig, fields
from pipelines.classify.templates import phrases, spelled_out
from pipelines.core.errors import ConfigError, InputError, StoppedError
from pipelines.core.extras import Extras
from pipelines.core.images.samples import Sample
from pipelines.core.networks import checkpoints
from pipelines.core.running.batch_model import Outcome
from pipelines.core.running.runner import Runner
from pipelines.core.submission.schema import Row
from pipelines.core.submission.writing import check_writable, write_whole
from pipelines.core.words.lexicon import has_hangul, look_up, read_lexicon
from pipelines.core.words.queries import Queries

SHOWN = 20
TOP_HEADER = ("image", "rank", "label", "probability")


class ClassifyPipeline:
    """Gives every sample the label whose phrases are nearest to it."""

    results: Sequence[type] = (Classified,)

    def __init__(self, config: ClassifyConfig, runner: Runner) -> None:
        """Reads the labels and loads the model; Korean names that the lexicon has become English where it has to be.

        Raises InputError, CheckpointError, ConfigError for Korean templates and a model without Korean, or
        SubmissionError where something cannot be written.
        """
        self.config, self.runner = config, runner
        self.fields = fields(config)
        self.labels = read_labels(config.labels)
        self.names = [name for label in self.labels for name in label.names]
        self.cache = config.cache or config.data.output.parent / "labels"
        self.english: dict[str, str] = {}
        self.models: dict[str, dict[str, str]] = {}
        for path in (config.top_file, self.cache / "vectors"):
            if path is not None:
                check_writable(path)
        folder = self._identified("clip", config.checkpoint)
        self.images, self.texts = CLASSIFIERS["clip"].load()(folder)
        self.scale = scale_of(self.images.module)
        self.queries = Queries(self.texts, runner, config.translate, config.translation)
        if self.queries.translates:
            self._check_no_korean_templates()
            lexicon = read_lexicon()
            known = {name: look_up(name, lexicon) for name in self.names if has_hangul(name)}
            self.english = {name: english for name, english in known.items() if english is not None}
            if len(self.english) < len(known):
                self._identified("translator", config.translation.checkpoint)

    def __call__(self, samples: Sequence[Sample]) -> Iterator[Outcome[Sample, Classified]]:
        """One Outcome per sample, in order. The file of the likeliest labels is written at the end.

        Raises InputError for a name that cannot be translated or read, StoppedError where that took too long.
        """
        vectors = self._label_vectors().vectors
        labels = [label.submitted for label in self.labels]
        classifier = Classifier(self.images, vectors, labels, self.scale, self.config.top)
        best: list[tuple[str, Classified]] = []
        for outcome in self.runner.run(classifier, samples, "classify"):
            if outcome.result is not None and self.config.top_file is not None:
                best.append((outcome.item.id, outcome.result))
            yield outcome
        if self.config.top_file is not None:
            Extras().write(partial(write_whole, self.config.top_file, _csv(best)))

    def rows(self, sample: Sample, result: Classified) -> list[Row]:
        """The photo's likeliest label."""
        return [{"label": result.labels[0], "probability": result.probabilities[0]}]

    def blank(self, sample: Sample) -> list[Row]:
        """The first label, with probability 0: a contest refuses what is none of its classes."""
        return [{"label": self.labels[0].submitted, "probability": 0.0}]

    def record(self) -> Mapping[str, object]:
        """The models with their hashes, the labels' file, the sentences, and what Korean names became."""
        languages = {has_hangul(name) and not self.queries.translates for name in self.names}
        sentences = [text for korean in sorted(languages) for text in spelled_out(self.config.sentences, korean)]
        return {
            "models": self.models,
            "labels": {"count": len(self.labels), "sha256": checkpoints.file_hash(self.config.labels).hexdigest()},
            "templates": list(dict.fromkeys(sentences)),
            "probability": self.scale.probability,
            "english": self.english,
        }

    def _label_vectors(self) -> LabelVectors:
        """The labels' vectors: as they are kept, else computed and kept."""
        to, sentences = self.config.translation, self.config.sentences
        key = {
            "models": self.models,
            "dtype": str(self.runner.dtype(self.texts)),
            "names": [[self.english.get(name, name) for name in label.names] for label in self.labels],
            "templates": [spelled_out(sentences, korean) for korean in (False, True)],
            "translation": [self.queries.translates, to.source, to.target],
        }
        path = cache_path(self.cache, key)
        found = load_vectors(path)
        if found is None:
            found = self._embedded()
            Extras().write(partial(save_vectors, path, found))
        self.english |= found.english
        self._announce()
        return found

    def _embedded(self) -> LabelVectors:
        """The vectors by the network, after the translation of the names that the lexicon lacks."""
        unknown = [name for name in self.names if name not in self.english]
        said = dict(zip(unknown, self.queries.asked(unknown), strict=True))
        translated = {name: _noun(name, text) for name, text in said.items() if name in self.queries.english}
        asked = {**said, **self.english, **translated}
        texts = LabelTexts(self.texts)
        of_labels = [
            tuple(dict.fromkeys(text for name in label.names for text in phrases(asked[name], self.config.sentences)))
            for label in self.labels
        ]
        # Filled row by row: ten thousand small tensors between a network's large ones kept gigabytes from being freed.
        vectors = torch.empty(len(of_labels), self.images.width)
        for place, outcome in enumerate(self.runner.run(texts, of_labels, "labels")):
            if not outcome.reached:
                raise StoppedError(
                    f"expected the vectors of {len(of_labels)} labels before the first photo, but {outcome.error}; run "
                    "the same again to go on, with more time"
                )
            if outcome.result is None:
                raise InputError(
                    f"expected a label that can be read, found {self.labels[place].submitted!r}: {outcome.error}"
                )
            vectors[place] = outcome.result
        return LabelVectors(vectors, translated)

    def _check_no_korean_templates(self) -> None:
        for sentence in spelled_out(self.config.sentences, korean=False):
            if has_hangul(sentence):
                raise ConfigError(
                    f"expected templates in English for {self.config.checkpoint}, which is asked in English "
                    f"(--translate), found {sentence!r}"
                )

    def _announce(self) -> None:
        """Says what the model is asked in place of Korean names, and which labels it cannot tell apart."""
        shown = [f"{korean} -> {english}" for korean, english in self.english.items()]
        more = [f"and {len(shown) - SHOWN} more"] if len(shown) > SHOWN else []
        if shown:
            print(f"labels: {', '.join(shown[:SHOWN] + more)}", file=sys.stderr)
        same: dict[frozenset[str], list[str]] = {}
        for label in self.labels:
            words = frozenset(self.english.get(name, name).lower() for name in label.names)
            same.setdefault(words, []).append(label.submitted)
        alike = [(words, labels) for words, labels in same.items() if len(labels) > 1]
        for words, labels in alike[:SHOWN]:
            print(
                f"the labels {', '.join(labels)} are all asked as {SEPARATOR.join(sorted(words))}: only {labels[0]} is "
                "ever given; write other names into a CSV (label,name)",
                file=sys.stderr,
            )
        if len(alike) > SHOWN:
            print(f"and so are {len(alike) - SHOWN} more groups of labels", file=sys.stderr)

    def _identified(self, role: str, checkpoint: str) -> Path:
        folder = checkpoints.resolve(checkpoint)
        self.models[role] = checkpoints.identity(checkpoint, folder)
        return folder


def _noun(korean: str, translation: str) -> str:
    """A translator's sentence as a class's name: "A dog." -> "dog". Raises InputError where it cannot be one."""
    text = translation.strip(" .?!,;")
    for opening in ("it's ", "it is ", "this is ", "a ", "an ", "the "):
        if text.lower().startswith(opening):
            text = text[len(opening) :]
    if not text or has_hangul(text):
        raise InputError(
            f"expected a translation of {korean!r} that is English, found {translation!r}; give the label's English "
            "name in a CSV (label,name)"
        )
    return text


def _csv(best: Sequence[tuple[str, Classified]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TOP_HEADER)
    for key, found in best:
        pairs = zip(found.labels, found.probabilities, strict=True)
        writer.writerows((key, rank, label, f"{likely:.6f}") for rank, (label, likely) in enumerate(pairs, start=1))
    return text.getvalue()
