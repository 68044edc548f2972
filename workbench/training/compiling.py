"""What torch.compile says when it fails, for people."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from workbench.errors import TrainingError


@contextlib.contextmanager
def compiler_explained(compiled: bool) -> Iterator[None]:
    """Turn a failing compiler's error into one that says what to do.

    Raises:
        TrainingError: The compiler failed; the whole of it is the cause.
    """
    if not compiled:
        yield
        return
    # Importing it takes a second: only who compiles waits.
    from torch._dynamo.exc import TorchDynamoException

    try:
        yield
    except TorchDynamoException as error:
        said = next(line for line in str(error).splitlines() if line.strip())
        raise TrainingError(
            f"torch.compile failed: {said.rstrip('.')}. Train without it: "
            "recipe.but(compile=False). On a CPU it needs a C++ compiler (g++ or clang++), on CUDA "
            "also Triton."
        ) from error
