from tests.demo.conftest import page_app, press


def test_it_shows_what_the_other_pages_have_loaded_and_done(app):
    press(app, "설명 만들기")
    status = page_app("status_page")
    assert not status.exception
    labels = {metric.label: metric.value for metric in status.metric}
    assert labels["장치"].startswith("CPU, 스레드 ")
    assert labels["기다리는 방문자"] == "0"
    models, speed = (table.value for table in status.dataframe)
    assert models["checkpoint"].is_unique
    assert {"mini/weights/blip", "mini/weights/nllb"} <= set(models["checkpoint"])
    assert (speed["items"] >= 8).any()
    assert (speed["speed"] > 0).all()
