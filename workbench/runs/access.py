"""What a file system may refuse to who writes into a run folder, said for people."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from workbench.errors import RunError

_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
# As drives of clusters say it that are mounted without locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def refusal_explained(folder: Path) -> Iterator[None]:
    """Turn a folder that is read-only, or has no locks, into an error that says what to do.

    Raises:
        RunError: It is.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _READ_ONLY:
            raise RunError(
                f"{folder} is not yours to write to ({error.strerror}): it can be read, but "
                "neither trained, steered nor scored. Change its permissions, or copy it and go on "
                "with the copy."
            ) from error
        if error.errno in _NO_LOCKS:
            raise RunError(
                f"The file system of {folder} has no locks ({error.strerror}), and without one two "
                "processes could train into the same run. Keep runs on another disk: root=…."
            ) from error
        raise
