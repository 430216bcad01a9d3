"""The processor: where tensors live, and settings that make it fast without changing results.

``torch.set_float32_matmul_precision("medium")`` sends float32 matrix products on a CPU from MKL
to oneDNN. Measured on an AMD EPYC (Zen 5), torch 2.13, one thread, linear 3072 x 384 x 1536:
94 against 209 GFLOP/s; largest relative error against float64 3.3e-7 (MKL) and 1.1e-6 (oneDNN),
so that the arithmetic stays float32. On a processor with AMX the same setting may really compute
in bfloat16 (error near 3e-3); ``prepare_processor`` measures the error and takes the setting back
when it is above ``LARGEST_ERROR``.
"""

import functools
import os

import torch
import torch.utils.deterministic

LARGEST_ERROR = 2e-5  # relative to the largest entry; float32 gives about 1e-6, bfloat16 3e-3
PROBE = 256  # rows and columns of the matrices that measure it


@functools.cache
def prepare_processor() -> None:
    """Set the process up for training: fast float32 products, deterministic algorithms.

    Called by every stage that runs a model, and free after the first call. The results depend on
    the machine, on the versions, and on the number of threads, but not on the run.
    """
    # cuBLAS repeats its results only with a fixed workspace; it reads this when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    # Filling fresh memory with NaN finds reads of uninitialised values; it costs 5 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.set_float32_matmul_precision("medium")
    if matmul_error() > LARGEST_ERROR:
        torch.set_float32_matmul_precision("highest")


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
