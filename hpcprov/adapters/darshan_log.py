"""A Darshan log -> what it counted for each file, read by PyDarshan in a process of its own, since its C library may
crash on a damaged log. Printed as JSON by `python -m hpcprov.adapters.darshan_log LOG`; `darshan.read` calls that.

    {"job_id": 4478544, "uid": 69615, "start": 1490000867, "end": 1490000983, "processes": 2048, "version": "3.10",
     "command": "./vpicio out.h5", "partial": [], "unnamed": 0, "left_out": 0, "files": [{"path": "/scratch2/out.h5",
     "processes": null, "modules": {"POSIX": {"opens": 2048, "bytes_written": 34359738368, "write_s": 41.5}}}]}

`processes` of a file: how many opened it; null where Darshan reduced them to one record of all. Seconds are summed over
processes; `first_s` and `last_s` are counted from the start. Counters that are 0 are left out.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

MOST_FILES = 10000
MEMORY, SECONDS = 4 << 30, 120
# module -> the counters that are summed into one of ours
CALLS = {
    "POSIX": {"opens": ["OPENS"], "reads": ["READS"], "writes": ["WRITES"]},
    "MPI-IO": {
        "opens": ["INDEP_OPENS", "COLL_OPENS"],
        "reads": ["INDEP_READS", "COLL_READS", "SPLIT_READS", "NB_READS"],
        "writes": ["INDEP_WRITES", "COLL_WRITES", "SPLIT_WRITES", "NB_WRITES"],
    },
    "STDIO": {"opens": ["OPENS", "FDOPENS"], "reads": ["READS"], "writes": ["WRITES"]},
    "H5F": {"opens": ["OPENS"]},
    "H5D": {"opens": ["OPENS"], "reads": ["READS"], "writes": ["WRITES"]},
    "PNETCDF_FILE": {"opens": ["CREATES", "OPENS"]},
}
OF_ALL = {"bytes_read": ["BYTES_READ"], "bytes_written": ["BYTES_WRITTEN"]}
TIMES = {"read_s": ["F_READ_TIME"], "write_s": ["F_WRITE_TIME"], "meta_s": ["F_META_TIME"]}
FIRST = ("F_OPEN_START_TIMESTAMP", "F_READ_START_TIMESTAMP", "F_WRITE_START_TIMESTAMP")
LAST = ("F_CLOSE_END_TIMESTAMP", "F_READ_END_TIMESTAMP", "F_WRITE_END_TIMESTAMP")
NAMES = {"MPI-IO": "MPIIO"}


def read(path: str) -> dict[str, Any]:
    """What a log holds. Raises ImportError without PyDarshan, RuntimeError and others for what is no whole log."""
    from darshan.backend import cffi_backend as darshan

    log = darshan.log_open(path)
    try:
        modules = darshan.log_get_modules(log)
        job = darshan.log_get_job(log)
        names = {number: text(name) for number, name in darshan.log_get_name_records(log).items()}
        table = Files(names)
        for module in (name for name in CALLS if name in modules):
            while (record := darshan.log_get_record(log, module, dtype="dict")) is not None:
                table.add(module, record)
        command = text(darshan.log_get_exe(log))
    finally:
        darshan.log_close(log)
    return {
        "job_id": int(job["jobid"]),
        "uid": int(job["uid"]),
        "start": int(job.get("start_time_sec", job.get("start_time", 0))),
        "end": int(job.get("end_time_sec", job.get("end_time", 0))),
        "processes": int(job["nprocs"]),
        "command": command,
        "version": text(job.get("log_ver", "")),
        "partial": sorted(name for name, told in modules.items() if told.get("partial_flag")),
    } | table.told()


def text(value: Any) -> str:
    """A name as PyDarshan gives it, which is not always decoded."""
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else str(value)


class Files:
    """The counters of each file, summed over processes. `names`: paths by Darshan's record numbers."""

    def __init__(self, names: dict[int, str]) -> None:
        self.names = names
        self.by_path: dict[str, dict[str, Any]] = {}
        self.unnamed: set[int] = set()

    def add(self, module: str, record: dict[str, Any]) -> None:
        """Take in one record of a module: a file, or a data set in one, as one process or all of them used it."""
        number = int(record.get("file_rec_id") or record["id"])
        path = self.names.get(number)
        if path is None:
            self.unnamed.add(number)
            return
        entry = self.by_path.setdefault(path, {"ranks": set(), "modules": {}})
        entry["ranks"].add(int(record["rank"]))
        told = entry["modules"].setdefault(module, {})
        counters = {**record["counters"], **record["fcounters"]}
        prefix = NAMES.get(module, module) + "_"
        for name, parts in (CALLS[module] | OF_ALL | TIMES).items():
            # -1 stands for what was not counted.
            told[name] = told.get(name, 0) + sum(max(0, counters.get(prefix + part, 0)) for part in parts)
        keep_span(told, [counters.get(prefix + n, 0) for n in FIRST], [counters.get(prefix + n, 0) for n in LAST])

    def told(self) -> dict[str, Any]:
        """The files that moved most first, so that of too many those are kept; then in order of their paths."""
        most = sorted(self.by_path, key=lambda path: (-moved(self.by_path[path]), path))[:MOST_FILES]
        files = [{"path": path} | described(self.by_path[path]) for path in sorted(most)]
        return {"unnamed": len(self.unnamed), "left_out": len(self.by_path) - len(files), "files": files}


def keep_span(told: dict[str, Any], first: list[float], last: list[float]) -> None:
    """Widen the time in which a file was used; 0 stands for what never happened."""
    begun, ended = [at for at in first if at > 0], [at for at in last if at > 0]
    if begun:
        told["first_s"] = min([*begun, told.get("first_s", min(begun))])
    if ended:
        told["last_s"] = max([*ended, told.get("last_s", 0)])


def moved(entry: dict[str, Any]) -> int:
    return sum(int(told["bytes_read"] + told["bytes_written"]) for told in entry["modules"].values())


def described(entry: dict[str, Any]) -> dict[str, Any]:
    modules = {
        module: {name: rounded(name, value) for name, value in told.items() if value}
        for module, told in sorted(entry["modules"].items())
    }
    return {"processes": None if -1 in entry["ranks"] else len(entry["ranks"]), "modules": modules}


def rounded(name: str, value: Any) -> int | float:
    return round(float(value), 6) if name.endswith("_s") else int(value)


def main(path: str) -> None:
    """Print the log's content. Ends by an exception, by a limit or, where the C library crashes, by a signal."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    content = read(path)
    sys.stdout.write(json.dumps(content))


if __name__ == "__main__":
    main(sys.argv[1])
