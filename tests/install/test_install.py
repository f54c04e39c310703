"""hpcprov installed in the ways in which people install it: each time the launcher must find the Python that it belongs
to.

Everything here builds and installs for real, in directories of its own; pip gets a cache so that it stays quick.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.require import require

SOURCE = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.install]
QUIET = ("--quiet", "--disable-pip-version-check")


def call(*words: object, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Standard output of a command that must succeed, with nothing of this test's own environment that chooses a
    Python."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HPCPROV", "PYTHON", "VIRTUAL_ENV", "PIP_USER"))}
    done = subprocess.run([str(w) for w in words], env=clean | (env or {}), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def check(launcher: Path, where: Path, env: dict[str, str] | None = None) -> dict[str, object]:
    """One whole run by `launcher`: recorded by its agent, and shown by another verb. Returns the record."""
    where.mkdir(parents=True, exist_ok=True)
    store = {"HPCPROV_DIR": str(where / ".hpcprov")} | (env or {})
    (where / "in").write_text("in")
    call(launcher, "exec", "--name", "installed", "--", "sh", "-c", "cat in > out; true", env=store, cwd=where)
    record = json.loads(call(launcher, "show", "last", "--json", env=store, cwd=where))
    assert record["run"]["status"] == "completed"
    assert record["nodes"], "the agent of this installation did not start"
    assert not record["problems"]
    observation = record["observation"]
    assert observation["complete"] and [row["argv"][0] for row in observation["programs"]] == ["sh", "cat"]
    names = {role: [Path(one["path"]).name for one in found] for role, found in record["artifacts"].items()}
    assert names == {"used": ["in"], "generated": ["out"]}
    return record


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a clean copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copy_source(folder / "source")
    call(sys.executable, "-m", "pip", "wheel", *QUIET, "--no-deps", "-w", folder, source)
    return next(folder.glob("*.whl"))


def copy_source(to: Path) -> Path:
    shutil.copytree(
        SOURCE,
        to,
        ignore=shutil.ignore_patterns(".git", ".venv*", "build", "dist", "__pycache__", ".hpcprov", "out", ".*_cache"),
    )
    return to


def new_environment(at: Path) -> Path:
    """A virtual environment's bin directory."""
    venv.create(at, with_pip=True, symlinks=True)
    return at / "bin"


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel in an empty virtual environment."""
    folder = tmp_path_factory.mktemp("venv with spaces")
    bin_dir = new_environment(folder / "env")
    call(bin_dir / "python", "-m", "pip", "install", *QUIET, wheel)
    return bin_dir


def test_wheel_holds_no_sources_of_the_launcher(wheel: Path) -> None:
    names = call(sys.executable, "-m", "zipfile", "-l", wheel)
    assert (
        "hpcprov/cli.py" in names
        and "scripts/hpcprov" in names
        and "schema/record-v1.json" in names
        and "allowlist.txt" in names
        and "secrets.txt" in names
    )
    templates = os.listdir(SOURCE / "hpcprov" / "report" / "templates")
    assert templates and all(f"hpcprov/report/templates/{name}" in names for name in templates)
    assert "snakemake_logger_plugin_hpcprov/__init__.py" in names
    assert "share/hpcprov/workflows/shell/bash" in names and "share/hpcprov/workflows/wrapper/wrapper.py" in names
    assert "data/lib/hpcprov/libhpcprov-observe.so" in names and "lib/hpcprov/python/sitecustomize.py" in names
    assert "launcher.h" not in names and "main.c" not in names


def test_wheel_in_a_virtual_environment(installed: Path, tmp_path: Path) -> None:
    check(installed / "hpcprov", tmp_path)


def test_launcher_is_native(installed: Path) -> None:
    assert (installed / "hpcprov").read_bytes()[:4] == b"\x7fELF"


def test_through_symbolic_links(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(installed / "hpcprov")
    (tmp_path / "two").symlink_to("one")
    check(tmp_path / "two", tmp_path / "run")


def test_found_on_the_path(installed: Path, tmp_path: Path) -> None:
    path = {"PATH": f"{installed}:{os.environ['PATH']}", "HPCPROV_DIR": str(tmp_path / ".hpcprov")}
    call("sh", "-c", "hpcprov exec -- true && hpcprov show last --json", env=path, cwd=tmp_path)


def test_moved_environment(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(installed.parent, tmp_path / "moved", symlinks=True)
    check(tmp_path / "moved" / "bin" / "hpcprov", tmp_path / "run")


def test_broken_settings_for_another_python_do_not_matter(installed: Path, tmp_path: Path) -> None:
    check(installed / "hpcprov", tmp_path, {"PYTHONHOME": "/nonexistent", "PYTHONPATH": "/nonexistent"})


def test_working_directory_is_not_imported_from(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the working directory was imported from')")
    (tmp_path / "hpcprov").mkdir()
    (tmp_path / "hpcprov" / "__init__.py").write_text("raise SystemExit('the working directory was imported from')")
    check(installed / "hpcprov", tmp_path)


def test_user_installation(wheel: Path, tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path / "home"), "PYTHONUSERBASE": ""}
    (tmp_path / "home").mkdir()
    # `pip install --user` refuses inside a virtual environment: ask the interpreter that it was made from.
    python = Path(sys.base_prefix) / "bin" / "python3"
    clean = {**home, "PIP_BREAK_SYSTEM_PACKAGES": "1", "PIP_NO_WARN_SCRIPT_LOCATION": "1"}
    call(python, "-m", "pip", "install", *QUIET, "--user", "--ignore-installed", wheel, env=clean)
    launcher = tmp_path / "home" / ".local" / "bin" / "hpcprov"
    record = check(launcher, tmp_path / "run", home)
    assert record["run"]["name"] == "installed"
    # An unrelated python beside it is not the one to use.
    (launcher.parent / "python3").symlink_to("/bin/false")
    check(launcher, tmp_path / "run2", home)


def test_pipx(wheel: Path, tmp_path: Path) -> None:
    bin_dir = tool(tmp_path, "pipx")
    env = {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    call(bin_dir / "pipx", "install", "--quiet", wheel, env=env)
    check(tmp_path / "bin" / "hpcprov", tmp_path / "run")


def test_uv_tool(wheel: Path, tmp_path: Path) -> None:
    bin_dir = tool(tmp_path, "uv")
    env = {
        "UV_TOOL_DIR": str(tmp_path / "tools"),
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
        "UV_CACHE_DIR": str(tmp_path / "cache"),
    }
    index = call(sys.executable, "-m", "pip", "config", "list")
    urls = dict(line.split("=", 1) for line in index.splitlines() if "=" in line)
    if "global.index-url" in urls:  # uv does not read pip's settings
        env["UV_INDEX_URL"] = urls["global.index-url"].strip("'")
    call(bin_dir / "uv", "tool", "install", "--quiet", "--python", sys.executable, wheel, env=env)
    check(tmp_path / "bin" / "hpcprov", tmp_path / "run")


def tool(folder: Path, name: str) -> Path:
    """The bin directory of an environment that holds the installer `name`, itself from the package index."""
    bin_dir = new_environment(folder / "installer")
    done = subprocess.run([bin_dir / "python", "-m", "pip", "install", *QUIET, name], capture_output=True, text=True)
    require(name, done.returncode == 0)
    return bin_dir


def test_conda_layout(installed: Path, wheel: Path, tmp_path: Path) -> None:
    """A conda environment has no pyvenv.cfg but a conda-meta, its own python in bin, and may be moved as a whole."""
    prefix = tmp_path / "conda"
    shutil.copytree(installed.parent, prefix, symlinks=True)
    (prefix / "conda-meta").mkdir()
    (prefix / "bin" / "hpcprov-py").unlink()
    check(prefix / "bin" / "hpcprov", tmp_path / "run")


def test_editable_installation_says_when_the_launcher_is_stale(tmp_path: Path) -> None:
    source = copy_source(tmp_path / "source")
    bin_dir = new_environment(tmp_path / "env")
    call(bin_dir / "python", "-m", "pip", "install", *QUIET, "-e", source)
    check(bin_dir / "hpcprov", tmp_path / "run")
    (source / "hpcprov" / "__main__.py").write_text("print('edited')\n")
    assert call(bin_dir / "hpcprov", "runs").strip() == "edited"
    later = (bin_dir / "hpcprov").stat().st_mtime + 10
    for name in ("observe/opens.c", "run.c"):
        os.utime(source / "hpcprov" / "launcher" / name, (later, later))
        done = subprocess.run(
            [bin_dir / "hpcprov", "exec", "--no-agent", "--", "true"], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0
        assert name in done.stderr and "pip install -e ." in done.stderr


def test_no_python_is_a_clear_error(installed: Path, tmp_path: Path) -> None:
    alone = tmp_path / "bin"
    alone.mkdir()
    shutil.copy(installed / "hpcprov", alone / "hpcprov")
    done = subprocess.run([alone / "hpcprov", "runs"], capture_output=True, text=True, env={"PATH": "/nonexistent"})
    assert done.returncode == 127 and "HPCPROV_PYTHON" in done.stderr
    done = subprocess.run(
        [alone / "hpcprov", "runs"], capture_output=True, text=True, env={"HPCPROV_PYTHON": "/nonexistent/python"}
    )
    assert done.returncode == 127 and "/nonexistent/python" in done.stderr
    # and a run is still recorded, without the agent's part
    done = subprocess.run(
        [alone / "hpcprov", "exec", "--", "true"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0
    assert list((tmp_path / ".hpcprov" / "runs").rglob("*.log"))
