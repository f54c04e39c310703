"""Each kind of cause from two records that differ in one thing, and nothing from records that differ in nothing."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from merge.build import Launch, normal

from hpcprov.catalog.causes import causes, data, same, untold, words
from hpcprov.catalog.causes.upstream import Upstream
from hpcprov.merge.fold import fold

A, B = "a" * 64, "b" * 64


def field(path: str, digest: str) -> dict[str, Any]:
    return {"path": path, "type": "f8", "shape": [4], "tile": [4], "signature": f"hpcprov1:{digest}", "bytes": 32}


def artifact(path: str, digest: str = A, role: str = "used") -> dict[str, Any]:
    signed = {"digest": f"hpcprov1:{digest}", "how": "full", "kind": "tree", "fields": [field("t2m", digest)]}
    stored = {"digest": f"blake3:{digest}", "how": "full"}
    return {"role": role, "path": path, "state": "ok", "format": "hdf5", "storage": stored, "signature": signed}


def launch(
    *, at: float = 0, size: int = 1, node: str = "n1", env: dict[str, str] | None = None, **start: Any
) -> Launch:
    made = Launch(node, size=size)
    for rank in range(size):
        made.start(
            rank, at, **({"argv": ["./model", "--dt", "10"], "cwd": "/runs/one", "inputs": [], "outputs": []} | start)
        )
        made.env(rank, at, **({"PATH": "/usr/bin", "OMP_NUM_THREADS": "4", "PMI_RANK": str(rank)} | (env or {})))
        made.exit(rank, at + 1)
    return made.agent(at)


def record(made: Launch, run: str = "r1") -> dict[str, Any]:
    folded: dict[str, Any] = fold(normal(made), run_id=run)
    return folded


def observed(made: Launch, *programs: dict[str, Any], complete: bool = True, **value: Any) -> Launch:
    entries = [{"id": number, "count": 1, "rank": 0, "cwd": "/runs/one", "began": 1} | program
               for number, program in enumerate(programs, 1)]  # fmt: skip
    made.add("program", 0.5, node="n1", entries=entries)
    made.add("observation", 0.6, node="n1", value={"how": "preload", "complete": complete} | value)
    return made.ended(1)


def texts(one: Launch, other: Launch) -> list[str]:
    return [cause["text"] for cause in causes(record(one), record(other, "r2"))]


def test_two_runs_of_one_thing_at_other_times_elsewhere_do_not_differ() -> None:
    def run(at: float, cwd: str, node: str, job: str) -> Launch:
        made = launch(at=at, size=2, node=node, cwd=cwd, argv=["./model", f"--out={cwd}/out.h5"],
                      env={"PWD": cwd, "SLURM_JOB_ID": job, "TMPDIR": f"/tmp/{job}", "HPCPROV_DIR": cwd})  # fmt: skip
        made.fact("host", {"hostname": node, "cpu": {"model": "EPYC"}, "boot_id": job})
        made.add("artifact", at + 2, node=node, **artifact(f"{cwd}/in.h5"))
        return made.add("artifact", at + 2, node=node, **artifact(f"{cwd}/out.h5", B, "generated"))

    one, other = record(run(0, "/runs/one", "n1", "1")), record(run(900, "/elsewhere/two", "n2", "2"), "r2")
    assert causes(one, other) == []
    assert same(one, other) == ["arguments", "environment", "node types", "ranks", "inputs"]


def test_what_only_one_record_tells_of_is_not_said_to_be_the_same() -> None:
    modules = {"kind": "lmod", "loaded": []}
    inside = {"containers": [{"image": "unknown", "how": "inside", "runtime": "docker"}]}
    one = record(launch().fact("modules", modules).fact("container", inside).fact("code", {"directory": {}}))
    other = record(launch().fact("container", inside).fact("code", {"directory": {}}), "r2")
    assert same(one, other) == ["code", "arguments", "environment", "ranks"]
    rest = ["modules", "image", "programs", "libraries", "Python packages", "node types", "inputs"]
    assert untold(one, other) == rest and causes(one, other) == []
    assert "modules" in same(one, one)
    changed = record(launch(env={"LANG": "C"}).fact("container", inside).fact("code", {"directory": {}}), "r2")
    assert "environment" not in same(one, changed) + untold(one, changed)


MODULE = {"name": "gcc/12.2", "file": "/m/gcc/12.2", "sha256": A}
IMAGE = {"image": "/i/model.sif", "path": "/i/model.sif", "size": 5, "mtime": 7, "how": "argv", "runtime": "apptainer"}


def with_modules(*loaded: dict[str, Any]) -> Launch:
    path = ":".join(f"/opt/{one['name']}/bin" for one in loaded)
    return launch(env={"PATH": path, "LOADEDMODULES": path}).fact("modules", {"kind": "tcl", "loaded": list(loaded)})


def with_image(digest: str | None, **known: Any) -> Launch:
    made = launch().fact("container", {"containers": [IMAGE | known]})
    identity = {"digest": digest, "of": "primary partition"}
    return made.fact("image", {"images": [{"image": "/i/model.sif", "identity": identity if digest else None}]})


def git(commit: str, **more: Any) -> Launch:
    place = {"root": "/runs/one", "commit": commit, "dirty": bool(more)} | more
    return launch().fact("code", {"directory": {"path": "/runs/one", "git": place}})


def software(**value: Any) -> Launch:
    return launch().fact("software", value)


def python(*packages: tuple[str, str], version: str = "3.11") -> Launch:
    return software(
        python=[{"executable": "/v/bin/python", "version": version, "packages": [list(one) for one in packages]}]
    )


CASES: dict[str, tuple[Launch, Launch, list[str]]] = {
    "argument": (launch(), launch(argv=["./model", "--dt", "20"]), ["argument 10 -> 20 in option --dt"]),
    "argument added": (launch(), launch(argv=["./model", "--dt", "10", "-v"]), ["argument -v added, at argument 3"]),
    "compiler flag": (
        launch(argv=["cc", "-O2", "-c", "a.c"]), launch(argv=["cc", "-O3", "-c", "a.c"]),
        ["compiler flag -O2 -> -O3 in argument 1"],
    ),
    "compiler flag in a line": (
        launch(argv=["sh", "-c", "set -e; gcc -O2 a.c -o a"]), launch(argv=["sh", "-c", "set -e; gcc -O3 a.c -o a"]),
        ["compiler flag -O2 -> -O3 in argument 2"],
    ),
    "environment": (
        launch(), launch(env={"OMP_NUM_THREADS": "8"}), ["environment OMP_NUM_THREADS: 4 -> 8"],
    ),
    "path": (
        launch(), launch(env={"PATH": "/opt/bin:/usr/bin"}), ["environment PATH: /opt/bin added"],
    ),
    "module version": (
        with_modules(MODULE), with_modules(MODULE | {"name": "gcc/13.1", "sha256": B}), ["module gcc 12.2 -> 13.1"],
    ),
    "module file": (
        with_modules(MODULE), with_modules(MODULE | {"sha256": B}),
        [f"module gcc/12.2: its file changed, sha256:{A[:12]} -> {B[:12]}"],
    ),
    "module added": (
        with_modules(MODULE), with_modules(MODULE, MODULE | {"name": "cuda/12"}),
        ["module cuda/12 is loaded in the second only"],
    ),
    "image": (
        with_image(f"sha256:{A}"), with_image(f"sha256:{B}", size=6),
        [f"image model.sif sha256:{A[:12]} -> sha256:{B[:12]}"],
    ),
    "the same image moved": (with_image(f"sha256:{A}"), with_image(f"sha256:{A}", mtime=9), []),
    "commit": (git("1" * 40), git("2" * 40), ["commit 111111111111 -> 222222222222 in /runs/one"]),
    "uncommitted": (
        git("1" * 40), git("1" * 40, diff={"sha256": B, "size": 3}),
        [f"changes that were not committed in /runs/one: none -> sha256:{B[:12]}"],
    ),
    "script": (
        observed(launch(), code=[{"path": "/runs/one/a.py", "sha256": A}]),
        observed(launch(), code=[{"path": "/runs/one/a.py", "sha256": B}]),
        [f"script a.py: sha256:{A[:12]} -> {B[:12]}"],
    ),
    "snakefile": (
        launch().fact("workflow", {"snakefile": {"path": "/runs/one/Snakefile", "sha256": A}}),
        launch().fact("workflow", {"snakefile": {"path": "/runs/one/Snakefile", "sha256": B}}),
        [f"script Snakefile: sha256:{A[:12]} -> {B[:12]}"],
    ),
    "library": (
        software(libraries=[{"path": "/l/libm.so.6", "build_id": "aa"}]),
        software(libraries=[{"path": "/k/libm.so.6", "build_id": "bb"}]), ["library libm.so: build id aa -> bb"],
    ),
    "library in another place": (
        software(libraries=[{"path": "/l/libm.so.6", "build_id": "aa"}]),
        software(libraries=[{"path": "/k/libm.so.6", "build_id": "aa"}]), [],
    ),
    "package": (
        python(("numpy", "1.26"), ("zarr", "3")), python(("numpy", "2.0"), ("zarr", "3")),
        ["Python package numpy 1.26 -> 2.0"],
    ),
    "python": (python(), python(version="3.12"), ["Python 3.11 -> 3.12"]),
    "program": (
        observed(launch(), {"path": "/runs/one/model", "sha256": A}),
        observed(launch(), {"path": "/runs/one/model", "sha256": B}),
        [f"program model: sha256:{A[:12]} -> {B[:12]}"],
    ),
    "processor": (
        launch().fact("host", {"cpu": {"model": "Xeon"}}), launch().fact("host", {"cpu": {"model": "EPYC"}}),
        ["processor Xeon -> EPYC"],
    ),
    "ranks": (launch(size=2), launch(size=4), ["ranks 2 -> 4"]),
    "input": (
        launch().add("artifact", 2, node="n1", **artifact("/runs/one/f.nc")),
        launch().add("artifact", 2, node="n1", **artifact("/runs/one/f.nc", B)), ["input f.nc changed"],
    ),
    "input of one only": (
        launch().add("artifact", 2, node="n1", **artifact("/runs/one/f.nc")), launch(),
        ["input f.nc was read in the first only"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_thing_that_differs_is_one_line(name: str) -> None:
    one, other, expected = CASES[name]
    assert texts(one, other) == expected


def test_words_that_name_the_same_data_under_other_names_are_no_cause() -> None:
    def run(number: int, digest: str) -> Launch:
        made = launch(argv=["./model", f"in{number}.nc", f"--out=out{number}.nc"])
        made.add("artifact", 2, node="n1", **artifact(f"/runs/one/in{number}.nc", digest))
        return made.add("artifact", 3, node="n1", **artifact(f"/runs/one/out{number}.nc", A, "generated"))

    assert texts(run(1, A), run(2, A)) == []
    assert texts(run(1, A), run(2, B)) == ["input in1.nc / in2.nc changed"]


def test_what_a_build_tool_started_is_looked_at_too() -> None:
    def run(flag: str, temporary: str) -> Launch:
        cc = {"path": "/usr/bin/cc", "argv": ["cc", flag, "-o", "solver", "a.c"], "parent": 1}
        inner = {"path": "/usr/lib/cc1", "argv": ["cc1", "a.c", flag, "-o", f"/tmp/{temporary}.s"], "parent": 2}
        return observed(launch(argv=["make"]), {"path": "/usr/bin/make", "argv": ["make"]}, cc, inner)

    assert texts(run("-O2", "ccAbCdEf"), run("-O2", "ccXyZaBc")) == []
    assert texts(run("-O2", "ccAbCdEf"), run("-O3", "ccXyZaBc")) == [
        "compiler flag -O2 -> -O3 in argument 1 of cc, which it started"
    ]


def test_a_commit_that_touched_nothing_that_was_read_is_no_cause() -> None:
    def run(commit: str, digest: str, *, complete: bool = True) -> Launch:
        made = observed(git(commit), complete=complete, code=[{"path": "/runs/one/a.py", "sha256": digest}])
        return made

    assert texts(run("1" * 40, A), run("2" * 40, A)) == []
    assert texts(run("1" * 40, A, complete=False), run("2" * 40, A)) != []
    assert [text.split()[0] for text in texts(run("1" * 40, A), run("2" * 40, B))] == ["commit", "script"]


def test_packages_that_nobody_read_are_no_cause() -> None:
    def run(version: str) -> Launch:
        made = python(("numpy", version), ("unread", version))
        read = [
            {
                "prefix": "/v/lib/site-packages",
                "name": "numpy",
                "version": version,
                "files": 3,
                "kind": "python package",
            }
        ]
        return observed(made, software=read)

    assert texts(run("1"), run("2")) == ["Python package numpy 1 -> 2"]


def test_the_way_up_ends_at_the_first_cause() -> None:
    builds = {flag: record(launch(argv=["cc", flag, "-o", "model"]), f"build{flag}") for flag in ("-O2", "-O3")}
    left, right = (record(observed(launch(), {"path": "/runs/one/model", "sha256": digest})) for digest in (A, B))
    (cause,) = causes(left, right)
    makers = {id(left): "build-O2", id(right): "build-O3"}
    upstream = Upstream(
        lambda artifact, used_by: makers.get(id(used_by)), lambda run: builds[run.removeprefix("build")]
    )
    found = upstream.explain(cause, left, right)
    assert found and found["text"] == "model was compiled with -O3 instead of -O2 (run build-O3)"
    assert found["runs"] == ["build-O2", "build-O3"]


def test_a_way_of_many_runs_is_told_from_its_first_cause() -> None:
    """a.nc -> x0.nc -> x1.nc -> ... -> x11.nc: as deep as the way is, one line names what was changed first."""

    def run(k: int, digest: str) -> dict[str, Any]:
        path = f"/runs/one/x{k}.nc" if k >= 0 else "/runs/one/a.nc"
        return record(launch().add("artifact", 2, node="n1", **artifact(path, digest)), f"{digest[:2]}-{k}")

    known = {made["run"]["id"]: made for k in range(-1, 12) for made in (run(k, A), run(k, B))}

    def maker(read: dict[str, Any], used_by: dict[str, Any]) -> str | None:
        side, _, k = used_by["run"]["id"].partition("-")
        return f"{side}-{int(k) - 1}" if int(k) >= 0 else None

    ends = [name for name in known if name.endswith("-11")]
    (cause,) = causes(*(known[name] for name in ends))
    found = Upstream(maker, known.__getitem__).explain(cause, *(known[name] for name in ends))
    assert found and found["text"].startswith("input a.nc changed, of which x0.nc was made (run ")
    assert found["origin"]["name"] == "a.nc" and len(found["origin"]["runs"]) == 2
    assert found["through"] == [f"x{k}.nc" for k in range(11)]


def test_a_cycle_of_makers_ends() -> None:
    def run(name: str, digest: str) -> dict[str, Any]:
        return record(launch().add("artifact", 2, node="n1", **artifact("/runs/one/x.nc", digest)), name)

    known = {"r1": run("r1", A), "r2": run("r2", B)}
    upstream = Upstream(lambda artifact, used_by: str(used_by["run"]["id"]), known.__getitem__, depth=50)
    (cause,) = causes(known["r1"], known["r2"])
    found = upstream.explain(cause, known["r1"], known["r2"])
    assert found and found["causes"][0]["because"] is None


@pytest.mark.parametrize("number", [0, 1, 5_000])
def test_any_number_of_words_is_compared_in_time(number: int) -> None:
    one, other = [f"a{k}" for k in range(number)], [f"b{k}" for k in range(number)]
    found = words.changes(["x", *one], ["x", *other])
    assert len(found) == min(number, 1)


def test_records_that_say_nothing_or_anything_are_compared() -> None:
    """Facts are values of any shape."""
    plain = record(launch())
    values: list[Any] = [None, [], {}, 7, "x", {"loaded": [7, {}]}, {"containers": "x"}, {"cpu": [], "devices": [1]}]
    values += [{"python": [{"packages": [1, ["a"]]}]}, {"directory": {"git": {"commit": 7}}}]
    for value in [*values, {"executables": [{"path": 1}]}]:
        odd = copy.deepcopy(plain)
        for node in odd["nodes"]:
            for kind in ("modules", "container", "image", "software", "code", "host", "gpu"):
                odd["facts"][kind], node["facts"][kind] = {"kind": kind, "value": value}, kind
        for one, other in ((plain, odd), (odd, plain), (odd, odd)):
            assert all(isinstance(cause["text"], str) for cause in causes(one, other))
    bare = copy.deepcopy(plain)
    bare["run"] |= {"argv": None, "cwd": None, "start": None}
    assert [cause["kind"] for cause in causes(plain, bare)] == ["argument"]


def test_pairs_by_path_then_by_place_then_by_name() -> None:
    def run(cwd: str, names: list[str]) -> dict[str, Any]:
        made = launch(cwd=cwd, argv=["./model", *names[:1]])
        for name in names:
            made.add("artifact", 2, node="n1", **artifact(f"{cwd}/{name}"))
        return record(made)

    found = data.pairs(run("/x", ["a.nc", "g/grid.nc", "same.nc"]), run("/y", ["b.nc", "h/grid.nc", "same.nc"]), "used")
    assert [name for name, _, _ in found] == ["a.nc / b.nc", "g/grid.nc / h/grid.nc", "same.nc"]
