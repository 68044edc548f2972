"""The demo: the whole job on simulated floods, and the page that reports it."""

from workbench.demo.run import run_demo
from workbench.demo.scene import make_scene

__all__ = ["make_scene", "run_demo"]
