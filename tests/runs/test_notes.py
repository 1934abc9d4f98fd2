"""What is the matter with pictures that are used all the same: the doctor, a run's end and its record tell it."""

import json
from dataclasses import dataclass, replace

import pytest
from PIL import Image

from pipelines.core.config import DataConfig
from pipelines.core.images.decode import decode
from pipelines.core.images.samples import read_samples
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.submission.fields import Field
from pipelines.runs.examine import examine_inputs
from pipelines.runs.run import run_key, run_task
from pipelines.tasks import TASKS

PICTURES = 12
LEFT = "left out are hidden or system folders: 1 (.thumbnails); videos: 1 (film.mp4)"
CUT = "damaged, and used as far as it can be shown: image file is truncated"


@dataclass(frozen=True)
class Config:
    data: DataConfig
    runner: RunnerConfig


@dataclass(frozen=True)
class Red:
    most: int


class Reds:
    """The most red that a picture has, as a count."""

    fields = {"count": "count"}  # noqa: RUF012 - as plain as the pipelines' own
    results = (Red,)

    def __init__(self, config, runner, meanwhile):
        self.config, self.runner, self.meanwhile, self.seen = config, runner, meanwhile, 0

    def __call__(self, samples):
        yield from self.runner.run(self, samples, "look")

    def prepare(self, samples):
        return {"red": [int(decode(sample.path)[0].max()) for sample in samples]}

    def predict(self, batch):
        self.seen += len(batch["red"])
        self.meanwhile(self.seen)
        return [Red(value) for value in batch["red"]]

    def rows(self, sample, result):
        return [{"count": result.most}]

    def blank(self, sample):
        return [{"count": 0}]

    def record(self):
        return {}


@pytest.fixture
def config(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(PICTURES):
        Image.effect_noise((64, 48), 80).convert("RGB").save(images / f"{number:02}.jpg")
    data = (images / "01.jpg").read_bytes()
    (images / "01.jpg").write_bytes(data[:-2])
    (images / "film.mp4").write_bytes(b"")
    (images / ".thumbnails").mkdir()
    return Config(
        DataConfig(images, output=tmp_path / "out/a.csv"), RunnerConfig(device="cpu", batch=4, progress=False)
    )


def task(meanwhile=lambda seen: None):
    return replace(
        TASKS["detect"],
        config=Config,
        pipeline=lambda config, runner: Reds(config, runner, meanwhile),
        samples=lambda config: read_samples(config.data),
        fields=lambda config: {"count": Field("count")},
    )


def warnings(config):
    record = json.loads(config.data.output.with_suffix(".json").read_text())
    return {each["id"]: each["reason"] for each in record["warnings"]}


def test_a_run_tells_and_keeps_what_it_noticed(config, capsys):
    run_task(task(), config)
    found, folder = warnings(config), str(config.data.images)
    assert list(found) == [folder, "01.jpg"]
    assert found["01.jpg"].startswith(CUT)
    assert found[folder] == LEFT
    said = capsys.readouterr().err
    assert f"  01.jpg: {CUT}" in said and "film.mp4" in said
    assert json.loads(config.data.output.with_suffix(".json").read_text())["blanks"] == []


def test_a_run_that_goes_on_still_knows_what_the_one_before_noticed(config):
    def kill(seen):
        if seen == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_task(task(kill), config)
    run_task(task(), config)
    assert warnings(config)["01.jpg"].startswith(CUT)


def test_a_clean_folder_has_no_warnings(config):
    (config.data.images / "01.jpg").unlink()
    clean = replace(config, data=replace(config.data, ignore=["film.mp4", ".thumbnails"]))
    run_task(task(), clean)
    (told,) = warnings(clean).values()
    assert told == "left out are files or folders of --ignore: 2 (.thumbnails, film.mp4)"


def test_the_doctor_tells_what_is_left_out_and_what_is_damaged(config):
    path = config.data.images / "02.png"
    Image.new("RGB", (64, 48), "red").save(path, dpi=(72, 72))
    data = path.read_bytes()
    place = data.index(b"pHYs") + 4 + 9
    path.write_bytes(data[:place] + bytes(4) + data[place + 4 :])  # its check sum
    found = [finding.message for finding in examine_inputs(task(), config) if finding.severity == "warning"]
    assert f"{config.data.images}: {LEFT}" in found
    assert any(message.startswith(f"{path}: damaged, and used") and "pHYs" in message for message in found)
    assert not any("blank row" in message for message in found)


def test_settings_that_say_nothing_new_leave_the_runs_key_as_it_was(config):
    samples = read_samples(config.data)
    key = run_key("detect", Reds(config, None, None), samples)
    assert set(key["settings"]["data"]) == {"images", "sample_submission", "test_csv", "id_column", "columns"}
    white = replace(config, data=replace(config.data, white=4095))
    assert run_key("detect", Reds(white, None, None), samples)["settings"]["data"]["white"] == 4095
