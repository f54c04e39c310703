"""What continuous integration promises: no test of it may turn green by being skipped."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
# What its machine does not have.
ABSENT = {"gpu", "rustc"}
# Calls of `require`, and the tables whose rows hand it a name.
ASKING = r'(?:\brequire\(\s*|\bneeds=)"([^"]+)"'


def test_it_requires_whatever_a_test_requires() -> None:
    asked = {name for path in ROOT.glob("tests/**/*.py") for name in re.findall(ASKING, path.read_text())}
    lists = re.findall(r'^export HPCPROV_REQUIRE="?([^"\n]+)"?$', (ROOT / ".ci/run").read_text(), re.MULTILINE)
    promised = {name for text in lists for name in text.split(",")}
    assert len(asked) > 15 and asked - ABSENT - promised == set()
