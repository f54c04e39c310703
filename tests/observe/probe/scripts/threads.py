# ruff: noqa: SIM115 (open as people do)
from concurrent.futures import ThreadPoolExecutor


def copy(name: int) -> None:
    open(str(name), "w").write(open("in").read())


with ThreadPoolExecutor(8) as threads:
    list(threads.map(copy, range(40)))
