"""The demo: the whole job on simulated floods, and the page that reports it."""
