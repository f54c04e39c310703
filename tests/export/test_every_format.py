"""What every format keeps: the same records give the same bytes; whatever is in a record, there is no traceback."""

from __future__ import annotations

import copy
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from merge.build import Launch, normal
from report.hostile import hostile

from hpcprov.catalog import open_catalog
from hpcprov.export.formats import FORMATS, Copied, Run, Source, render
from hpcprov.export.place import encoded
from hpcprov.merge.fold import fold
from hpcprov.merge.seal import seal
from hpcprov.record import model
from hpcprov.record.canonical import canonical
from hpcprov.record.errors import HpcprovError

from .made import OLD, chain, going_on, runs_of, workflow

ROOT = Path(__file__).parents[2]


def flat(content: Any) -> dict[str, bytes]:
    """All bytes of an export, of what is copied only which it is."""
    files = content if isinstance(content, dict) else {"": content}
    return {name: one.path.encode() if isinstance(one, Copied) else encoded(one) for name, one in files.items()}


def many_ranks(number: int) -> dict[str, Any]:
    launch = Launch(size=number)
    for rank in range(number):
        launch.start(rank).exit(rank)
    record = fold(normal(launch), run_id="wide")
    return seal(record | {"revision": 1, "output": {"files": [], "lost_bytes": 0}}, [], previous=None)


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    """What is exported, by the name of what is special about it."""
    place = tmp_path_factory.mktemp("stores")
    (place / "flow").mkdir()
    (place / "now").mkdir()
    store, flow = chain(place), workflow(place / "flow")
    old = tmp_path_factory.mktemp("old") / "golden"
    old.mkdir()
    (old / "record.json").write_bytes(OLD.read_bytes())
    empty = str(tmp_path_factory.mktemp("empty"))
    found = {
        "chain": runs_of(store, "prepare", "solve", "plot"),
        "failed": runs_of(store, "broken"),
        "whole": runs_of(flow, "flow", "prepare", "solve", "plot"),
        "running": runs_of(going_on(place / "now"), "now"),
        "old": [Run(model.load(str(old / "record.json")), str(old))],
        "ranks": [Run(many_ranks(10_000), empty)],
    }
    for name in ("chain", "whole"):
        bad = [hostile(run.record, keep=("id", "run", "kind")) for run in found[name]]
        found[f"hostile {name}"] = [Run(record, empty) for record in bad]
    found["nothing known"] = [Run(bare(), empty)]
    with open_catalog([store.root]) as catalog:
        graph = catalog.lineage("plot", down=True)
    return {name: Source(name, runs, graph) for name, runs in found.items()}


def bare() -> dict[str, Any]:
    """A record of which every member that may be unknown is."""
    record = fold([], run_id="bare")
    return seal(record | {"revision": 1, "output": {"files": [], "lost_bytes": 0}}, [], previous=None)


SUBJECTS = (
    *("chain", "failed", "whole", "running", "old", "ranks", "hostile chain", "hostile whole", "nothing known"),
)


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("name", FORMATS)
def test_the_same_records_give_the_same_bytes(name: str, subject: str, subjects: dict[str, Source]) -> None:
    source = subjects[subject]
    before = [canonical(run.record) for run in source.runs]
    try:
        first = flat(render(name, source))
    except HpcprovError as error:
        assert error.hint and "\n" not in error.message
        return
    assert first == flat(render(name, source))
    assert [canonical(run.record) for run in source.runs] == before, "a record was changed"
    for file, data in first.items():
        data.decode("utf-8")
        if (file or FORMATS[name].suffix).endswith("json") and not data.startswith(b"/"):
            json.loads(data)


def test_nobody_knows_the_seed_of_hashes(tmp_path: Path) -> None:
    """The order of sets differs from process to process; that of exports may not."""
    chain(tmp_path)
    code = (
        "import sys, os; sys.path.insert(0, 'tests')\n"
        "from export.made import runs_of; from export.test_every_format import flat\n"
        "from hpcprov.export.formats import FORMATS, Source, render; from hpcprov.record.errors import HpcprovError\n"
        "from hpcprov.catalog import open_catalog; from hpcprov.record.layout import Store; import hashlib\n"
        "store = Store(sys.argv[1]); graph = open_catalog([store.root]).lineage('plot')\n"
        "source = Source('x', runs_of(store, 'plot', 'solve', 'prepare'), graph)\n"
        "for name in FORMATS:\n"
        "    one = Source('x', source.runs[:1] if FORMATS[name].takes == 'run' else source.runs, graph)\n"
        "    try: content = render(name, one)\n"
        "    except HpcprovError as error: content = str(error)\n"
        "    print(name, hashlib.sha256(repr(sorted(flat(content).items())).encode()).hexdigest())\n"
    )
    answers = []
    for seed in ("1", "2"):
        command = [sys.executable, "-c", code, str(tmp_path / ".hpcprov")]
        environ = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        answers.append(
            subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout
        )
    assert answers[0] == answers[1] and len(answers[0].splitlines()) == len(FORMATS)


WRONG: tuple[Any, ...] = (None, True, -1, 10**400, 1.5, "x", [], {}, [[]], [{}], {"digest": []}, [None, {"": 0}], ["a"])


def replaced(value: Any, chance: random.Random) -> Any:
    """A fact with something else in a place of it."""
    if not value or not isinstance(value, dict | list) or chance.random() < 0.2:
        return chance.choice(WRONG)
    found = copy.copy(value)
    key = chance.choice(sorted(found) if isinstance(found, dict) else range(len(found)))
    found[key] = replaced(found[key], chance)
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_a_fact_may_be_of_any_shape(name: str, subjects: dict[str, Source]) -> None:
    """A record's shape is checked when it is read, but what a fact's value is has no schema."""
    chance = random.Random(1)
    source = subjects["whole"]
    for _ in range(20):
        runs = [Run(copy.deepcopy(run.record), run.directory) for run in source.runs]
        for entry in (entry for run in runs for entry in run.record["facts"].values()):
            entry["value"] = replaced(entry.get("value"), chance)
        try:
            assert flat(render(name, Source("x", runs, source.graph)))
        except HpcprovError as error:
            assert error.hint


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if form.takes == "run"])
def test_a_format_of_one_run_is_not_given_several(name: str, subjects: dict[str, Source]) -> None:
    with pytest.raises(HpcprovError, match="holds one run, and this is 3"):
        render(name, subjects["chain"])
    try:
        assert flat(render(name, subjects["whole"]))
    except HpcprovError as error:
        # What some formats hold is made by a key, or was not seen of a workflow itself.
        assert "is not attested" in error.message or "was not observed" in error.message


def test_an_option_is_refused_where_it_means_nothing(subjects: dict[str, Source]) -> None:
    with pytest.raises(HpcprovError, match="--copy is not for the format prov-n"):
        render("prov-n", subjects["chain"], copy={})


def test_the_table_names_what_is_there() -> None:
    for name, form in FORMATS.items():
        assert (ROOT / "hpcprov/export" / f"{form.module}.py").is_file(), name
        assert form.takes in ("run", "runs", "graph") and form.suffix.startswith(".") and len(form.text) < 80


def test_a_hostile_record_is_one(subjects: dict[str, Source]) -> None:
    """The suite means something: what it feeds has what it says."""
    record = copy.deepcopy(subjects["hostile chain"].runs[0].record)
    assert "window.__pwned" in json.dumps(record["run"]["argv"] or "") + json.dumps(record["run"]["tags"])
    assert subjects["ranks"].runs[0].record["ranks"]["count"] == 10_000
    assert subjects["running"].runs[0].record["run"]["status"] == "running"
