"""`search query`: an album's photos by words, by a photo or by both, of those for which a condition holds."""

import json
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, from_numpy

from pipelines.core.errors import ImageError, InputError
from pipelines.core.networks import checkpoints
from pipelines.core.networks.clip import load_clip
from pipelines.core.running.runner import Runner
from pipelines.core.words.lexicon import read_lexicon
from pipelines.core.words.queries import Queries
from pipelines.search.album.album import Album, album_names, open_album
from pipelines.search.album.captions import marked_captions
from pipelines.search.album.counts import counted_kinds
from pipelines.search.album.embedding import PhotoFile, PhotoReader, photo_id, photo_path
from pipelines.search.album.nearest import Match
from pipelines.search.album.place import place
from pipelines.search.models import load_judge
from pipelines.search.models.judge import Judge
from pipelines.search.query.combining import combined
from pipelines.search.query.cutoff import Fit, fit
from pipelines.search.query.fusion import mixed
from pipelines.search.query.rerank import Reranked, rerank
from pipelines.search.query.words import Asked, check_text, take_apart
from pipelines.search.where.counted import counted_names
from pipelines.search.where.filters import parse

if TYPE_CHECKING:
    from pipelines.search.settings import SearchConfig


def find_album(config: "SearchConfig") -> Album:
    """The album that the settings name, or the only one. Raises InputError where there is none, or several."""
    albums = place(config.albums)
    names = album_names(albums)
    there = ", ".join(names) or "none"
    if config.album is None and len(names) != 1:
        raise InputError(
            f"expected one album in {albums}, found {there}; "
            + ("say which with --album" if names else "make one with `search index DIR`")
        )
    path = albums / (config.album or names[0])
    album = open_album(path)
    if album is None:
        raise InputError(f"expected an album at {path}, found none; there are: {there}; `search index DIR` makes one")
    return album


class Asking:
    """An album with the two sides of the checkpoint that it was made with; can be asked any number of times."""

    def __init__(self, album: Album, config: "SearchConfig", runner: Runner | None = None) -> None:
        """Loads the models. Raises InputError where the settings name another checkpoint than the album's."""
        self.runner = runner or Runner(config.runner)
        folder = self.runner.keep(partial(checkpoints.resolve, config.checkpoint))
        if self.runner.keep(partial(checkpoints.fingerprint, folder)) != album.about.fingerprint:
            raise InputError(
                f"the album {album.path} was made with the checkpoint {album.about.checkpoint} "
                f"({album.about.fingerprint}), which is not what {config.checkpoint} is; say --checkpoint "
                f"{album.about.checkpoint}, or make the album anew with `search index --fresh`"
            )
        images, texts = self.runner.load(partial(load_clip, folder))
        self.config = config
        self.cutoff = config.cutoff if config.cutoff_model in (None, album.about.fingerprint) else None
        """From which cosine on a photo is what words ask for, where that is known of this checkpoint."""
        self.judge: Judge | None = None
        """Of the setting `rerank`, once it was asked."""
        self.album, self.reader = album, PhotoReader(images)
        self.queries = Queries(texts, self.runner, config.translate, config.translation)
        self.lexicon = read_lexicon()
        self._counted: tuple[int, Mapping[str, str]] | None = None

    def ask(self, words: str | None, photo: str | None, top: int, where: str | None = None) -> list[Match]:
        """The photos that show what words say (`바다 -사람`), look like a photo, or both, the best first.

        The photo is one of the album, given by id or by path, which is then left out, or any file. `where` is a
        condition as `filters` reads it. Raises InputError for what is none of these, ImageError for no photo.
        """
        condition = None if where is None else parse(where, self.counted())
        asked = self.take_apart(words)
        shown: list[Tensor] = []
        weights: list[float] = []
        key = None
        if photo is None:
            check_text(asked)
        else:
            key, vector = self._photo(photo)
            shown, weights = [vector], [self.config.photo_weight]
        if asked.text:
            shown, weights = [*shown, self.queries.vectors([asked.text])[0]], [*weights, 1 - self.config.photo_weight]
        minus = self.queries.vectors(asked.minus) if asked.minus else torch.empty(0)
        vector = mixed(torch.stack(shown), weights, minus)
        return combined(self.album, vector, asked, top, condition, self.config.fold, key)

    def take_apart(self, words: str | None) -> Asked:
        """What words ask for of this album. Raises InputError for quotes that are not closed."""
        return take_apart(words or "", self.counted(), self.lexicon)

    def fit(self, asked: Asked, found: Sequence[Match]) -> Fit | None:
        """Which of the photos found for words fit them; None where nothing was found or no cutoff is known."""
        if self.cutoff is None or not found:
            return None
        return fit(self.album, self.queries.vectors([asked.text])[0], asked, found, self.cutoff)

    def counted(self) -> Mapping[str, str]:
        """What the objects that were counted may be called -> the album's name of them; read where it has changed."""
        version = self.album.photos.version
        if self._counted is None or self._counted[0] != version:
            self._counted = version, counted_names(counted_kinds(self.album), self.lexicon)
        return self._counted[1]

    def reranked(self, text: str, matches: Sequence[Match]) -> Reranked:
        """What was found, in the order of the judge that the settings name, who is asked what the photos show.

        Raises ConfigError or CheckpointError.
        """
        if self.judge is None:
            folder = self.runner.keep(partial(checkpoints.resolve, str(self.config.rerank_checkpoint)))
            self.judge = self.runner.load(partial(load_judge, str(self.config.rerank), folder))
        (asked,) = self.queries.asked([text], self.judge.tokenizer)
        return rerank(self.judge, self.runner, asked, matches, Path(self.album.about.folder))

    def _photo(self, photo: str) -> tuple[str | None, Tensor]:
        """A photo's unit vector, and its id where it is one of the album."""
        key = self._id(photo)
        rows = {} if key is None else self.album.rows([key], ["vector"])
        if key in rows:
            return key, torch.tensor(np.array(rows[key]["vector"], np.float32))
        return None, self._read(Path(photo).expanduser())

    def _id(self, photo: str) -> str | None:
        """The id that a photo of the album would have; None for a file elsewhere."""
        path, folder = Path(photo).expanduser(), Path(self.album.about.folder)
        if not path.exists():
            return unicodedata.normalize("NFC", photo)
        path = path.parent.resolve() / path.name
        return photo_id(path, folder) if path.is_relative_to(folder) else None

    def _read(self, path: Path) -> Tensor:
        try:
            state = path.stat()
        except OSError as error:
            raise ImageError(f"expected a photo of the album or a file at {path}: {error.strerror}") from None
        file = PhotoFile(path.name, path, state.st_size, state.st_mtime_ns)
        (outcome,) = self.runner.run(self.reader, [file], progress=False)
        if outcome.result is None or outcome.result.vector is None:
            raise ImageError(outcome.error if outcome.result is None else outcome.result.refusal)
        return from_numpy(outcome.result.vector).float()


def as_json(matches: Sequence[Match], album: Album, words: Sequence[str] = (), below: Collection[str] = ()) -> str:
    """The matches as JSON: path, id in the album, score, and what else there is to say.

    That is `judged`, what a judge said, `match`, false for the ids in `below`, which do not fit what was asked for,
    `alike`, the ids of near-duplicates, `caption`, and `marks`, where it has the words, from the first character to
    before the second.
    """
    folder = Path(album.about.folder)
    captions = marked_captions(album, [each.id for each in matches], words)
    rows: list[dict[str, object]] = []
    for each in matches:
        path = str(photo_path(folder, each.id))
        row: dict[str, object] = {"path": path, "id": each.id, "score": round(each.score, 6)}
        row |= {} if each.judged is None else {"judged": round(each.judged, 6)}
        row |= {"match": False} if each.id in below else {}
        row |= {"alike": each.alike} if each.alike else {}
        if each.id in captions:
            marks = [(span.start, span.end) for span in captions[each.id].spans]
            row |= {"caption": captions[each.id].caption, "marks": marks}
        rows.append(row)
    return json.dumps(rows, ensure_ascii=False, indent=2)


def as_table(
    matches: Sequence[Match], album: Album, judge: str | None, words: Sequence[str] = (), below: Collection[str] = ()
) -> list[list[str]]:
    """The matches as rows of text under a header; only columns in which something is said; `below` as for `as_json`."""
    folder = Path(album.about.folder)
    captions = marked_captions(album, [each.id for each in matches], words)
    columns = {
        str(judge): ["" if each.judged is None else f"{each.judged:.3f}" for each in matches],
        "score": [f"{each.score:.3f}" for each in matches],
        "photo": [str(photo_path(folder, each.id)) for each in matches],
        "match": ["no" if each.id in below else "" for each in matches],
        "alike": [f"+{len(each.alike)}" if each.alike else "" for each in matches],
        "caption": [str(captions.get(each.id, "")) for each in matches],
    }
    said = {name: cells for name, cells in columns.items() if any(cells) or name in ("score", "photo")}
    return [list(said), *map(list, zip(*said.values(), strict=True))]
