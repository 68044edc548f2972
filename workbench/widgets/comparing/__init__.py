"""compare_map: a comparison on maps, from regions down to what runs say of a single pixel."""

from workbench.widgets.comparing.panel import CompareMap, View, compare_map

__all__ = ["CompareMap", "View", "compare_map"]
