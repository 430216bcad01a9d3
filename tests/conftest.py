"""Toy stages, for whatever is about runs and not about learning."""

from pathlib import Path
from types import SimpleNamespace

import hypothesis
import pytest
from filelock import FileLock
from pydantic import Field
from rich.console import Console

from accord import pipeline, stages
from accord.config import StageConfig, StageInputs, memory_only, read_toml
from accord.runtime.artifacts import payload, write_headline

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("accord", deadline=None)
hypothesis.settings.load_profile("accord")


class SourceConfig(StageConfig):
    """How much the toy source writes."""

    seed: int = 0
    lines: int = 3  #: lines of text
    chunk: int = memory_only(8)  #: lines at a time


class SourceInputs(StageInputs):
    """A toy source reads nothing, or a file."""

    file: Path | None = None


def source(config, inputs, out):
    text = payload(inputs.file).read_text() if inputs.file else ""
    lines = [f"{config.seed} {n}\n" for n in range(config.lines)]
    (out / "output" / "text.txt").write_text(text + "".join(lines))
    (out / "metrics.jsonl").write_text('{"step": 1, "toy/lines": 3}\n')
    write_headline(out, {"lines": config.lines})


class JoinConfig(StageConfig):
    """How the toy join works."""

    times: int = 1


class JoinInputs(StageInputs):
    """Whatever an input can be."""

    parts: dict[str, Path] = Field(default_factory=dict)  #: by name
    more: list[Path] = Field(default_factory=list)
    model: Path | str | None = None
    store: str | None = None


def join(config, inputs, out):
    places = [*inputs.parts.values(), *inputs.more]
    texts = [file.read_text() for place in places for file in sorted(payload(place).rglob("*.txt"))]
    (out / "output" / "joined.txt").write_text("".join(texts) * config.times)


@pytest.fixture
def toy_stages(monkeypatch):
    """Only the stages `source` and `join` exist."""
    modules = {
        "source": SimpleNamespace(Config=SourceConfig, Inputs=SourceInputs, run=source),
        "join": SimpleNamespace(Config=JoinConfig, Inputs=JoinInputs, run=join),
    }
    loaders = {kind: lambda module=module: module for kind, module in modules.items()}
    monkeypatch.setattr(stages, "STAGES", loaders)
    return modules


@pytest.fixture(scope="session")
def tiny_tokenizer():
    from accord.data.tokenizers import train_tokenizer  # noqa: PLC0415 - labelling has no torch

    return train_tokenizer(["what is two and two? it is four, as far as one knows."] * 3, 300)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory, tiny_tokenizer):
    """Directories of random language models, two layers and 32 wide: llama and gpt2."""
    import torch  # noqa: PLC0415
    from transformers import (  # noqa: PLC0415
        GPT2Config,
        GPT2LMHeadModel,
        LlamaConfig,
        LlamaForCausalLM,
    )

    from accord.models.load import save_model  # noqa: PLC0415

    size = len(tiny_tokenizer)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        llama = LlamaConfig(
            vocab_size=size,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=96,
            tie_word_embeddings=True,
        )
        gpt2 = GPT2Config(vocab_size=size, n_embd=32, n_layer=2, n_head=2, n_positions=96)
        models = {"llama": LlamaForCausalLM(llama), "gpt2": GPT2LMHeadModel(gpt2)}
    folders = {}
    for name, model in models.items():
        with torch.no_grad():
            for parameter in model.parameters():  # fresh weights are too small to differ
                parameter.mul_(4 if parameter.ndim > 1 else 1)
        folders[name] = tmp_path_factory.mktemp(name)
        save_model(model, tiny_tokenizer, folders[name])
    return folders


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, worker_id):
    """A finished run of ``tests/tiny.toml``: every stage once, in seconds; one for all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    table = read_toml(Path(__file__).parent / "tiny.toml")
    planned = pipeline.plan(table, shared / "tiny" / "out", title="tiny")
    finished = shared / "tiny" / "finished"
    with FileLock(shared / "tiny.lock"):
        if not finished.exists():  # a second run would write its listing anew
            pipeline.run(planned, Console(quiet=True))
            finished.touch()
    return planned
