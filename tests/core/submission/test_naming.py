"""The columns of published samples get what their names mean, in Korean and in English, and never another's."""

from pathlib import Path

import pytest

from pipelines.core.config import DataConfig, load_config
from pipelines.core.errors import SubmissionError
from pipelines.core.images.samples import Sample
from pipelines.core.submission.naming import match, speaks
from pipelines.core.submission.schema import SubmissionSchema, read_schema
from pipelines.tasks import TASKS


def schema_of(tmp_path: Path, task: str, sample: str, **settings) -> SubmissionSchema:
    """What the task makes of a sample submission, with the bundled settings and those."""
    path = tmp_path / "sample.csv"
    path.write_text(sample if "\n" in sample else f"{sample}\n{',' * sample.count(',')}\n", encoding="utf-8")
    data = {"data.images": str(tmp_path), "data.sample_submission": str(path)}
    if "labels" in settings:
        (tmp_path / "labels.csv").write_text(settings["labels"], encoding="utf-8")
        settings["labels"] = str(tmp_path / "labels.csv")
    config = load_config(Path(f"configs/mini/{task}.yaml"), TASKS[task].config, data | settings)
    return read_schema(config.data, TASKS[task].fields(config))


DOG_CAT = {"prompts": ["강아지", "고양이"]}
KOREAN = {"labels": "label,name\n강아지,강아지\n고양이,고양이\n"}
ENGLISH = {"labels": "label,name\ndog,dog\ncat,cat\n"}
NUMBERED = {"labels": "label,name\n0,강아지|개\n1,고양이\n"}
OF_KOREAN = {"강아지": "probability of 강아지", "고양이": "probability of 고양이"}

FILLED = {
    # Several prompts: each column's name says which.
    "English for Korean": ("detect", "id,cat,dog", DOG_CAT, {"cat": "고양이", "dog": "강아지"}),
    "Korean for English": ("detect", "id,개,고양이", {"prompts": ["cat", "dog"]}, {"개": "dog", "고양이": "cat"}),
    "plurals": ("detect", "id,Cats,DOGS", DOG_CAT, {"Cats": "고양이", "DOGS": "강아지"}),
    "counted": ("detect", "id,n_cat,dog_count", DOG_CAT, {"n_cat": "고양이", "dog_count": "강아지"}),
    "counted in Korean": ("detect", "id,고양이_수,강아지수", DOG_CAT, {"고양이_수": "고양이", "강아지수": "강아지"}),
    "one word": ("detect", "id,CatCount,NumDogs", DOG_CAT, {"CatCount": "고양이", "NumDogs": "강아지"}),
    "the very name first": (
        "detect",
        "id,개,강아지",
        {"prompts": ["강아지", "개"]},
        {"개": "개", "강아지": "강아지"},
    ),
    "of two words": ("detect", "id,fire_truck,cat", {"prompts": ["고양이", "소방차"]},
                     {"fire_truck": "소방차", "cat": "고양이"}),
    "names that say nothing": ("detect", "id,x1,x2", DOG_CAT, {"x1": "강아지", "x2": "고양이"}),
    "one of two": ("detect", "id,cat", DOG_CAT, {"cat": "고양이"}),
    # Labels: each one's probability.
    "labels": ("classify", "image_id,강아지,고양이", KOREAN, OF_KOREAN),
    "labels crosswise": ("classify", "image_id,고양이,강아지", KOREAN, OF_KOREAN),
    "labels in English": ("classify", "image_id,cat,dog", KOREAN, {"cat": "probability of 고양이",
                                                                   "dog": "probability of 강아지"}),
    "labels in Korean": ("classify", "image_id,고양이,강아지", ENGLISH, {"고양이": "probability of cat",
                                                                        "강아지": "probability of dog"}),
    "labels by their names": ("classify", "image_id,고양이,개", NUMBERED, {"고양이": "probability of 1",
                                                                           "개": "probability of 0"}),
    "labels by their numbers": ("classify", "ID,class_1,class_0", NUMBERED, {"class_1": "probability of 1",
                                                                             "class_0": "probability of 0"}),
    "labels of probabilities": ("classify", "id,prob_dog,cat probability", ENGLISH,
                                {"prob_dog": "probability of dog", "cat probability": "probability of cat"}),
    "the label itself": ("classify", "SampleID,PredictedLabel", ENGLISH, {"PredictedLabel": "label"}),
    "one answer": ("classify", "id,answer", ENGLISH, {"answer": "label"}),
    "answer and confidence": ("classify", "id,confidence,target", ENGLISH, {"confidence": "probability",
                                                                            "target": "label"}),
    "both labels of anomaly": ("anomaly", "id,normal,anomaly", {}, {"normal": "probability of normal",
                                                                    "anomaly": "probability of anomaly"}),
    "both in Korean": ("anomaly", "id,이상,정상", {}, {"이상": "probability of anomaly",
                                                       "정상": "probability of normal"}),
    "good and defective": ("anomaly", "id,defective,good", {}, {"defective": "probability of anomaly",
                                                                "good": "probability of normal"}),
    "one label of anomaly": ("anomaly", "id,anomaly", {}, {"anomaly": "label"}),
    "label and score": ("anomaly", "id,Anomaly Score,is_anomaly", {}, {"Anomaly Score": "score",
                                                                       "is_anomaly": "label"}),
    "one column of anomaly": ("anomaly", "id,answer", {}, {"answer": "label"}),
    # Columns that nobody fills.
    "Samsung's challenge of 2023": ("caption", "img_name,mos,comments", {}, {"comments": "caption"}),
    "a path": ("caption", "id,path,답\na,test/a.jpg,\nb,test/b.jpg,\n", {}, {"답": "caption"}),
    "row numbers": ("caption", "Unnamed: 0,id,답\n0,a,\n1,b,\n", {}, {"답": "caption"}),
    "another column": ("anomaly", "id,label,split\na,0,test\n", {}, {"label": "label"}),
    "a second class": ("anomaly", "id,label,class\na,0,leather\n", {}, {"label": "label"}),
}  # fmt: skip


@pytest.mark.parametrize(("task", "sample", "settings", "filled"), FILLED.values(), ids=FILLED.keys())
def test_a_column_gets_what_its_name_means(tmp_path, task, sample, settings, filled):
    assert schema_of(tmp_path, task, sample, **settings).sources == filled


REFUSED = {
    "a name of something else": ("detect", "id,dog,bird", DOG_CAT, "dog <- 강아지, bird <- ?"),
    "names of other things": ("detect", "id,happy,sad", DOG_CAT, "happy <- ?, sad <- ?"),
    "one name of something else": ("detect", "id,bird", DOG_CAT, "bird <- ?"),
    "two columns for one": ("detect", "id,n_cat,cats", DOG_CAT, "n_cat <- 고양이, cats <- 고양이"),
    "one column for two": ("detect", "id,dog,cat", {"prompts": ["개", "강아지", "고양이"]}, "dog <- 개 or 강아지"),
    "two answers": ("anomaly", "id,answer,class", {}, "answer <- label, class <- label"),
    "names that say too little": ("caption", "id,a,b", {}, "a <- ?, b <- ?"),
}


@pytest.mark.parametrize(("task", "sample", "settings", "plan"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_clear_is_refused_with_the_plan(tmp_path, task, sample, settings, plan):
    with pytest.raises(SubmissionError) as refused:
        schema_of(tmp_path, task, sample, **settings)
    assert plan in str(refused.value) and "--columns '{" in str(refused.value)


def test_what_was_refused_is_said_by_columns(tmp_path):
    told = {"data.columns": {"happy": "고양이", "sad": None}}
    schema = schema_of(tmp_path, "detect", "id,happy,sad\na,0,7\n", **DOG_CAT, **told)
    assert (schema.sources, schema.kept) == ({"happy": "고양이"}, {"sad": {"a": "7"}})


def test_without_a_sample_there_are_no_columns_on_request(tmp_path):
    for task, usual in {"classify": ["label", "probability"], "anomaly": ["label", "score"]}.items():
        config = load_config(Path(f"configs/mini/{task}.yaml"), TASKS[task].config)
        assert read_schema(DataConfig(images=tmp_path), TASKS[task].fields(config)).columns == ["image", *usual]


def test_columns_that_nobody_fills_keep_their_cells(tmp_path):
    sample = "Unnamed: 0,img_name,mos,comments\n0,a,NA,\n1,b, 3.50 ,\n"
    schema = schema_of(tmp_path, "caption", sample)
    assert schema.id_column == "img_name"
    assert schema.line(Sample("b", Path("b.jpg")), {"caption": "개"}) == ["1", "b", " 3.50 ", "개"]
    assert schema.plan() == "Unnamed: 0 as it is, mos as it is, comments <- caption"


def test_ten_thousand_labels_are_matched(tmp_path):
    names = [f"thing{number}" for number in range(10_000)]
    labels = {"labels": "label\n" + "\n".join(names) + "\n"}
    schema = schema_of(tmp_path, "classify", ",".join(["id", *reversed(names)]), **labels)
    assert schema.sources == {name: f"probability of {name}" for name in names}


def test_no_columns_mean_nothing():
    assert match([], {}) == {} and match(["x"], {}) == {}


@pytest.mark.parametrize(
    ("name", "told"),
    [("cat", True), ("개", True), ("mos", True), ("답", False), ("x", False), ("col_1", False), ("", False)],
)
def test_names_that_say_which(name, told):
    assert speaks(name) == told
