"""What is asked of every captioner, on the tiny checkpoint that its entry names."""

import pytest

from pipelines.caption.models import CAPTIONERS, load_captioner
from pipelines.caption.models.captioner import Said
from pipelines.caption.settings import CaptionConfig
from pipelines.core.errors import CheckpointError, ConfigError
from pipelines.core.images.samples import Sample
from tests import contract, tiny

SHORT = {"max_tokens": 12}


@pytest.fixture(scope="module", params=CAPTIONERS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def folder(name, tmp_path_factory):
    return contract.made(CAPTIONERS[name], tmp_path_factory.mktemp(name))


@pytest.fixture(scope="module")
def captioner(name, folder):
    return load_captioner(name, folder, SHORT)


def test_the_entry_is_as_the_class(name, folder, captioner):
    contract.check_entry(CAPTIONERS, name, folder, captioner)


def test_its_defaults_are_of_settings_that_there_are(name):
    assert CAPTIONERS[name].defaults.keys() <= CaptionConfig.__pydantic_fields__.keys()


@pytest.mark.parametrize("count", contract.COUNTS)
def test_one_caption_per_picture(captioner, photos, count):
    found = contract.results(captioner, photos[:count])
    assert len(found) == count
    assert all(isinstance(said, Said) and said.text == " ".join(said.text.split()) for said in found)


def test_only_the_bad_picture_has_no_caption(captioner, photos, tmp_path):
    bad = Sample("bad", contract.bad_picture(tmp_path))
    found = contract.outcomes(captioner, [*photos[:2], bad, *photos[2:]])
    assert [outcome.item for outcome in found if not outcome.ok] == [bad]
    assert "bad.jpg" in found[2].error
    assert [outcome.result for outcome in found if outcome.ok] == contract.results(captioner, photos)


def test_captions_do_not_depend_on_the_batch(captioner, photos):
    alone = contract.results(captioner, photos, batch=1)
    assert contract.results(captioner, photos, batch=len(photos)) == alone
    assert contract.results(captioner, photos[::-1]) == alone[::-1]
    assert len({said.text for said in alone}) > 3  # they depend on the picture


def test_bfloat16_writes_captions(name, folder, photos):
    if "bf16" not in CAPTIONERS[name].dtypes | CAPTIONERS[name].near_dtypes:
        pytest.skip(f"{name} does not run in bfloat16")
    assert_written(contract.results(load_captioner(name, folder, SHORT), photos, precision="bf16"))


def test_half_precision_writes_captions(name, folder, photos):
    if "fp16" not in CAPTIONERS[name].dtypes:
        pytest.skip(f"{name} runs in float16 only where its weights come in it")
    assert_written(contract.in_half(load_captioner(name, folder, SHORT), photos))


def assert_written(found):
    """Rounding may change words; that they still depend on the picture says that the numbers are right."""
    assert all(said.text for said in found) and len({said.text for said in found}) > 3


def test_fewest_tokens_beyond_the_most_are_refused(name, folder):
    with pytest.raises(ConfigError, match=r"at most max_tokens \(\d+\), found 99"):
        load_captioner(name, folder, {"min_tokens": 99})


def test_a_setting_that_it_has_not_is_refused(name, folder):
    with pytest.raises(ConfigError, match=rf"settings that {name} has \(prompt, .*\), found colour"):
        load_captioner(name, folder, {"colour": "red", "beams": None})


def test_another_kind_of_checkpoint_is_refused(name, tmp_path):
    with pytest.raises(CheckpointError, match="expected"):
        load_captioner(name, tiny.nllb(tmp_path), {})


def test_an_unknown_name_lists_the_names(tmp_path):
    with pytest.raises(ConfigError, match="found `nobody`") as refusal:
        load_captioner("nobody", tmp_path, {})
    assert all(f"{name} ({model.fits})" in str(refusal.value) for name, model in CAPTIONERS.items())
