"""Views that live in a notebook: the only folder that knows IPython."""

from workbench.errors import need_lab

# Here, before any of them is imported: all widgets say the same.
need_lab("anywidget", "Live views and forms in a notebook", "restart the kernel")
