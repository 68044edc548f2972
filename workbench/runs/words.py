"""What is said of an event in one line, in a terminal as in a dashboard."""

from __future__ import annotations

from workbench.events import (
    Event,
    FeaturesCached,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
    RunUnpaused,
    WarningRaised,
)
from workbench.reprs import readable_bytes, readable_count, readable_duration


def words(event: Event) -> str:
    """Return what a person should know of an event, empty where its numbers say it."""
    match event:
        case RunStarted(trainable_parameters=0):
            return f"no parameter learns, on {event.device}"
        case RunStarted():
            return (f"{readable_count(event.trainable_parameters)} of "
                    f"{readable_count(event.total_parameters)} parameters learn on {event.device}")
        case RunResumed():
            return f"goes on after step {event.step} on {event.device}"
        case RunPaused():
            return f"paused after step {event.step}, its checkpoint written"
        case RunUnpaused():
            return "goes on"
        case FeaturesCached():
            return (f"features of {event.chips} chips computed in "
                    f"{readable_duration(event.duration_s)}; "
                    f"{readable_bytes(event.disk_bytes)} on disk")
        case WarningRaised():
            return event.message
        case RunFinished():
            peak = event.peak_device_bytes or event.peak_host_rss_bytes
            return (f"{event.reason}; best epoch {event.best_epoch + 1}; peak memory "
                    f"{readable_bytes(peak)}")
        case RunStopped():
            return f"stopped after step {event.step} ({event.reason})"
        case RunFailed():
            return event.error
    return ""


def level(event: Event) -> str:
    """Return how bad it is: `info`, `warning` or `error`."""
    return {"warning": "warning", "run_failed": "error"}.get(event.kind, "info")
