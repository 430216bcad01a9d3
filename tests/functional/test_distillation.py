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


def test_every_place_of_a_batch_stands_alone():
    drawn = torch.Generator().manual_seed(0)
    teacher, student = (torch.randn(2, 3, 7, generator=drawn, dtype=torch.float64) for _ in "ab")
    tokens, logprobs = top_categories(teacher, 2)
    found = coarse_kl(tokens, logprobs, student)
    assert found.shape == (2, 3)
    for row in range(2):
        for place in range(3):
            one = top_categories(teacher[row, place], 2)
            assert one[0].tolist() == tokens[row, place].tolist()
            assert one[1].tolist() == pytest.approx(logprobs[row, place].tolist())
            alone = coarse_kl(*one, student[row, place])
            assert found[row, place].item() == pytest.approx(alone.item())
            p = teacher[row, place].softmax(0).tolist()
            q = student[row, place].softmax(0).tolist()
            best = sorted(range(7), key=lambda k: -p[k])[:2]
            parts = [(p[k], q[k]) for k in best]
            parts.append((1 - sum(p[k] for k in best), 1 - sum(q[k] for k in best)))
            expected = sum(a * math.log(a / b) for a, b in parts)
            assert found[row, place].item() == pytest.approx(expected, abs=1e-6)


def test_a_teacher_without_doubt_leaves_no_rest():
    tokens, logprobs = torch.tensor([0]), torch.tensor([0.0], dtype=torch.float64)
    found = coarse_kl(tokens, logprobs, STUDENT.log())
    assert found.item() == pytest.approx(math.log(2), abs=1e-9)  # 1 ln(1/.5) and nothing else
    over = torch.tensor([1e-8], dtype=torch.float64)  # a probability that was rounded above 1
    assert coarse_kl(tokens, over, STUDENT.log()).item() == pytest.approx(math.log(2), abs=1e-6)


def test_one_category_may_be_kept_and_all_but_one():
    logits = torch.tensor([3.0, 1.0, 2.0])
    assert top_categories(logits, 1)[0].tolist() == [0]
    assert top_categories(logits, 2)[0].tolist() == [0, 2]
    assert top_categories(logits.bfloat16(), 2)[1].dtype == torch.float32


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
    found = binary_discrimination_loss(torch.tensor([[2.0], [-2.0]]), torch.tensor([[0.25], [1.0]]))
    # σ(2) = .8807971: .25 · .1269280 + .75 · 2.1269280, and 2.1269280
    assert found.flatten().tolist() == pytest.approx([1.6269280, 2.1269280])


def test_imitation_ranks_by_the_mean():
    found = imitation_score(
        torch.tensor([[-1.0, -1.0, -1.0], [-2.0, 0.0, 0.0]]), torch.tensor([3, 1])
    )
    assert found.tolist() == [-1, -2]
