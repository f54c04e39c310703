"""The Python API that records: runs, steps and values in memory."""
