"""The settings of the detect task, and what they alone say of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pipelines.core.config import DataConfig, schema
from pipelines.core.errors import InputError
from pipelines.core.images.samples import Sample, read_samples
from pipelines.core.model import AUTO, Models
from pipelines.core.places import OutputFile, OutputFolder
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.submission.fields import Field
from pipelines.core.words.lexicon import read_lexicon
from pipelines.detect.models import DETECTORS, class_names
from pipelines.detect.prompts import Vocabulary, to_english

BOX_FILES = (".csv", ".json")
"""How the files of boxes that a run writes may end."""


@schema
class TranslationConfig:
    """The translator of Korean prompts that the lexicon lacks."""

    checkpoint: str | None = None
    """Folder or hub id of an NLLB or M2M100 model; loaded only where the lexicon lacks a prompt."""
    source: str = "kor_Hang"
    """The prompts' language, by the checkpoint's own code."""
    target: str = "eng_Latn"
    """English, by the checkpoint's own code."""


@schema
class DetectConfig:
    """The settings of the detect task; what is left open is the detector's own, which `DETECTORS` has."""

    models: ClassVar[Mapping[str, Models]] = {"model": DETECTORS}
    data: DataConfig
    checkpoint: str
    """Folder or hub id of the detector."""
    model: str = AUTO
    """The detector, or `auto`: the one that fits the checkpoint's config.json."""
    prompts: str | list[str] | None = None
    """What to count, in Korean or English, as a word, phrase or question that names one thing: one prompt (column
    `count`), or several (a column each). 배(pear) asks for the pear of what 배 may mean."""
    prompt_column: str | None = None
    """Column of the test CSV with a prompt a row; where it is given, `prompts` is not used."""
    lexicon: Path | None = None
    """CSV of your own words (korean,english and, where wanted, synonyms with | between them), which win over ours."""
    translation: TranslationConfig = TranslationConfig()
    box_threshold: float | None = None
    """Score (0 to 1) that a box has to exceed to be counted; it belongs to a model and a set of prompts."""
    nms_iou: float = 0.5
    """Of two boxes of a class that overlap by more than this (intersection over union, 0 to 1) the better one stays."""
    nms_across_classes: bool = False
    """Whether boxes of different classes drop each other too."""
    drop_groups: bool = True
    """Whether a box that only frames several smaller ones of its class, which are counted, is left out."""
    boxes: OutputFile | None = None
    """File for the counted boxes: .csv (image,class,score,x0,y0,x1,y1 in pixels) or .json (COCO's results)."""
    categories: Path | None = None
    """COCO file whose `categories` number the classes of a .json; else they count from 1 in the prompts' order."""
    save_images: OutputFolder | None = None
    """Folder for the photos with their boxes drawn."""
    runner: RunnerConfig = RunnerConfig()

    def __post_init__(self) -> None:
        for key, value in (("box_threshold", self.box_threshold), ("nms_iou", self.nms_iou)):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{key} is 0 to 1, not {value}")
        if self.boxes is not None and self.boxes.suffix.lower() not in BOX_FILES:
            raise ValueError(f"boxes is a file that ends in {' or '.join(BOX_FILES)}, not {self.boxes}")


def fields(config: DetectConfig) -> Mapping[str, Field]:
    """What the rows hold: one `count`, or a count for each of several prompts. Raises InputError as `run_prompts`."""
    prompts, words = run_prompts(config), vocabulary(config)
    if len(prompts) < 2:
        names = [name for prompt in prompts for name in (prompt, *_names(prompt, words))]
        return {"count": Field("count", ("number", "answer", "개수", "갯수", "수", *names))}
    return {prompt: Field("count", _names(prompt, words), asked=True) for prompt in prompts}


def _names(prompt: str, words: Vocabulary) -> list[str]:
    """What a prompt's column may be called: its noun in English, and all Korean words for that, by the lexicon."""
    named = words.name(prompt)
    english = named.english or named.text
    return [english, *(korean for korean, word in words.lexicon.items() if word == english)]


def samples(config: DetectConfig) -> list[Sample]:
    """The photos to count in. Raises InputError, also for prompts that no run could use."""
    words = vocabulary(config)
    prompts = run_prompts(config)
    found = read_samples(config.data)
    if config.prompt_column is not None:
        cells = column_prompts(found, config.prompt_column, config.data)
        prompts = [cell for cell in cells if words.usable(cell)]
    if config.translation.checkpoint is None:
        to_english(prompts, words, translate=None)
    return found


def run_prompts(config: DetectConfig) -> list[str]:
    """The prompts of the whole run, verbatim; none where a column has them.

    Raises InputError where there are none at all, or one cannot be used or comes twice.
    """
    if config.prompt_column is not None:
        return []
    prompts = [config.prompts] if isinstance(config.prompts, str) else list(config.prompts or [])
    if not prompts:
        raise InputError("expected what to count, found no prompt; give --prompts 강아지 고양이, or --prompt-column")
    words = vocabulary(config)
    for prompt in prompts:
        words.name(prompt)
    if len(set(prompts)) < len(prompts):
        raise InputError(f"expected prompts that differ, for each is a column, found {', '.join(prompts)}")
    return prompts


def column_prompts(samples: Sequence[Sample], column: str, data: DataConfig) -> list[str]:
    """The prompt of each sample, verbatim. Raises InputError where the CSV has no such column."""
    for sample in samples:
        if column not in sample.fields:
            table = data.test_csv or data.sample_submission
            raise InputError(
                f"expected a column `{column}` with the prompts in {table or 'a CSV given as --test-csv'}, found "
                f"{', '.join(sample.fields) or 'none beside the ids'}"
            )
    return [sample.fields[column] for sample in samples]


def vocabulary(config: DetectConfig) -> Vocabulary:
    """What prompts may name: the classes of a checkpoint folder that has its own, and the words of the lexicon."""
    folder = Path(config.checkpoint).expanduser()
    classes = class_names(folder) if (folder / "config.json").is_file() else ()
    return Vocabulary(read_lexicon(config.lexicon), classes)
