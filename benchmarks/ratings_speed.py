"""How fast votes become ratings, beside other libraries in the same run.

    python benchmarks/ratings_speed.py [--only million|policies|parquet] [--votes 100000000]

Simulates votes, fits them and prints the table of ratings_speed.md, which has a date and says what
it means. Needs evalica and choix for their rows (left out, and said so, where they are missing) and
pyarrow for the Parquet file, which takes about a gigabyte in a temporary folder.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from accord.data.vote_files import vote_pieces
from accord.ratings.fit import MODELS, Fit, fit
from accord.ratings.tally import Tally
from accord.ratings.votes import Coded, Votes, from_columns

SEED = 0
CHUNK = 2_000_000  # votes written to the Parquet file at once
TIED = 0.15


def columns(
    rng: np.random.Generator, n: int, policies: int, labelers: int
) -> dict[str, np.ndarray]:
    """Votes on random pairs of policies whose strengths differ, by random labelers."""
    strength = 0.7 * np.random.default_rng(SEED).normal(size=policies)
    a = rng.integers(policies, size=n)
    b = (a + rng.integers(1, policies, size=n)) % policies
    won = rng.uniform(size=n) < 1 / (1 + np.exp(strength[b] - strength[a]))
    outcome = np.where(rng.uniform(size=n) < TIED, 0.5, won)
    return {"a": a, "b": b, "outcome": outcome, "labeler": rng.integers(labelers, size=n)}


def names_of(what: str, number: int) -> list[str]:
    """Numbered names."""
    return [f"{what}{i:06d}" for i in range(number)]


def votes_of(n: int, policies: int, labelers: int, prompts: int) -> Votes:
    """Simulated votes in memory."""
    rng = np.random.default_rng(SEED + 1)
    made = columns(rng, n, policies, labelers)
    names = names_of("m", policies)
    return from_columns(
        Coded(names, made["a"]),
        Coded(names, made["b"]),
        made["outcome"],
        labeler=Coded(names_of("l", labelers), made["labeler"]),
        prompt=Coded(names_of("p", prompts), rng.integers(prompts, size=n)),
    )


def timed(what: str, work: Callable[[], object], times: int = 5) -> object:
    """Print the best and the middle of a few runs, and the least processor time of one."""
    seconds, processor, found = [], [], None
    for _ in range(times):
        start, busy = time.perf_counter(), time.process_time()
        found = work()
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - busy)
    middle = sorted(seconds)[len(seconds) // 2]
    print(f"| {what} | {min(seconds):.3f} | {middle:.3f} | {min(processor):.3f} |", flush=True)
    return found


def header(title: str) -> None:
    """Of a table, with how busy the machine is."""
    print(f"\n{title} (load {os.getloadavg()[0]:.1f})\n")
    print("| what | best, s | median, s | processor, s |\n| --- | ---: | ---: | ---: |")


def note(text: str) -> None:
    """A row of the table without times."""
    print(f"| ({text}) | | | |", flush=True)


def million() -> None:
    """A million votes over 50 policies by 2,000 labelers."""
    votes = votes_of(1_000_000, 50, 2_000, 100_000)
    header("1,000,000 votes, 50 policies, 2,000 labelers, 100,000 prompts")
    for model in MODELS:
        timed(f"accord, {model}, model covariance", lambda m=model: fit(votes, m, cluster=()))
    for model in MODELS:
        timed(
            f"accord, {model}, clustered by labeler",
            lambda m=model: fit(votes, m, cluster=["labeler"]),
        )
    timed("accord, bradley_terry, clustered by labeler and prompt", lambda: fit(votes))
    exact = fit(votes, prior_sd=None, cluster=())
    names = votes.names
    first, second = [names[i] for i in votes.a], [names[i] for i in votes.b]
    outcomes = votes.outcome.tolist()
    timed(
        "accord from lists of names, model covariance",
        lambda: fit(from_columns(first, second, outcomes), cluster=()),
        3,
    )
    if find_spec("evalica"):
        beside_evalica(votes, exact, first, second)
    if find_spec("choix"):
        beside_choix(votes, exact)


def beside_evalica(votes: Votes, exact: Fit, first: list[str], second: list[str]) -> None:
    """The same votes given to evalica."""
    import evalica  # noqa: PLC0415 - only where it is installed

    said = {1.0: evalica.Winner.X, 0.5: evalica.Winner.Draw, 0.0: evalica.Winner.Y}
    winners = [said[outcome] for outcome in votes.outcome.tolist()]
    found = timed(
        "evalica, from lists of names, no covariance",
        lambda: evalica.bradley_terry(first, second, winners),
        3,
    )
    scores = np.log([found.scores[name] for name in votes.names])
    distance(exact, scores)
    from evalica import _brzo  # noqa: PLC0415 - its compiled part alone, after the indexing

    x, y, index = evalica.indexing(first, second)
    settings = {"win_weight": 1.0, "tie_weight": 0.5, "tolerance": 1e-6, "limit": 100}
    weights = [1.0] * len(x)
    timed(
        "evalica, compiled part alone, names already numbers",
        lambda: _brzo.bradley_terry(
            xs=x, ys=y, winners=winners, weights=weights, total=len(index), **settings
        ),
        3,
    )


def beside_choix(votes: Votes, exact: Fit) -> None:
    """The decided votes given to choix, which has no ties."""
    import choix  # noqa: PLC0415 - only where it is installed

    decided = votes.where(votes.outcome != 0.5)
    won = decided.outcome == 1
    winner, loser = np.where(won, (decided.a, decided.b), (decided.b, decided.a))
    data = list(zip(winner.tolist(), loser.tolist(), strict=True))
    found = timed(
        f"choix ilsr, {len(data):,} decided votes, no covariance",
        lambda: choix.ilsr_pairwise(len(votes.names), data),
        1,
    )
    distance(fit(decided, prior_sd=None, cluster=()), np.asarray(found))


def distance(exact: Fit, scores: np.ndarray) -> None:
    """How far another library's scores are from ours."""
    apart = np.abs(exact.strengths - (scores - scores.mean())).max()
    note(f"largest difference from accord's maximum likelihood: {apart:.1e} nats")


def policies() -> None:
    """A million votes over 5,000 policies."""
    votes = votes_of(1_000_000, 5_000, 2_000, 100_000)
    header("1,000,000 votes, 5,000 policies, 2,000 labelers")
    timed("accord, model covariance", lambda: fit(votes, cluster=()), 1)
    timed("accord, clustered by labeler", lambda: fit(votes, cluster=["labeler"]), 1)
    note(f"peak memory {peak():.1f} GiB")


def parquet(n: int) -> None:
    """Very many votes from one Parquet file, in one pass."""
    if not find_spec("pyarrow"):
        print("\nno pyarrow: the Parquet file is left out")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "votes.parquet"
        start = time.perf_counter()
        write(path, n)
        size = path.stat().st_size / 2**30
        print(f"\nwrote {n:,} votes, {size:.2f} GiB, in {time.perf_counter() - start:.0f} s")
        header(f"{n:,} votes from Parquet, 50 policies, 2,000 labelers")
        before = peak()
        tally = Tally(cluster=["labeler"])

        def count() -> None:
            for piece in vote_pieces(path, ["labeler"]):
                tally.add(piece.votes)

        timed("accord, reading and counting in one pass", count, 1)
        timed("accord, fit of the counts, clustered by labeler", lambda: fitted(tally), 1)
        note(f"peak memory {peak():.2f} GiB; {before:.2f} before the pass")


def fitted(tally: Tally) -> Fit:
    """Ratings of counted votes."""
    return fit(tally.cells(), cluster=["labeler"])


def write(path: Path, n: int) -> None:
    """Simulated votes as a Parquet file, never all in memory."""
    import pyarrow as pa  # noqa: PLC0415 - only where it is installed
    from pyarrow.parquet import ParquetWriter  # noqa: PLC0415

    text = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema([(name, text) for name in ("a", "b", "winner", "labeler")])
    known = {
        "a": pa.array(names_of("m", 50)),
        "b": pa.array(names_of("m", 50)),
        "winner": pa.array(["b", "tie", "a"]),
        "labeler": pa.array(names_of("l", 2_000)),
    }
    rng = np.random.default_rng(SEED + 2)
    with ParquetWriter(path, schema) as writer:
        for start in range(0, n, CHUNK):
            made = columns(rng, min(CHUNK, n - start), 50, 2_000)
            made["winner"] = np.rint(2 * made["outcome"])
            arrays = [
                pa.DictionaryArray.from_arrays(made[name].astype(np.int32), known[name])
                for name in schema.names
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def peak() -> float:
    """Most memory that this process has had, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description="Time ratings beside other libraries.")
    parser.add_argument("--only", choices=["million", "policies", "parquet"])
    parser.add_argument("--votes", type=int, default=100_000_000, help="in the Parquet file")
    asked = parser.parse_args()
    for missing in (name for name in ("evalica", "choix") if not find_spec(name)):
        print(f"{missing} is not installed: its rows are left out")
    parts = {"parquet": lambda: parquet(asked.votes), "million": million, "policies": policies}
    for name, part in parts.items():
        if asked.only in (None, name):
            part()


if __name__ == "__main__":
    main()
