"""The edge of a thread: what goes wrong there is told to people, and nothing is lost."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator

from workbench.errors import WorkbenchError


@contextlib.contextmanager
def telling(failed: Callable[[str], object]) -> Iterator[None]:
    """Tell what goes wrong in a block; what nobody expected is also reported with its traceback.

    Nobody sees the end of a thread that a widget runs: without this its panel would wait for ever.

    Args:
        failed: Called with the message of an error that is for people, or with what an unexpected
            one says. That one then goes to `threading.excepthook`, as if it had ended the thread:
            to the log of a kernel, or to the test that runs.
    """
    try:
        yield
    except WorkbenchError as error:
        failed(str(error))
    except Exception as error:
        failed(f"Unexpected {type(error).__name__}: {error}. The log of the kernel says where.")
        threading.excepthook(threading.ExceptHookArgs(
            (*sys.exc_info(), threading.current_thread())))
