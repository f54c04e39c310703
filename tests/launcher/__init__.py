"""Tests of the native launcher: the same command bare and under `hpcprov exec --`, seen from its parent."""
