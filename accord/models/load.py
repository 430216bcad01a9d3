"""Models and tokenizers from a directory, the Hugging Face hub, or the package itself.

    Path("runs/x/03-sft/output")   a directory with config.json, *.safetensors and a tokenizer
    "hf:NAME" or "hf:NAME@REVISION"  a model on the hub
    "builtin:base"                 the small base model that comes with Accord

Weights are read from safetensors only: a pickle runs code while it loads. Dropout is 0 unless
asked for, since PPO's log-probabilities must be the same in both passes.
"""

from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from accord.config import InputError
from accord.models import scalar_head
from accord.models.policy import unembed
from accord.models.trunk import hidden_states, trunk

BUILTIN = Path(__file__).parent.parent / "worlds" / "assistant_base"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "tokenizer.model")
TOLERANCE = 1e-3  # logits; models differ from themselves by 1e-5 when shapes change

# Loading reports and weight bars of transformers would drown Accord's own lines.
_logging: Any = transformers.logging  # untyped
_logging.set_verbosity_error()
_logging.disable_progress_bar()


def load_policy(
    source: Path | str, *, dropout: float = 0.0
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a language model with its tokenizer.

    Args:
        source: a directory, ``hf:NAME`` or ``builtin:base``.
        dropout: every dropout probability of the architecture; 0 outside supervised training.

    Returns:
        The model, in evaluation mode, float32, and its tokenizer.

    Raises:
        InputError: no such model, no tokenizer, no end-of-sequence token, only pickled weights,
            or the model is not a causal language model.
    """
    name, where = _locate(source)
    tokenizer = _tokenizer(name, where, source)
    model, report = _model(AutoModelForCausalLM, name, where, source, dropout)
    if any(key.startswith("score.") for key in report["unexpected_keys"]):
        raise InputError(f"`{source}` is a preference model; give a policy here")
    if report["missing_keys"]:
        raise InputError(_missing(source, report["missing_keys"]))
    _check_vocabulary(model, tokenizer, source)
    _check_architecture(model, source)
    return model, tokenizer


def load_scalar_model(
    source: Path | str, *, random: torch.Generator | None = None, dropout: float = 0.0
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a preference or value model; a language model gets a fresh head.

    Args:
        source: a directory, ``hf:NAME`` or ``builtin:base``.
        random: draws the head where the source has none.
        dropout: every dropout probability of the architecture.

    Returns:
        The model, in evaluation mode, float32, and its tokenizer.

    Raises:
        InputError: as ``load_policy``; or the source has no head and ``random`` is not given.
    """
    name, where = _locate(source)
    tokenizer = _tokenizer(name, where, source)
    # transformers draws the missing head from the global generator; the fork undoes the draw,
    # and ``initialise`` replaces it.
    with torch.random.fork_rng(devices=[]):
        model, report = _model(
            AutoModelForSequenceClassification, name, where, source, dropout, num_labels=1
        )
    missing = set(report["missing_keys"])
    if missing - {"score.weight"}:
        raise InputError(_missing(source, missing))
    if missing and random is None:
        raise InputError(f"`{source}` is a language model; give a preference model here")
    try:
        scalar_head.head(model)
    except ValueError as error:
        raise InputError(
            f"`{source}`: {error}; preference models need an architecture with a `score` layer"
        ) from error
    if missing and random is not None:
        scalar_head.initialise(model, random=random)
    _check_vocabulary(model, tokenizer, source)
    model.config.pad_token_id = pad_id(tokenizer)
    return model, tokenizer


def load_both_heads(
    source: Path | str, *, random: torch.Generator, dropout: float = 0.0
) -> tuple[PreTrainedModel, PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a language model and put a fresh scalar head on the same trunk.

    Args:
        source: a directory, ``hf:NAME`` or ``builtin:base``.
        random: draws the scalar head.
        dropout: every dropout probability of the architecture.

    Returns:
        The scalar model, the language model (one trunk, the same parameters), the tokenizer.

    Raises:
        InputError: as ``load_policy``, or the architecture has no scalar layout.
    """
    language_model, tokenizer = load_policy(source, dropout=dropout)
    scalar_model, _ = load_scalar_model(source, random=random, dropout=dropout)
    setattr(scalar_model, scalar_model.base_model_prefix, trunk(language_model))
    return scalar_model, language_model, tokenizer


def load_tokenizer(source: Path | str) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model without the model.

    Raises:
        InputError: no such model, no tokenizer, or no end-of-sequence token.
    """
    name, where = _locate(source)
    return _tokenizer(name, where, source)


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, directory: Path) -> None:
    """Write model and tokenizer as a directory that plain transformers loads."""
    directory.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def eos_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The id of the token that closes every response."""
    return int(tokenizer.eos_token_id)


def pad_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """An id to fill up rows with, never the end-of-sequence token.

    A tokenizer without a padding token, or one that pads with end-of-sequence (GPT-2 is both by
    habit), gets any other id: lengths decide what counts, so the id itself is never looked at.
    transformers finds the last token of a row as the last that is *not* this id, which
    is the end-of-sequence token of the conversation, as it should be.
    """
    padding = tokenizer.pad_token_id
    if padding is not None and padding != tokenizer.eos_token_id:
        return int(padding)
    return 0 if tokenizer.eos_token_id != 0 else 1


def context_length(model: PreTrainedModel) -> int | None:
    """The most tokens the model can attend over, or None when it states no limit."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return None if limit is None else int(limit)


def _locate(source: Path | str) -> tuple[str, dict[str, Any]]:
    """What to hand to ``from_pretrained``: a name and its keyword arguments."""
    if isinstance(source, str) and source.startswith("hf:"):
        name, _, revision = source.removeprefix("hf:").partition("@")
        return name, {"revision": revision or "main"}
    if source == "builtin:base":
        source = BUILTIN
    path = Path(source)
    if not path.is_dir():
        raise InputError(
            f"no directory `{source}`; give a model's directory, `hf:NAME` or `builtin:base`"
        )
    if not (path / "config.json").is_file():
        raise InputError(f"`{source}` is no model: it has no `config.json`")
    if not any(path.glob("*.safetensors")):
        if any(file for pattern in PICKLED for file in path.glob(pattern)):
            raise InputError(
                f"`{source}` holds pickled weights only, which could run any code when loaded; "
                "convert them to safetensors"
            )
        raise InputError(f"`{source}` is no model: it has no `*.safetensors` file")
    if not any((path / file).is_file() for file in TOKENIZER_FILES):
        raise InputError(f"`{source}` has no tokenizer; save one beside the model")
    return str(path), {"local_files_only": True}


def _tokenizer(name: str, where: dict[str, Any], source: Path | str) -> PreTrainedTokenizerBase:
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **where)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(f"cannot read the tokenizer of `{source}`: {_line(error)}") from error
    if tokenizer.eos_token_id is None:
        raise InputError(
            f"the tokenizer of `{source}` has no end-of-sequence token; set its `eos_token`"
        )
    loaded: PreTrainedTokenizerBase = tokenizer
    return loaded


def _model(
    kind: Any,
    name: str,
    where: dict[str, Any],
    source: Path | str,
    dropout: float,
    **settings: Any,
) -> tuple[PreTrainedModel, dict[str, Any]]:
    try:
        config = AutoConfig.from_pretrained(name, **where, **settings)
        set_dropout(config, dropout)
        model, report = kind.from_pretrained(
            name,
            config=config,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
            **where,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise InputError(f"cannot load `{source}` as a model: {_line(error)}") from error
    model.eval()
    return model, report


def set_dropout(config: PreTrainedConfig, probability: float) -> None:
    """Set ``attn_pdrop``, ``hidden_dropout``, and whatever else architectures call it."""
    for key, value in vars(config).items():
        if isinstance(value, PreTrainedConfig):
            set_dropout(value, probability)
        elif "drop" in key and isinstance(value, int | float) and not isinstance(value, bool):
            # layerdrop drops whole layers: that is another thing, and never wanted here
            setattr(config, key, 0.0 if key == "layerdrop" else probability)


def _line(error: Exception) -> str:
    """The first sentence of an error, to fit in one of ours."""
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else repr(error)


def _missing(source: Path | str, keys: Any) -> str:
    some = ", ".join(f"`{key}`" for key in sorted(keys)[:3])
    return f"`{source}` lacks the weights {some}; it holds another kind of model"


def _embedding_rows(model: PreTrainedModel) -> int:
    embeddings: Any = model.get_input_embeddings()
    return int(embeddings.weight.shape[0])


def _check_vocabulary(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, source: Path | str
) -> None:
    rows = _embedding_rows(model)
    if len(tokenizer) > rows:
        raise InputError(
            f"the tokenizer of `{source}` has {len(tokenizer)} tokens and its model only {rows}; "
            "save the tokenizer that the model was trained with"
        )


@torch.no_grad()
def _check_architecture(model: PreTrainedModel, source: Path | str) -> None:
    """Refuse a model that looks ahead or whose logits Accord would compute otherwise."""
    tokens = torch.tensor([[0, 1, 2], [0, 1, 3]]) % _embedding_rows(model)
    logits = model(input_ids=tokens, use_cache=False).logits
    if float((logits[0, :2] - logits[1, :2]).abs().max()) > TOLERANCE:
        raise InputError(f"`{source}` is not causal: a token changes what is predicted before it")
    ours = unembed(model, hidden_states(model, tokens, torch.tensor([3, 3]))[:, -1])
    if float((ours - logits[:, -1]).abs().max()) > TOLERANCE:
        raise InputError(
            f"`{source}` ({type(model).__name__}) changes its logits in a way that Accord does "
            "not know; use another architecture"
        )
