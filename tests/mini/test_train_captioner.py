"""The captioner is shown what its scene is called, and learns in steps that can be stopped."""

from collections import Counter
from random import Random

import torch
from transformers import AutoProcessor, BlipForConditionalGeneration

from mini.train_captioner import CAPTION_TOKENS, Scenes, make_processor, save, train
from mini.world import KINDS, MOST_OF_A_KIND, TRAINING_SEEDS, scene, sentence


def test_every_word_of_a_sentence_is_a_token():
    tokenizer = make_processor().tokenizer
    for name in KINDS:
        for count in range(1, MOST_OF_A_KIND + 1):
            assert tokenizer.unk_token_id not in tokenizer(sentence({name: count})).input_ids


def test_an_example_holds_its_scenes_caption(emoji):
    tokenizer = make_processor().tokenizer
    for seed in TRAINING_SEEDS[:20]:
        tokens = Scenes(tokenizer)[seed]["tokens"]
        assert tokens.shape == (CAPTION_TOKENS,) and tokens[0] == tokenizer.bos_token_id
        assert tokenizer.sep_token_id in tokens, "the end of the longest sentence is within"
        assert tokenizer.decode(tokens, skip_special_tokens=True) == sentence(Counter(scene(Random(seed)).kinds))


def test_a_few_steps_and_then_one_more(emoji, tmp_path):
    processor = make_processor()
    model, training = train(2, processor, tmp_path / "run.pt")
    before = model.vision_model.embeddings.class_embedding.detach().clone()
    longer, training = train(3, processor, tmp_path / "run.pt")
    assert training.step == 3
    assert not torch.equal(before, longer.vision_model.embeddings.class_embedding)
    save(longer, processor, tmp_path / "weights")
    loaded = BlipForConditionalGeneration.from_pretrained(tmp_path / "weights", dtype=torch.float32)
    inputs = AutoProcessor.from_pretrained(tmp_path / "weights")(images=scene(Random(0)).image, return_tensors="pt")
    assert loaded.generate(**inputs, max_length=5).shape[0] == 1
