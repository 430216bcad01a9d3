"""``accord chat``: talk to a policy, or to two side by side."""

from typing import Annotated

import typer

from accord import stages
from accord.cli.errors import plain_errors
from accord.cli.sources import model_of
from accord.records import Sampling

Source = Annotated[
    str,
    typer.Argument(metavar="DIR", help="Run, policy artifact, model folder, hf:NAME or builtin:…"),
]


@plain_errors()
def chat(
    first: Source,
    second: Annotated[
        str | None, typer.Argument(metavar="[DIR2]", help="Another one, to compare with.")
    ] = None,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="0 takes the likeliest token; 1 draws as trained.")
    ] = 0.7,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same answers.")] = 0,
) -> None:
    """Talk to a policy, or to two side by side.

    Write a message and press Enter; /new begins a new conversation, Ctrl-D ends.
    With two policies both answer every message, each in a conversation of its own.
    A folder of a run stands for its newest policy.

    Without a terminal every line of the standard input is a message:

        echo "Where does Anna live?" | accord chat out/demo

    Examples:

        accord chat out/demo

        accord chat out/demo/02-sft out/demo
    """
    sources = [model_of(source) for source in (first, second) if source is not None]
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    try:
        from accord.cli import conversation  # noqa: PLC0415 - torch only when it is needed
    except ModuleNotFoundError as error:
        raise stages.needs_training(error, "chat") from error
    conversation.talk(sources, sampling, seed)
