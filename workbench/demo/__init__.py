"""The demo: the whole job on simulated floods or a real chip, and the page that reports it."""

from workbench.demo.real import real_chip
from workbench.demo.run import run_demo
from workbench.demo.scene import make_scene

__all__ = ["make_scene", "real_chip", "run_demo"]
