"""Weights from the Hugging Face hub, in its own cache."""

from __future__ import annotations

from pathlib import Path

from workbench.errors import WeightsError
from workbench.models.backbones import Source


def download(source: Source) -> Path:
    """Return the local path of a file on the hub, downloading it once.

    Raises:
        WeightsError: There is no such file, or the hub cannot be reached.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError

    what = f"{source.file} of {source.repo}"
    try:
        return Path(hf_hub_download(source.repo, source.file))
    except (EntryNotFoundError, RepositoryNotFoundError) as error:
        if not isinstance(error, HfHubHTTPError):  # The local cache has no such entry.
            raise _unreachable(what) from error
        raise WeightsError(
            f"The hub has no {what}. Pass weights= the path of a file you have."
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise _unreachable(what) from error


def _unreachable(what: str) -> WeightsError:
    return WeightsError(
        f"{what} is not in the local cache and the Hugging Face hub cannot be reached. Connect "
        "once, copy the file and pass weights=<its path>, or use the shipped 'workbench_tiny'."
    )
