"""Facts about what runs, where and from which code: one module per kind of fact, described in docs/facts.md.

Each offers a pure core over text, paths and environments, and a thin `collect(...)` that returns JSON values. Only the
agent calls them, each behind its own `try`, so they raise `OSError` or `HpcprovError` with a text worth recording. A
fact that could be had in part says under `reason` why the rest is missing.
"""
