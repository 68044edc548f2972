"""How an estimate shows itself: text and HTML with a bar of where the memory goes."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from workbench.estimation.costs import Basis
from workbench.recipe import Recipe
from workbench.reprs import (
    html_card,
    html_notes,
    html_table,
    readable_bytes,
    readable_count,
    readable_duration,
    text_table,
)

if TYPE_CHECKING:
    from workbench.estimation.epochs import Times
    from workbench.estimation.estimating import Estimate

_BASIS: dict[Basis, str] = {
    "measured": "measured in real steps",
    "scaled": "from real steps with fewer chips",
    "analytical": "analytical: from its operations, nothing was measured",
}
# What the parts of a memory are called.
PARTS = {
    "parameters": "parameters", "gradients": "gradients", "optimizer": "optimiser",
    "activations": "activations", "workspace": "kernels and allocator",
    "chips": "chips kept in memory",
}  # fmt: skip
# Paul Tol's "bright" scheme, read in light and dark themes; what others use is grey.
_COLORS = {
    "others": "rgba(128,128,128,.45)", "parameters": "#4477aa", "gradients": "#ee6677",
    "optimizer": "#228833", "activations": "#ccbb44", "workspace": "#66ccee", "chips": "#aa3377",
}  # fmt: skip
_LETTERS = {
    "others": "·", "parameters": "P", "gradients": "G", "optimizer": "O", "activations": "A",
    "workspace": "K", "chips": "C",
}  # fmt: skip
_OTHERS = "in use by others"
_WIDTH = 60
_HEADER = ("change", "memory", "time", "", "keeps")


def text(estimate: Estimate) -> str:
    """Return the estimate as lines of text."""
    lines = [f"{estimate.recipe.name} on {estimate.device}: {_verdict(estimate)}"]
    lines += [f"  {name:<11} {said}" for name, said in facts(estimate).items()]
    if estimate.memory is not None:
        lines.insert(1, f"  {_text_bar(estimate)}")
    if estimate.remedies:
        table = text_table(_HEADER, _remedies(estimate))
        lines += ["", "Single changes that need less:", *(f"  {row}" for row in table.split("\n"))]
    return "\n".join([*lines, *(f"  {hint}" for hint in estimate.hints)])


def html(estimate: Estimate) -> str:
    """Return the estimate as a card without any script."""
    body = _html_bar(estimate) if estimate.memory is not None else ""
    if estimate.remedies:
        body += html_notes(["Single changes that need less:"])
        body += html_table(_HEADER, _remedies(estimate))
    title = f"{estimate.recipe.name} on {estimate.device}: {_verdict(estimate)}"
    return html_card(title, facts(estimate), body=body + html_notes(estimate.hints))


def facts(estimate: Estimate) -> dict[str, str]:
    """Return what is estimated, by name; each says where it comes from."""
    if estimate.memory is None or estimate.times is None:
        return {"parameters": "none: a threshold is chosen in one pass over the chips, in seconds"}
    share = 100 * estimate.trainable / estimate.total
    memory, times = estimate.memory, estimate.times
    beside = " beside Python and its libraries" if estimate.device == "cpu" else ""
    parts = [f"{PARTS[part]} {readable_bytes(size)}"
             for part, size in memory.parts.items() if size]  # fmt: skip
    return {
        "parameters": f"trains {readable_count(estimate.trainable)} of "
        f"{readable_count(estimate.total)} ({share:.1f} %) · exact",
        "on disk": f"adapter {readable_bytes(estimate.adapter_bytes)}, all that a run saves "
        f"{readable_bytes(estimate.checkpoint_bytes)} · exact",
        "memory": f"{readable_bytes(memory.total)} at the peak{beside}, "
        f"{readable_bytes(memory.rise)} above the loaded model; "
        f"{readable_bytes(estimate.room.free)} of "
        f"{readable_bytes(estimate.room.capacity)} are free · {_BASIS[memory.basis]}",
        "of which": f"{' · '.join(parts)}; {PARTS[memory.dominant]} weigh most",
        "time": _time(times, estimate.recipe),
        **_cache(times),
        **({"recipe": estimate.changed} if estimate.changed else {}),
    }


def difference(before: Recipe, after: Recipe) -> str:
    """Return what a changed recipe changes, as arguments of `recipe.but`."""
    changed = (name for name in type(after).model_fields
               if getattr(before, name) != getattr(after, name))
    return ", ".join(f"{name}={getattr(after, name)!r}" for name in changed)


def _verdict(estimate: Estimate) -> str:
    return "fits" if estimate.fits else "does not fit"


def _time(times: Times, recipe: object) -> str:
    epochs = getattr(recipe, "epochs", 1)
    steps = "1 step" if times.steps == 1 else f"{times.steps} steps"
    sooner = ""
    if times.earliest_s < times.total_s:
        sooner = (f", early stopping ends it after {readable_duration(times.earliest_s)} at the "
                  "earliest")
    return (
        f"{_seconds(times.step_s)} a step, {steps} an epoch · first epoch "
        f"{readable_duration(times.first_epoch_s)}, then {readable_duration(times.epoch_s)} each · "
        f"{epochs} epochs {readable_duration(times.total_s)}{sooner} · {_BASIS[times.basis]}"
    )


def _cache(times: Times) -> dict[str, str]:
    if times.cache is None:
        return {}
    limit = ""
    if times.cache.disk_bytes > times.cache.budget_bytes:
        limit = f", of which {readable_bytes(times.cache.budget_bytes)} may be kept"
    return {
        "features": f"kept on disk as they are first met, {readable_bytes(times.cache.disk_bytes)} "
        f"in all{limit}; an epoch that finds them all takes "
        f"{readable_duration(times.cache.epoch_s)}"
    }


def _seconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _segments(estimate: Estimate) -> Iterator[tuple[str, float]]:
    """Yield parts of the bar as shares of its length, what others use first."""
    assert estimate.memory is not None
    room = estimate.room
    sizes = {"others": room.capacity - room.free, **estimate.memory.parts}
    # What does not fit runs to the end of the bar; its length is then all that is asked for.
    length = max(room.capacity, sum(sizes.values()))
    for name, size in sizes.items():
        if size:
            yield name, size / length


def _text_bar(estimate: Estimate) -> str:
    widths = {name: round(_WIDTH * share) for name, share in _segments(estimate)}
    bar = "".join(_LETTERS[name] * width for name, width in widths.items())
    key = ", ".join(f"{_LETTERS[name]} {PARTS.get(name, _OTHERS)}"
                    for name, width in widths.items() if width)
    return f"[{f'{bar:<{_WIDTH}}'[:_WIDTH]}] {key}".rstrip()


def _html_bar(estimate: Estimate) -> str:
    assert estimate.memory is not None
    bar, legend = [], []
    for name, share in _segments(estimate):
        label = PARTS.get(name, _OTHERS)
        color = f"background:{_COLORS[name]}"
        title = f"{label}: {100 * share:.1f} %"
        style = f"{color};width:{100 * share:.3f}%"
        bar.append(f'<span title="{escape(title)}" style="{style}"></span>')
        legend.append(
            f'<span style="margin-right:12px"><span style="{color};display:inline-block;width:10px;'
            f'height:10px;border-radius:2px;margin-right:4px"></span>{escape(label)}</span>'
        )
    asked = estimate.room.capacity - estimate.room.free + estimate.memory.total
    if asked > estimate.room.capacity:
        place = 100 * estimate.room.capacity / asked
        bar.append(
            f'<span title="all there is" style="position:absolute;left:{place:.1f}%;top:0;'
            'height:100%;border-left:3px dashed currentColor"></span>'
        )
    return (
        '<div style="display:flex;position:relative;height:16px;max-width:640px;overflow:hidden;'
        'margin:6px 0 2px;border:1px solid rgba(128,128,128,.6);border-radius:3px">'
        f'{"".join(bar)}</div>'
        f'<div style="font-size:12px;opacity:.85;margin-bottom:4px">{"".join(legend)}</div>'
    )


def _remedies(estimate: Estimate) -> list[tuple[str, ...]]:
    return [
        (remedy.what, readable_bytes(remedy.memory.total), f"× {remedy.slower:.2f}",
         "fits" if remedy.fits else "not enough", remedy.keeps)
        for remedy in estimate.remedies
    ]  # fmt: skip
