"""The kinds of objects that were counted in an album's photos."""

import json

from pipelines.search.album.album import Album


def counted_kinds(album: Album) -> list[str]:
    """What was counted in any photo of an album, sorted."""
    texts = album.photos.search().where("counts IS NOT NULL").select(["counts"]).to_arrow()["counts"]
    return sorted({kind for text in set(texts.to_pylist()) for kind in json.loads(text)})
