"""`search query`: an album's photos by words, or by a photo."""

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, from_numpy

from pipelines.core import checkpoints
from pipelines.core.clip import load_clip
from pipelines.core.errors import ImageError, InputError
from pipelines.core.runner import Runner
from pipelines.search.album import Album, album_names, open_album
from pipelines.search.embedding import PhotoFile, PhotoReader, photo_id
from pipelines.search.nearest import Match, nearest
from pipelines.search.queries import Queries
from pipelines.search.rerank import Judge, Reranked, load_judge, rerank
from pipelines.search.settings import SearchConfig
from pipelines.search.words import take_apart


def find_album(config: SearchConfig) -> Album:
    """The album that the settings name, or the only one. Raises InputError where there is none, or several."""
    albums = config.albums.expanduser()
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

    def __init__(self, album: Album, config: SearchConfig) -> None:
        """Loads the models. Raises InputError where the settings name another checkpoint than the album's."""
        folder = checkpoints.resolve(config.checkpoint)
        if checkpoints.fingerprint(folder) != album.about.fingerprint:
            raise InputError(
                f"the album {album.path} was made with the checkpoint {album.about.checkpoint} "
                f"({album.about.fingerprint}), which is not what {config.checkpoint} is; say --checkpoint "
                f"{album.about.checkpoint}, or make the album anew with `search index --fresh`"
            )
        images, texts = load_clip(folder)
        self.config = config
        self.judge: Judge | None = None
        """Of the setting `rerank`, once it was asked."""
        self.album, self.reader, self.runner = album, PhotoReader(images), Runner(config.runner)
        self.queries = Queries(texts, self.runner, config.translate, config.translation)

    def by_words(self, query: str, top: int, where: str | None = None) -> list[Match]:
        """The photos that show what a query says. Raises InputError."""
        return nearest(self.album, self.queries.vectors([query])[0], top, where)

    def by_photo(self, photo: str, top: int, where: str | None = None) -> list[Match]:
        """The photos most like one of the album, given by id or by path, or like any file; itself is left out.

        Raises ImageError where it is no photo.
        """
        key, vectors = self._id(photo), self.album.vectors()
        if key is not None and key in vectors.ids:
            vector = vectors.matrix[list(vectors.ids).index(key)].float()
            found = nearest(self.album, vector, top + 1, where)
            return [match for match in found if match.id != key][:top]
        return nearest(self.album, self._read(Path(photo).expanduser()), top, where)

    def reranked(self, query: str, matches: Sequence[Match]) -> Reranked:
        """What a query found, in the order of the judge that the settings name. Raises ConfigError, CheckpointError."""
        if self.judge is None:
            self.judge = load_judge(str(self.config.rerank), checkpoints.resolve(str(self.config.rerank_checkpoint)))
        (text,) = self.queries.asked([take_apart(query, {}).text or query], self.judge.tokenizer)
        return rerank(self.judge, self.runner, text, matches, Path(self.album.about.folder))

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
        (outcome,) = self.runner.run(self.reader, [PhotoFile(path.name, path, state.st_size, state.st_mtime_ns)])
        if outcome.result is None or outcome.result.vector is None:
            raise ImageError(outcome.error if outcome.result is None else outcome.result.refusal)
        return from_numpy(outcome.result.vector).float()


def as_json(matches: Sequence[Match], album: Album) -> str:
    """The matches as JSON: path, id in the album, score, and what a judge said where one was asked."""
    folder = Path(album.about.folder)
    rows: list[dict[str, str | float]] = []
    for each in matches:
        judged = {} if each.judged is None else {"judged": round(each.judged, 6)}
        rows.append({"path": str(folder / each.id), "id": each.id, "score": round(each.score, 6), **judged})
    return json.dumps(rows, ensure_ascii=False, indent=2)
