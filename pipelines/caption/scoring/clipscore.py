"""CLIPScore (Hessel et al., EMNLP 2021): how well a caption fits its photo, without any reference."""

from collections.abc import Sequence

from pipelines.core.images.samples import Sample
from pipelines.core.networks import checkpoints
from pipelines.core.networks.clip import load_clip
from pipelines.core.running.runner import Runner

WEIGHT = 2.5  # which brings the usual cosines of ViT-B/32 to 0 to 1


def clip_scores(
    samples: Sequence[Sample], captions: Sequence[str], checkpoint: str, runner: Runner, prefix: str = ""
) -> list[float]:
    """2.5 times the cosine of each photo and its caption behind `prefix`, 0 where that is negative.

    `checkpoint` is a folder or hub id of CLIP, SigLIP or SigLIP 2; only scores of one checkpoint compare. A photo that
    cannot be read has 0. Raises CheckpointError.
    """
    images, texts = load_clip(checkpoints.resolve(checkpoint))
    written = runner.run(texts, [prefix + caption for caption in captions], "captions")
    seen = runner.run(images, samples, "photos")
    scores = []
    for text, photo in zip(list(written), seen, strict=True):
        if text.result is None or photo.result is None:
            scores.append(0.0)
        else:
            scores.append(WEIGHT * max(0.0, float(text.result @ photo.result)))
    return scores
