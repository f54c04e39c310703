"""Reading images, in a child that `images` starts as `python -P -m hpcprov.agent.image_child --seconds 60 ... JSON`.

Images are untrusted: whatever one declares, the child stays in its memory, and ends with its parent.

For each image in the JSON text (a list of {"path", "tag", "state", "began"}) it prints one line: its index and what it
found.

    [0, {"format": "sif", "identity": {"digest": "sha256:5f70...", "of": "primary partition"}, "how": "full", ...}]
"""

from __future__ import annotations

import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from hpcprov.agent.image_cache import cached, is_newer, keep
from hpcprov.agent.images import NOT_SEEN, unknown
from hpcprov.capture.container.content import content
from hpcprov.capture.container.image import STATE, describe
from hpcprov.record.errors import HpcprovError
from hpcprov.signature.cpus import thread_count
from hpcprov.signature.deadline import TimeUp, check
from hpcprov.signature.snapshot import Snapshot, look
from hpcprov.signature.storage import storage_digest
from hpcprov.signature.worker import LEAST, PER_THREAD, end_with_parent, limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: A folder with more entries is not hashed: listing it on a shared file system costs every run more than it tells.
MOST_ENTRIES = 100_000
CHANGED = "changed while it was read"
CHANGED_SINCE = "it was changed or replaced after the run began"


def main(words: list[str]) -> int:
    options = dict(zip(words[:-1:2], words[1:-1:2], strict=True))
    deadline = time.monotonic() + float(options["--seconds"])
    end_with_parent(int(options["--parent"]))
    memory = LEAST + thread_count(None) * PER_THREAD
    limit({resource.RLIMIT_AS: memory, resource.RLIMIT_CORE: 0})
    for at, wanted in enumerate(json.loads(words[-1])):
        print(json.dumps([at, identified(wanted, options["--cache"], deadline)]), flush=True)
    return 0


def identified(wanted: dict[str, Any], cache_dir: str | None, deadline: float | None) -> dict[str, Any]:
    """Format, identity, storage digest and what else an image tells; a reason for what could not be had."""
    try:
        return looked_at(wanted, cache_dir, deadline)
    except TimeUp:
        return unknown("time")
    except HpcprovError as error:
        return unknown(error.message)
    except MemoryError:
        return unknown("not enough memory to read it")
    except (OSError, ValueError) as error:
        return unknown(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def looked_at(wanted: dict[str, Any], cache_dir: str | None, deadline: float | None) -> dict[str, Any]:
    """As `identified`. Raises OSError, HpcprovError."""
    began = time.time_ns()
    path, tag = wanted["path"], wanted.get("tag")
    now = describe(path)
    if not now["exists"]:
        return unknown(NOT_SEEN.format(now["reason"]))
    if differs(wanted.get("state"), now):
        return unknown(CHANGED_SINCE)
    before = look(path, most=MOST_ENTRIES)
    if is_newer(before, wanted.get("began", before.mtime), cache_dir):
        return unknown(CHANGED_SINCE)
    known = cached(cache_dir, before, tag)
    if known is not None:
        return known
    found = read(path, tag, before, deadline)
    if look(path, most=MOST_ENTRIES) != before:
        return unknown(CHANGED)
    keep(cache_dir, before, tag, found, began)
    return found | {"how": "full"}


def read(path: str, tag: str | None, seen: Snapshot, deadline: float | None) -> dict[str, Any]:
    """Everything that an image's bytes tell. Raises OSError, TimeUp."""
    # Side by side: what one of the two has fetched from storage, the other finds in memory.
    with ThreadPoolExecutor(1) as pool:
        digest = pool.submit(storage_digest, path, seen, threads=thread_count(None), deadline=deadline)
        told = contents(path, tag, deadline)
        storage = digest.result()
    # A squashfs image or a folder has no identity but all of its bytes.
    whole = {"digest": storage, "of": "directory tree" if seen.is_directory else "file"}
    return {"identity": whole, "storage": {"digest": storage}} | told


def contents(path: str, tag: str | None, deadline: float | None) -> dict[str, Any]:
    """What an image says of itself, or why that cannot be read. Raises OSError, TimeUp."""
    try:
        return content(path, tag, lambda _: check(deadline))
    except TimeUp:
        raise
    except HpcprovError as error:
        return unknown(error.message)


def differs(state: dict[str, Any] | None, now: dict[str, Any]) -> bool:
    """Whether an image is another one than when the run began; of a folder only its own inode counts here."""
    keys = STATE if now.get("type") == "file" else STATE[:1]
    return state is not None and any(now.get(name) != state.get(name) for name in keys)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
