"""The house's rules: which room imports which, one importing room per heavy library, nothing heavy at start."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcprov.cli import NATIVE, VERBS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "hpcprov"
EVERYTHING = {
    *("record", "capture", "data", "merge", "signature", "agent", "adapters", "image", "catalog", "quality", "attest"),
    *("rerun", "report", "export", "tracking", "commands", "cli"),
}
# The table of docs/design.md, "The rooms".
MAY_IMPORT = {
    "record": set(),
    "capture": {"record"},
    "data": {"record"},
    "merge": {"record"},
    "signature": {"record", "data"},
    "agent": {"record", "capture", "signature", "merge", "attest", "quality"},
    "adapters": EVERYTHING,
    "xarray": {"adapters"},
    "pandas": {"adapters"},
    "polars": {"adapters"},
    "image": {"record", "capture"},
    "catalog": {"record", "merge"},
    "quality": {"record", "data", "signature"},
    "attest": {"record", "merge"},
    "rerun": {"record", "capture", "image", "signature", "merge", "catalog", "quality"},
    "report": {"record", "merge", "catalog"},
    "export": {"record", "merge", "catalog", "attest"},
    "tracking": {"record", "capture", "data", "signature", "agent", "merge", "catalog", "report"},
    "commands": EVERYTHING,
    "cli": {"record", "commands"},
    "__main__": {"cli"},
    "__init__": {"signature", "catalog", "quality", "tracking"},
}
HOMES = {
    "h5py": {"data"},
    "hdf5plugin": {"data"},
    "imagecodecs": {"data"},
    "isal": {"data"},
    "zarr": {"data"},
    "numcodecs": {"data"},
    "google_crc32c": {"data"},
    "pyarrow": {"data"},
    "blake3": {"signature"},
    "psutil": {"capture"},
    "numpy": {"data", "signature", "quality"},
    "sqlglot": {"quality"},
    "mpi4py": {"signature"},
    "snakemake": {"adapters"},
    "darshan": {"adapters"},
    "xarray": {"adapters"},
    "pandas": {"adapters"},
    "polars": {"adapters"},
    "jinja2": {"report"},
    "openpyxl": {"quality"},
    "tdda": {"quality"},
    "rocrate": {"export"},
    "prov": {"export"},
    "rdflib": {"export"},
    "openlineage": {"export"},
    "requests": {"export"},
    "cyclonedx": {"export"},
    "packageurl": {"export"},
}
# What another package brings, or a package of another name.
BROUGHT_BY = {
    "openlineage": "openlineage-python",
    "requests": "openlineage-python",
    "cyclonedx": "cyclonedx-python-lib",
    "packageurl": "cyclonedx-python-lib",
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Absolute names of all modules that a file imports, wherever in it; also by `needed("prov.model")`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "needed":
            yield from (word.value for word in node.args if isinstance(word, ast.Constant))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a name comes from"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rooms_and_libraries(path: Path) -> None:
    room = room_of(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "hpcprov" and len(parts) > 1 and parts[1] in EVERYTHING | {"cli"}:
            assert parts[1] == room or parts[1] in MAY_IMPORT[room], f"{room} may not import {name}"
        elif parts[0] in HOMES:
            assert room in HOMES[parts[0]], f"{room} may not import {parts[0]}: that is for {HOMES[parts[0]]}"
        elif parts[0] != "hpcprov":
            assert parts[0] in sys.stdlib_module_names, f"{parts[0]} has no home: add it to HOMES"


def requirements() -> set[str]:
    """Names of all packages that pyproject.toml names, hpcprov's own extras left out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return {re.split(r"[\[><=;]", item)[0] for items in lists for item in items} - {"hpcprov"}


def test_every_library_is_declared() -> None:
    assert {BROUGHT_BY.get(name, name).replace("_", "-") for name in HOMES} <= requirements()


def test_every_library_has_its_reasons_written_down() -> None:
    text = (ROOT / "docs" / "libraries.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
    told = {name.strip() for row in rows for name in row.split(",")}
    assert requirements() - told == set()


def test_the_table_is_that_of_the_design() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    rows = [
        line.strip("| ").split(" | ")
        for line in text.partition("| room | may import |")[2].splitlines()[2:]
        if line.startswith("|")
    ]
    told = {room.strip(): allowed for rooms, allowed in rows for room in rooms.split(",")}
    assert set(told) == set(MAY_IMPORT) - {"__main__", "__init__"}
    for room, allowed in told.items():
        named = (
            EVERYTHING
            if allowed == "any"
            else {word for word in EVERYTHING if word in allowed.replace("command ", "commands ")}
        )
        assert named == MAY_IMPORT[room], room


def loaded_after(*words: str) -> set[str]:
    """Top-level modules, those of the standard library left out, that a call of the command line has loaded."""
    code = (
        "import sys, atexit, os\n"
        "atexit.register(lambda: os.write(2, ' '.join({m.split('.')[0] for m in sys.modules}).encode()))\n"
        f"sys.argv = ['hpcprov', *{list(words)!r}]\n"
        "from hpcprov.cli import entry\n"
        "entry()\n"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name for name in done.stderr.split() if name.split(".")[0] not in sys.stdlib_module_names} - {
        "__main__",
        "__mp_main__",
    }


def test_importing_hpcprov_loads_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import hpcprov; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['hpcprov']"


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], *([verb, "--help"] for verb in VERBS if verb not in NATIVE)], ids=" ".join
)
def test_help_loads_no_third_party_package(words: list[str]) -> None:
    assert loaded_after(*words) == {"hpcprov"}


# In Python 3.11 each of these costs 3 to 36 ms at start (docs/design.md allows 100 ms for a --help).
SLOW = {
    "dataclasses",
    "pathlib",
    "logging",
    "importlib.metadata",
    "uuid",
    "socket",
    "inspect",
    "asyncio",
    "typing",
    "tempfile",
    "random",
}


@pytest.mark.parametrize(
    "module", ["hpcprov.cli", "hpcprov.merge.publish", "hpcprov.record.frame", "hpcprov.agent.session"]
)
def test_what_starts_often_starts_light(module: str) -> None:
    code = f"import sys; import {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = SLOW - {"socket"} if module.startswith("hpcprov.agent") else SLOW
    assert heavy & set(done.stdout.split()) == set()


def test_the_help_says_of_each_verb_what_its_module_says() -> None:
    from hpcprov.cli import command

    for verb, text in VERBS.items():
        if verb not in NATIVE:
            module = command(verb)
            assert (module.__doc__ or "").split("\n")[0] == text
            assert module.EXAMPLE.startswith(f"hpcprov {verb}")
