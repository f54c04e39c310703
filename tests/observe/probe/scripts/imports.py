import sys

sys.path.insert(0, ".")
import module  # noqa: F401
