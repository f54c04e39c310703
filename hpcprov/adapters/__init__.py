"""Bridges to programs that start runs of their own accord: workflow systems."""
