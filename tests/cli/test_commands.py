"""The command line: what people type, what they see, and the exit status."""

import errno
import json

import pytest
from typer.testing import CliRunner

import accord
from accord import cli
from accord.cli import lessons
from accord.cli.fields import fields_of
from accord.cli.run import demo
from accord.cli.toml import as_toml
from accord.config import read_toml
from tests.toys import JoinInputs, SourceConfig
