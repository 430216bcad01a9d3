"""Make the shipped base model out of a run of runs/base.toml.

    accord run runs/base.toml --out base
    python scripts/ship_base.py base

The last stage of that run trains a trunk on two things at once: the next token, and which of two
answers the public voted up. What ships is the trunk as a language model; the scalar head stays
behind, since every run trains its own.
"""

import argparse
from pathlib import Path

from transformers import AutoModelForCausalLM

from accord.models.load import load_tokenizer, save_model
from accord.runtime.artifacts import digest, write_text

SHIPPED = Path(__file__).parent.parent / "accord" / "worlds" / "assistant_base"
README = """# The base model of the assistant worlds

A Llama of {parameters:,} parameters with its tokenizer, made from nothing by

    accord run runs/base.toml --out base
    python scripts/ship_base.py base

It has read the web of 2,000 worlds and the public votes on it. It knows the language that all
worlds share, and no world's facts. Apache-2.0, like the text, which Accord writes itself.

SHA-256 of `model.safetensors`: `{digest}`
"""


def main() -> None:
    """Read the run's directory from the command line and write the package's folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="directory of a finished run of runs/base.toml")
    source = next(parser.parse_args().run.glob("*-preference_pretraining")) / "output"
    model = AutoModelForCausalLM.from_pretrained(source, local_files_only=True)
    save_model(model, load_tokenizer(source), SHIPPED)
    text = README.format(
        parameters=model.num_parameters(), digest=digest(SHIPPED / "model.safetensors")
    )
    write_text(SHIPPED / "README.md", text)


if __name__ == "__main__":
    main()
