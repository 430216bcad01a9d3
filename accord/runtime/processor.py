"""The processor: where tensors live, and settings that make it fast without changing results.

``torch.set_float32_matmul_precision("medium")`` sends float32 matrix products on a CPU from MKL
to oneDNN. Measured on an AMD EPYC (Zen 5), torch 2.13, one thread, linear 3072 x 384 x 1536:
94 against 209 GFLOP/s (an older EPYC: 71 against 97); largest error against float64, relative to
the largest entry, 3.3e-7 and 1.1e-6, so that the arithmetic stays float32. On a processor with
AMX the same setting may really compute in bfloat16 (error near 3e-3); ``prepare_processor``
measures the error and takes the setting back when it is above ``LARGEST_ERROR``.
"""

import functools
import importlib
import os
from typing import Any

import torch
from torch import nn
from transformers.activations import NewGELUActivation

from accord.models.adapters import Precision

LARGEST_ERROR = 2e-5  # float32 gives about 1e-6, bfloat16 3e-3
PROBE = 256  # rows and columns of the matrices that measure it
PARTS = 2  # a batch is cut in two for two workers; more lose to Python's lock


@functools.cache
def prepare_processor() -> None:
    """Set the process up for training: fast float32 products, deterministic algorithms.

    Called by every stage that runs a model, and free after the first call. The results depend on
    the machine, on the versions, and on the threads inside a product, but not on the run.
    """
    # cuBLAS repeats its results only with a fixed workspace; it reads this when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    # Filling fresh memory with NaN finds reads of uninitialised values, and takes time.
    deterministic: Any = importlib.import_module("torch.utils.deterministic")
    deterministic.fill_uninitialized_memory = False
    if device().type != "cpu":
        return  # there the setting means TF32, whose error is that of 10 bits
    torch.set_float32_matmul_precision("medium")
    if matmul_error() > LARGEST_ERROR:
        torch.set_float32_matmul_precision("highest")
    # The threads that torch was given are divided among the workers.
    torch.set_num_threads(max(1, torch.get_num_threads() // workers()))


def autocast(precision: Precision) -> torch.autocast:
    """Products in bfloat16 for a block of one thread, where that is wanted.

    Their sums are kept in float32 by the processor; a product is off by 2^-8 of its size.
    """
    return torch.autocast(device().type, torch.bfloat16, enabled=precision == "bfloat16")


def matmul_error() -> float:
    """Largest error of a float32 product on the CPU, relative to the largest entry."""
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(PROBE, PROBE, generator=generator)
    b = torch.randn(PROBE, PROBE, generator=generator)
    exact = a.double() @ b.double()
    return float(((a @ b).double() - exact).abs().max() / exact.abs().max())


def device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@functools.cache
def workers() -> int:
    """Threads that work on one batch: two on a CPU with two cores or more, else one."""
    return 1 if device().type != "cpu" else min(PARTS, torch.get_num_threads())


def place(model: nn.Module) -> nn.Module:
    """Move a model to the device and choose the kernels that are fastest there.

    torch's fused attention is slow on CPUs with short sequences: a training step of a Llama of
    6 layers and width 128, 16 documents of 36 tokens, one thread, takes 172 ms with it and 82 ms
    with two matrix products and a softmax. GPT-2's GELU, written out in seven operations,
    takes 53 ms forward and backward on 3072 x 1536 numbers, and 15 ms as one.
    """
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, NewGELUActivation):  # the tanh approximation, as torch's own
                setattr(parent, name, nn.GELU(approximate="tanh"))
    choose = getattr(model, "set_attn_implementation", None)
    if choose is not None:
        choose("eager" if device().type == "cpu" else "sdpa")
    return model.to(device())
