"""Direct preference optimisation: the preference model is the policy itself.

The policy that is best for a reward under a KL penalty determines that reward up to a constant of
the prompt, r = β log (π / π_ref) + const, so that the likelihood of people's choices can be written
with the policy alone.

Dimension key:
    N: pairs of responses
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid


def implicit_scores(
    logprobs: Float[Tensor, " N"], ref_logprobs: Float[Tensor, " N"], *, beta: float
) -> Float[Tensor, " N"]:
    """The scores that a policy stands for.

        s(x, y) = β (log π(y | x) − log π_ref(y | x))

    Args:
        logprobs: of whole responses (summed over tokens, not averaged), nats.
        ref_logprobs: the same under the reference policy.
        beta: score units per nat: what ``kl_coef`` is to reinforcement learning.

    Returns:
        Scores; only differences between responses to one prompt mean anything.

    Source: Rafailov et al. 2023, arXiv:2305.18290, eq. 5.

    >>> import torch
    >>> implicit_scores(torch.tensor([-1.]), torch.tensor([-3.]), beta=.5)
    tensor([1.])
    """
    return beta * (logprobs - ref_logprobs)


def direct_preference_loss(
    margins: Float[Tensor, " N"], *, label_smoothing: float = 0.0
) -> Float[Tensor, " N"]:
    """Loss of pairs of which the chosen response is known, or probably known.

        loss = − (1 − ε) log σ(m) − ε log σ(−m),     m = s(chosen) − s(rejected)

    Args:
        margins: m, differences of ``implicit_scores``.
        label_smoothing: ε in [0, 0.5), the probability that a label is the wrong way round. With
            it the loss is smallest at a finite margin, log((1 − ε)/ε).

    Returns:
        Loss of each pair, nats.

    Raises:
        ValueError: ε is not in [0, 0.5).

    Source: Rafailov et al. 2023, arXiv:2305.18290, eq. 7; smoothing: Mitchell 2023, "A note on DPO
    with noisy preferences", https://ericmitchell.ai/cdpo.pdf.

    >>> import torch
    >>> direct_preference_loss(torch.tensor([0.]))
    tensor([0.6931])
    """
    if not 0 <= label_smoothing < 0.5:  # noqa: PLR2004
        raise ValueError(f"label_smoothing is `{label_smoothing}`; give 0 to below 0.5")
    wrong = 0.0 if label_smoothing == 0 else label_smoothing * logsigmoid(-margins)
    return -(1 - label_smoothing) * logsigmoid(margins) - wrong
