"""``accord study frontier``: every method on one preference model at equal cost."""

from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from accord import pipeline
from accord.cli.errors import plain_errors
from accord.cli.options import DryRun, Settings
from accord.cli.run import described
from accord.config import apply_settings, read_toml

REPEATED = ("best_of_n", "rejection_sampling", "dpo", "draws", "ppo", "rloo", "grpo", "reinforce")
METHODS = ("rejection_sampling", "dpo", "reinforce", "rloo", "grpo", "ppo")
LEARNING = ("reinforce", "rloo", "grpo", "ppo")  # those that leave rollouts


@plain_errors()
def frontier(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the run.")] = Path(
        "out/frontier"
    ),
    seeds: Annotated[int, typer.Option(min=1, help="Runs of every method.")] = 3,
    settings: Settings = None,
    dry_run: DryRun = False,
) -> None:
    """All methods on one preference model at equal cost: score and truth over the distance.

    PPO, RLOO, GRPO, REINFORCE, DPO, rejection sampling and best of n start from one policy and are
    judged by one preference model and by the truth. It is a run of stages: the same command goes on
    where it was stopped, and every number can be traced.

    --set ppo.kl_coef=0.1 changes a method for every seed.

    Example:

        accord study frontier --out out/frontier --seeds 5
    """
    planned = pipeline.plan(
        frontier_table(seeds, settings or ()),
        out,
        title="frontier",
        command=f"accord study frontier --out {out} --seeds {seeds}",
    )
    console = Console(soft_wrap=True)
    if dry_run:
        typer.echo(described(planned))
        return
    pipeline.run(planned, console)
    console.print(
        f"frontier: [bold]{planned.steps[-1].folder / 'frontier.html'}[/]", highlight=False
    )


def frontier_table(seeds: int, settings: list[str] | tuple[str, ...] = ()) -> dict[str, Any]:
    """The run file of the study: one seed's tables, repeated.

    Args:
        seeds: runs of every method; the run's seed and those after it.
        settings: ``table.key=value``, applied before anything is repeated.
    """
    with resources.as_file(resources.files("accord.cli") / "frontier.toml") as path:
        tables = apply_settings(read_toml(path), settings)
    first = tables["run"]["seed"]
    numbers = range(1, seeds + 1)
    found: dict[str, Any] = {}
    for name, table in tables.items():
        if name not in REPEATED:
            found[name] = table
            continue
        for number in numbers:
            inputs = {
                key: f"{value}_{number}" if value in REPEATED else value
                for key, value in table["inputs"].items()
            }
            found[f"{name}_{number}"] = {
                "stage": name,
                "seed": first + number,
                **table,
                "inputs": inputs,
            }
    runs = {f"{method}_{n}": f"{method}_{n}" for method in METHODS for n in numbers}
    evaluated = found["evaluate"]["inputs"]
    evaluated["policies"] = evaluated["policies"] | runs
    evaluated["rollouts"] = {name: name for name in runs if name.rpartition("_")[0] in LEARNING}
    found["frontier"]["inputs"] |= {
        "runs": runs,
        "draws": {f"draws_{n}": f"draws_{n}" for n in numbers},
    }
    return found
