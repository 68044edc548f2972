"""Views that live in a notebook: the only folder that knows IPython."""
