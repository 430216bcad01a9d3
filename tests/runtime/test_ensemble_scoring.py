"""An ensemble as a scorer: cut-off responses are closed, and the rule decides the score."""

from functools import partial

import pytest
import torch

from accord.data.collate import build
from accord.functional.ensembles import mean_minus_std, mean_score, worst_score
from accord.models.ensemble import Ensemble
from accord.models.load import load_scalar_model
from accord.runtime.ensemble_scoring import EnsembleScorer
from accord.runtime.scoring import PreferenceModelScorer
from accord.runtime.seeding import generator

SEQUENCES = build([[5, 6], [7], [8, 9, 10]], [[11, 1], [12, 13], [14, 1]], 0)
FINISHED = torch.tensor([True, False, True])


@pytest.fixture(scope="module")
def models(tiny_models):
    return [
        load_scalar_model(tiny_models["llama"], random=generator(seed))[0].requires_grad_(False)
        for seed in range(3)
    ]


def scorer(models, combine=mean_score, microbatch_size=2):
    heads = [model.score.weight for model in models]
    return EnsembleScorer(Ensemble(models, heads), combine, 1, 0, microbatch_size)


def test_each_member_scores_as_it_would_alone(models):
    members = scorer(models).members(SEQUENCES, FINISHED)
    for row, model in enumerate(models):
        alone = PreferenceModelScorer(model, 1, 0, 2).score(SEQUENCES, FINISHED)
        torch.testing.assert_close(members[row], alone)


def test_the_combination_decides(models):
    members = scorer(models).members(SEQUENCES, FINISHED)
    mean, worst, careful = (
        scorer(models, combine).score(SEQUENCES, FINISHED)
        for combine in (mean_score, worst_score, partial(mean_minus_std, std_coef=2.0))
    )
    torch.testing.assert_close(mean, members.mean(dim=0))
    torch.testing.assert_close(worst, members.min(dim=0).values)
    assert bool((careful < mean).all())


def test_microbatches_change_nothing(models):
    one, other = (
        scorer(models, microbatch_size=size).score(SEQUENCES, FINISHED) for size in (1, 3)
    )
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
