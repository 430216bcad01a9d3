"""Three environments by hand, and both methods in them, with exploration and without."""

import math

import pytest
import torch

from accord.environments.bandit import Bandit
from accord.environments.environment import play
from accord.environments.gridworld import Gridworld
from accord.environments.language import Language
from accord.environments.learning import Settings, ppo, reinforce
from accord.environments.worlds import BANDIT, GRID, PHRASES, leaning
from accord.functional.optimal import tilted_distribution

UP, RIGHT, DOWN, LEFT = range(4)


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def walk(grid, *moves):
    """Rewards of some moves from the start, and whether each ended the episode."""
    state, found = grid.start(1), []
    for move in moves:
        outcome = grid.step(state, torch.tensor([move]), random=random())
        state = outcome.states
        found.append((round(float(outcome.rewards), 6), bool(outcome.ended)))
    return int(state), found


# The environments


def test_a_walk_by_hand():
    # into the border, down, down, along the bottom: the last step pays
    state, found = walk(GRID, LEFT, DOWN, DOWN, RIGHT, UP, RIGHT, RIGHT, RIGHT)
    assert found == [(-0.02, False)] * 7 + [(1.0, True)]
    assert state == 14
    assert walk(GRID, RIGHT) == (1, [(0.2, True)])


def test_the_best_return_by_hand():
    assert GRID.best_return() == pytest.approx(1 - 5 * 0.02)
    assert Gridworld(("Sc#G",)).best_return() == 0.2  # the goal is walled in
    assert Gridworld(("S#G",)).best_return() == pytest.approx(-0.6)  # nowhere to go
    assert Gridworld(("S.G",), longest=1).best_return() == pytest.approx(-0.02)
    assert PHRASES.best_return() == 1.0


def test_an_arm_pays_its_mean():
    bandit = Bandit((0.0, 2.0), noise=0.5)
    outcome = bandit.step(bandit.start(20_000), torch.ones(20_000).long(), random=random())
    assert float(outcome.rewards.mean()) == pytest.approx(2, abs=0.02)
    assert float(outcome.rewards.std()) == pytest.approx(0.5, abs=0.02)
    assert bool(outcome.ended.all())


def test_a_response_is_scored_once_it_ends():
    heard = []
    language = Language(vocabulary=3, longest=2, score=lambda said: heard.append(said) or 7.0)
    assert language.states == 3  # nothing, "1", "2"
    first = language.step(torch.zeros(2).long(), torch.tensor([0, 2]), random=random())
    assert (first.rewards.tolist(), first.ended.tolist()) == ([7.0, 0.0], [True, False])
    second = language.step(first.states[1:], torch.tensor([1]), random=random())
    assert (second.rewards.tolist(), second.ended.tolist()) == ([7.0], [True])
    assert heard == [(0,), (2, 1)]


def test_an_episode_ends_where_it_ends():
    logits = torch.zeros(GRID.states, GRID.actions)
    logits[0, DOWN] = logits[5, DOWN] = logits[10:14, RIGHT] = 40.0
    played = play(GRID, logits, episodes=3, explores=True, random=random())
    assert played.mask.tolist() == [[True] * 6] * 3
    assert played.states[0].tolist() == [0, 5, 10, 11, 12, 13]
    assert played.returns().tolist() == pytest.approx([0.9] * 3)
    assert float(played.logprobs.abs().max()) < 1e-6


def test_episodes_of_different_lengths_are_masked():
    logits = torch.zeros(GRID.states, GRID.actions)
    played = play(GRID, logits, episodes=200, explores=True, random=random())
    lengths = played.mask.sum(1)
    assert 1 == lengths.min() < lengths.max() <= GRID.longest
    assert float(played.rewards[~played.mask].abs().max()) == 0
    assert float(played.logprobs[~played.mask].abs().max()) == 0
    assert played.logprobs[played.mask].tolist() == pytest.approx(
        [math.log(1 / 4)] * int(lengths.sum())
    )


def test_without_exploring_the_likeliest_is_taken():
    played = play(BANDIT, leaning(BANDIT), episodes=9, explores=False, random=random())
    assert set(played.actions.flatten().tolist()) == {0}


# Learning

worlds = pytest.mark.parametrize(
    ("world", "best"),
    [(BANDIT, max(BANDIT.means)), (GRID, GRID.best_return()), (PHRASES, PHRASES.best_return())],
    ids=["bandit", "gridworld", "language"],
)
methods = pytest.mark.parametrize("learn", [reinforce, ppo])


@worlds
@methods
def test_with_exploration_the_best_return_is_reached(learn, world, best):
    learnt = learn(world, Settings(), begin=leaning(world))
    assert learnt.curve[0] < 0.6 * best
    assert learnt.mean_return(world) == pytest.approx(best, abs=0.1 if world is BANDIT else 1e-5)


@worlds
@methods
def test_without_exploration_the_trap_holds(learn, world, best):
    learnt = learn(world, Settings(explores=False, updates=20), begin=leaning(world))
    assert learnt.mean_return(world) == pytest.approx(0.2, abs=0.1 if world is BANDIT else 1e-5)
    assert 0.2 < best / 2


def test_the_same_seed_learns_the_same():
    runs = [ppo(BANDIT, Settings(updates=3, seed=seed)) for seed in (0, 0, 1)]
    assert runs[0].curve == runs[1].curve != runs[2].curve


CHANGES = [
    {"updates": 4},
    {"episodes": 100},
    {"learning_rate": 0.1},
    {"gamma": 0.5},
    {"explores": False},
    {"seed": 1},
    {"gae_lambda": 0.5},
    {"epochs": 1},
    {"clip_range": 0.01},
    {"value_clip_range": 0.01},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_every_setting_changes_something(change):
    plain = {"updates": 5, "episodes": 128}
    runs = [ppo(PHRASES, Settings(**given)) for given in (plain, plain | change)]
    assert not torch.equal(runs[0].logits, runs[1].logits)


def test_no_setting_is_forgotten():
    assert {name for change in CHANGES for name in change} == set(Settings.__annotations__)


def test_language_with_a_tax_is_heading_for_the_closed_form():
    """Token by token or as a whole, it is one problem: score − β·log(π/π_ref) on the last token."""
    beta, scores = 0.5, {(0,): 1.0, (1,): 0.0}
    probs = torch.tensor([0.5, 0.5])
    wanted = tilted_distribution(probs, torch.tensor([1.0, 0.0]), kl_coef=beta)
    logits = torch.zeros(1, 2)
    for round_ in range(12):  # the tax is that of the policy as it was, as in the stages
        tax = beta * (logits.log_softmax(1)[0] - probs.log())
        taxed = {said: score - float(tax[said[0]]) for said, score in scores.items()}
        language = Language(vocabulary=2, longest=1, score=taxed.__getitem__)
        settings = Settings(updates=6, episodes=512, learning_rate=0.03, seed=round_)
        logits = reinforce(language, settings, begin=logits).logits
    assert logits.softmax(1)[0].tolist() == pytest.approx(wanted.tolist(), abs=0.06)
