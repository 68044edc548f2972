"""The demo: the whole job on simulated floods, and the page that reports it."""

from workbench.demo.run import run_demo

__all__ = ["run_demo"]
