"""Context distillation and the baselines of ranked preferences: known answer C16, laws, twins."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.functional.distillation import (
    binary_discrimination_loss,
    coarse_kl,
    imitation_score,
    top_categories,
)

TEACHER = torch.tensor([0.6, 0.3, 0.05, 0.05], dtype=torch.float64)
STUDENT = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)


def stored(probabilities, kept):
    tokens = probabilities.topk(kept).indices
    return tokens, probabilities[tokens].log()


def test_two_categories_and_the_rest_by_hand():
    # .6 ln(.6/.5) + .3 ln 1 + .1 ln(.1/.2); over all four .0544623
    found = coarse_kl(*stored(TEACHER, 2), STUDENT.log())
    assert found.item() == pytest.approx(0.0400782, abs=1e-7)
    found = coarse_kl(*stored(TEACHER, 3), STUDENT.log())
    assert found.item() == pytest.approx(0.0544623, abs=1e-7)


def test_top_categories_by_hand():
    tokens, logprobs = top_categories(torch.tensor([[0.0, math.log(2), math.log(5)]]), 2)
    assert tokens.tolist() == [[2, 1]]
    assert logprobs.exp()[0].tolist() == pytest.approx([0.625, 0.25])
    for kept in (0, 3):
        with pytest.raises(ValueError, match="give 1 to 2"):
            top_categories(torch.zeros(3), kept)


@given(seed=st.integers(0, 999), kept=st.integers(1, 6))
@settings(deadline=None, max_examples=20)
def test_fewer_categories_never_raise_the_divergence(seed, kept):
    drawn = torch.Generator().manual_seed(seed)
    teacher = torch.randn(7, generator=drawn, dtype=torch.float64).softmax(0)
    logits = torch.randn(7, generator=drawn, dtype=torch.float64)
    whole = (teacher * (teacher.log() - logits.log_softmax(0))).sum()
    found = coarse_kl(*stored(teacher, kept), logits)
    assert -1e-12 <= found <= whole + 1e-12
    assert abs(coarse_kl(*stored(teacher, kept), teacher.log() + 3)) < 1e-9


def test_the_gradient_is_zero_where_student_is_teacher_and_by_differences_elsewhere():
    logits = TEACHER.log().clone().requires_grad_()
    coarse_kl(*stored(TEACHER, 2), logits).backward()
    assert logits.grad.abs().max() < 1e-9
    logits = STUDENT.log().clone().requires_grad_()
    coarse_kl(*stored(TEACHER, 2), logits).backward()

    def twin(values):
        total = sum(map(math.exp, values))
        q = [math.exp(v) / total for v in values]
        return sum(p * math.log(p / x) for p, x in ((0.6, q[0]), (0.3, q[1]), (0.1, q[2] + q[3])))

    for k in range(4):
        up, down = (
            twin([v + sign * 1e-5 * (i == k) for i, v in enumerate(STUDENT.log().tolist())])
            for sign in (1, -1)
        )
        assert logits.grad[k].item() == pytest.approx((up - down) / 2e-5, abs=1e-6)


def test_binary_discrimination_by_hand():
    # σ(1) = .7310586: −ln = .3132617, and 1.3132617 for a bad one
    found = binary_discrimination_loss(torch.tensor([1.0, 1.0, 1.0]), torch.tensor([1.0, 0.0, 0.5]))
    assert found.tolist() == pytest.approx([0.3132617, 1.3132617, 0.8132617])


def test_imitation_ranks_by_the_mean():
    found = imitation_score(
        torch.tensor([[-1.0, -1.0, -1.0], [-2.0, 0.0, 0.0]]), torch.tensor([3, 1])
    )
    assert found.tolist() == [-1, -2]
