"""Named randomness."""

import hashlib
import threading

import torch
from hypothesis import given
from hypothesis import strategies as st

from accord.runtime import seeding

NAMES = st.lists(st.one_of(st.integers(), st.text(max_size=5)), max_size=3)


def test_the_number_is_the_hash():
    digest = hashlib.sha256(b"int:0\0str:order\0int:3").hexdigest()
    assert seeding.derive(0, "order", 3) == int(digest[:16], 16) >> 1


@given(st.integers(0, 99), NAMES, NAMES)
def test_other_names_give_other_numbers(seed, one, two):
    assert (seeding.derive(seed, *one) == seeding.derive(seed, *two)) == (one == two)
    assert 0 <= seeding.derive(seed, *one) < 2**63


def test_a_number_and_its_digits_are_two_names():
    assert seeding.derive(0, 1) != seeding.derive(0, "1")


def test_every_library_repeats_itself():
    for make, draw in (
        (seeding.generator, lambda g: torch.rand(3, generator=g).tolist()),
        (seeding.numpy_generator, lambda g: g.random(3).tolist()),
        (seeding.python_random, lambda g: [g.random() for _ in range(3)]),
    ):
        assert draw(make(1, "a")) == draw(make(1, "a"))
        assert draw(make(1, "a")) != draw(make(1, "b"))
        assert draw(make(1, "a")) != draw(make(2, "a"))


def test_the_global_state_is_left_as_it_was():
    before = torch.random.get_rng_state()
    with seeding.seeded_globals(3, "weights"):
        one = torch.rand(2)
    assert torch.equal(torch.random.get_rng_state(), before)
    with seeding.seeded_globals(3, "weights"):
        assert torch.equal(torch.rand(2), one)
    seeding.generator(0, "x")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_threads_do_not_disturb_each_other():
    drawn = {}

    def draw(name):
        for _ in range(20):
            with seeding.seeded_globals(0, name):
                drawn.setdefault(name, set()).add(tuple(torch.rand(50).tolist()))

    threads = [threading.Thread(target=draw, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(values) for values in drawn.values()] == [1, 1, 1, 1]
