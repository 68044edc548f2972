"""A recipe by mouse: a form beside the drawing of the model that it describes."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets
import traitlets
from IPython.display import DisplayHandle, display

from workbench.assembly import describe
from workbench.assembly.choices import misfit, misfits
from workbench.data import Dataset, Split
from workbench.errors import DataError
from workbench.models.decoders import DECODERS
from workbench.options import Options
from workbench.recipe import Recipe
from workbench.reprs import html_card
from workbench.widgets.backbones import BackboneField
from workbench.widgets.costs import Costs
from workbench.widgets.fields import WIDE, Changed, help_html, problem_html
from workbench.widgets.form import INVALID, OptionsForm
from workbench.widgets.latest import Latest
from workbench.widgets.looks import STYLE
from workbench.widgets.telling import telling

# What most people turn; all other fields of a recipe are folded away.
FIRST = ("epochs", "batch_size", "learning_rate")
_KEPT: dict[str, Recipe] = {}


def configure(source: Split | Dataset | None = None, recipe: Recipe | None = None, *,
              key: str | None = None) -> Configure:
    """Show a form for a recipe beside the drawing of its model.

    Args:
        source: What will be trained on: its bands and classes shape the model; of a split it is
            also said what training will cost.
        recipe: What the form starts from; by default the defaults.
        key: A name under which the kernel keeps the value: the same cell run again goes on from
            it. Without one every run of the cell starts fresh.

    Returns:
        A panel that shows itself; `.value` is the recipe, `.observe(f, "value")` follows it.

    Raises:
        DataError: `source` is neither a split nor a dataset.
    """
    if not isinstance(source, Split | Dataset | None):
        raise DataError(
            f"wb.configure takes a split or a dataset first, not a {type(source).__name__}; "
            "a recipe to start from goes into recipe=…."
        )
    return Configure(source, recipe, key=key)


class Configure(traitlets.HasTraits):
    """A form that makes a recipe; see `configure`.

    Attributes:
        value: The last valid recipe; setting it fills the form.
        box: The widget, to be put beside others.
    """

    value = traitlets.Instance(Recipe)

    def __init__(self, source: Split | Dataset | None = None, recipe: Recipe | None = None, *,
                 key: str | None = None) -> None:
        super().__init__()
        self._data = source.dataset if isinstance(source, Split) else source
        self._key = key
        self._static: DisplayHandle | None = None
        bands = self._data.bands if self._data else ()
        makers = {"backbone": lambda changed: BackboneField(changed, bands),
                  "decoder": DecoderField}  # fmt: skip
        self._form = OptionsForm(Recipe, self._on_change, makers)
        self._misfits = widgets.HTML()
        self._status, self._picture, self._code = (widgets.HTML() for _ in range(3))
        self._drawer = Latest(self._draw)
        self._costs = Costs(source) if isinstance(source, Split) else None
        self._told = False
        self.box = self._layout()
        kept = _KEPT.get(key) if key else None
        self.value = recipe or kept or Recipe()

    def show(self) -> None:
        """Show the form; under it, as an output of its own that a stored notebook keeps, its line.

        The form itself lives only as long as its kernel.
        """
        self.tell_costs()
        display(self.box)
        self._static = DisplayHandle()
        self._static.display(self._bundle(), raw=True)

    def tell_costs(self) -> None:
        """Say from now on what training the recipe on the split costs; `show` does it, too."""
        if self._costs and not self._told:
            self._told = True
            self._costs.ask(self.value)

    def wait(self) -> None:
        """Return when drawing and costs are those of the value."""
        self._drawer.wait()
        if self._costs:
            self._costs.wait()

    def close(self) -> None:
        """End the process that costs are estimated in."""
        if self._costs:
            self._costs.close()

    def __repr__(self) -> str:
        return code(self.value)

    def _bundle(self) -> dict[str, str]:
        line = code(self.value)
        return {"text/plain": line, "text/html": html_card("Recipe", notes=(line,))}

    def _ipython_display_(self) -> None:
        self.show()

    @traitlets.observe("value")
    def _on_value(self, change: Any) -> None:
        if self._form.read() != self.value:
            self._form.write(self.value)
        self._offer(self.value.backbone)
        if self._key:
            _KEPT[self._key] = self.value
        self._code.value = f'<pre class="wb-code">{escape(code(self.value))}</pre>'
        if self._static:
            self._static.update(self._bundle(), raw=True)
        self._status.value = '<span class="wb-busy">updating…</span>'
        self._drawer.ask(self.value)
        if self._costs and self._told:
            self._costs.ask(self.value)

    def _on_change(self) -> None:
        """Take over what is in the form where it is valid and fits."""
        recipe = self._form.read()
        backbone = self._form.fields["backbone"].read()
        if backbone is not None:
            self._offer(backbone)
        if recipe is INVALID:
            return
        if reason := misfit(recipe):
            self._form.fields["peft"].say(reason)
        else:
            self.value = recipe

    def _offer(self, backbone: str) -> None:
        """Offer the methods that fit a backbone, and say of the others why they do not."""
        reasons = misfits(backbone)
        field = self._form.fields["peft"]
        field.offer([kind for kind in field.kinds if kind not in reasons])
        lines = "".join(f"<li>{escape(field.kinds[kind].__name__)}: {escape(reason)}</li>"
                        for kind, reason in reasons.items())
        self._misfits.value = (
            f'<details class="wb-misfits"><summary>{len(reasons)} methods do not fit '
            f"{escape(backbone)}</summary><ul>{lines}</ul></details>" if reasons else "")

    def _draw(self, recipe: Recipe) -> None:
        shape: dict[str, Any] = {}
        if self._data:
            info = self._data.info
            shape = {"classes": info.classes, "bands": self._data.bands,
                     "image_size": info.chip_shape, "num_frames": info.num_frames}
        with telling(self._not_drawn):
            self._picture.value = describe(recipe, **shape).svg()
            self._status.value = ""

    def _not_drawn(self, why: str) -> None:
        self._status.value = problem_html(why)

    def _layout(self) -> widgets.Widget:
        fields = {name: field.box for name, field in self._form.fields.items()}
        backbone, peft, decoder = (fields.pop(name) for name in ("backbone", "peft", "decoder"))
        first = [fields.pop(name) for name in FIRST]
        folded = widgets.Accordion([widgets.VBox(list(fields.values()))], titles=("More options",),
                                   selected_index=None)
        form = widgets.VBox(
            [_heading("Backbone"), backbone, _heading("Fine-tuning method"), peft, self._misfits,
             _heading("Decoder"), decoder, _heading("Training"), *first, folded,
             self._form.message],
            layout={"flex": "0 0 340px", "max_width": "100%"})
        form.add_class("wb-options")
        for name in ("backbone", "peft", "decoder"):
            self._form.fields[name].control.add_class("wb-titled")
        shown = widgets.ToggleButton(description="Code", icon="code", layout={"width": "90px"},
                                     tooltip="The line of Python that makes this recipe")
        self._code.layout.display = "none"
        shown.observe(lambda change: setattr(self._code.layout, "display",
                                             "" if change["new"] else "none"), "value")
        head = widgets.HBox([shown, self._status], layout={"align_items": "center"})
        costs = [self._costs.box] if self._costs else []
        picture = widgets.VBox([head, self._code, *costs, self._picture],
                               layout={"flex": "1 1 380px", "min_width": "0"})
        body = widgets.HBox([form, picture], layout={"flex_flow": "row wrap", "width": "100%"})
        body.add_class("wb-form")
        return widgets.VBox([widgets.HTML(STYLE), body])


class DecoderField:
    """A decoder by name, with its sentence."""

    def __init__(self, changed: Changed) -> None:
        self.control = widgets.Dropdown(options=list(DECODERS), description="decoder", layout=WIDE)
        self._changed, self._quiet = changed, False
        self._about, self._message = widgets.HTML(), widgets.HTML()
        self.box = widgets.VBox([self.control, self._message, self._about])
        self.box.add_class("wb-field")
        self.control.observe(self._on_change, "value")
        self._tell()

    def read(self) -> str:
        """Return the name that is chosen."""
        return self.control.value

    def write(self, value: str) -> None:
        """Choose without telling anybody."""
        self._quiet = True
        self.control.value = value
        self._quiet = False

    def say(self, message: str) -> None:
        """Show why the choice is refused."""
        self._message.value = problem_html(message)

    def _on_change(self, change: Any) -> None:
        self._tell()
        if not self._quiet:
            self._changed()

    def _tell(self) -> None:
        self._about.value = help_html(DECODERS[self.control.value].summary)


def code(options: Options) -> str:
    """Return the line that makes options after `import workbench as wb`."""
    shown = (f"{name}={code(value) if isinstance(value, Options) else repr(value)}"
             for name, value in options.changed().items())
    return f"wb.{type(options).__name__}({', '.join(shown)})"


def _heading(text: str) -> widgets.Widget:
    return widgets.HTML(f'<div class="wb-heading">{escape(text)}</div>')
