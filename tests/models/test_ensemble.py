"""Ensembles: members and their mean, on disk and in memory."""

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForSequenceClassification

from accord.config import InputError
from accord.functional.ensembles import disagreement, mean_score
from accord.models import ensemble, load, preference_model, scalar_head
from accord.models.ensemble import Members
from accord.runtime.seeding import generator

TOKENS = torch.tensor([[5, 6, 7, 20, 1], [9, 10, 11, 1, 0]])
LENGTHS = torch.tensor([5, 4])


@pytest.fixture(scope="module")
def saved(tiny_models, tmp_path_factory):
    """A model of three heads, normalised as a stage does it, and its scores before saving."""
    model, tokenizer = load.load_scalar_model(tiny_models["llama"], random=generator(0))
    heads = ensemble.fresh_heads(model, Members(heads=3), random=generator(1))
    ensemble.settle(model, heads)
    scalar_head.normalise(model, gain=2.0, bias=-0.5)
    heads.weight.data.mul_(2.0)
    folder = tmp_path_factory.mktemp("ensemble")
    load.save_model(model, tokenizer, folder)
    ensemble.save_heads(heads.weight, folder)
    return folder


def scores(sources):
    found, _ = ensemble.load_ensemble(sources)
    with torch.no_grad():
        return ensemble.ensemble_scores(found, TOKENS, LENGTHS)


def test_the_saved_model_is_the_mean_of_its_members(saved):
    members = scores([saved])
    assert members.shape == (3, 2)
    assert float(disagreement(members).min()) > 0
    model, _ = load.load_scalar_model(saved)
    with torch.no_grad():
        mean = preference_model.scores(model, TOKENS, LENGTHS)
        plain = AutoModelForSequenceClassification.from_pretrained(saved)(TOKENS[:1]).logits
    assert torch.allclose(mean_score(members), mean, atol=1e-5)
    assert float(plain) - 0.5 == pytest.approx(float(mean[0]), abs=1e-5)


def test_models_apart_are_members_too(saved, tiny_models, tmp_path):
    model, tokenizer = load.load_scalar_model(tiny_models["gpt2"], random=generator(7))
    load.save_model(model, tokenizer, tmp_path)
    together = scores([saved, tmp_path])
    assert together.shape == (4, 2)
    assert torch.equal(together[:3], scores([saved]))
    with torch.no_grad():
        alone = preference_model.scores(model, TOKENS, LENGTHS)
    assert torch.allclose(together[3], alone, atol=1e-5)
    assert len(ensemble.load_ensemble([saved, tmp_path])[0]) == 4


def test_heads_start_apart_by_the_given_distance(tiny_models):
    model, _ = load.load_scalar_model(tiny_models["llama"], random=generator(0))
    same = ensemble.fresh_heads(model, Members(heads=2, apart=0.0), random=generator(1))
    assert torch.equal(same.weight[0], model.score.weight[0])
    heads = ensemble.fresh_heads(model, Members(heads=500, apart=2.0), random=generator(1))
    moved = (heads.weight - model.score.weight).detach()
    assert float(moved.std()) == pytest.approx(2 / 33**0.5, rel=0.05)


def test_heads_that_do_not_fit_are_refused(saved, tmp_path):
    model, tokenizer = load.load_scalar_model(saved)
    load.save_model(model, tokenizer, tmp_path)
    save_file({"heads": torch.zeros(2, 5)}, tmp_path / ensemble.FILE)
    with pytest.raises(InputError, match="does not belong to the model beside it"):
        ensemble.load_ensemble([tmp_path])
    (tmp_path / ensemble.FILE).write_bytes(b"broken")
    with pytest.raises(InputError, match="cannot read"):
        ensemble.load_ensemble([tmp_path])
    with pytest.raises(InputError, match="at least one"):
        ensemble.load_ensemble([])


def test_an_empty_conversation_has_no_score(saved):
    found, _ = ensemble.load_ensemble([saved])
    with pytest.raises(ValueError, match="empty conversation"):
        ensemble.ensemble_scores(found, TOKENS, torch.tensor([5, 0]))
