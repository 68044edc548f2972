"""Simulated flood scenes: data that come with the package, made on demand."""
