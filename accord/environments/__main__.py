"""Play the three environments with both methods, with and without exploration, in seconds."""

import torch
from rich.console import Console
from rich.table import Table

from accord.environments.bandit import Bandit
from accord.environments.gridworld import Gridworld
from accord.environments.language import Language
from accord.environments.learning import Settings, ppo, reinforce
from accord.environments.worlds import BANDIT, GRID, PHRASES, leaning

METHODS = {"REINFORCE": reinforce, "PPO": ppo}


def main() -> None:
    """Print what each method earns, at the start, at the end and at best."""
    table = Table("environment", "method", "explores", "at first", "at the end", "best possible")
    worlds: dict[str, tuple[Bandit | Gridworld | Language, float]] = {
        "bandit": (BANDIT, max(BANDIT.means)),
        "gridworld": (GRID, GRID.best_return()),
        "language": (PHRASES, PHRASES.best_return()),
    }
    for name, (environment, best) in worlds.items():
        for method, learn in METHODS.items():
            for explores in (True, False):
                begin: torch.Tensor = leaning(environment)
                learnt = learn(environment, Settings(explores=explores), begin=begin)
                earned = learnt.mean_return(environment)
                shown = [f"{number:.2f}" for number in (learnt.curve[0], earned, best)]
                table.add_row(name, method, "yes" if explores else "no", *shown)
    Console().print(table)


if __name__ == "__main__":
    main()
