"""What runs are found by of the images that they used: names, digests, labels, identities.

images_of(Known(record))  ->  ("image", "/images/model.sif", "path"), ("label", "version", "1"), ...
"""

from __future__ import annotations

import json

from hpcprov.catalog.schema import stored
from hpcprov.record.inside import inner, objects, part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.catalog.facets import Facet, Known

MOST = 20_000  # images of one run: more is left out


def image_names(known: Known) -> Iterator[str]:
    """Names of images, the best known first."""
    for one in _image_entries(known):
        for name in (one.get("path"), one.get("image")):
            if type(name) is str and name not in ("", "unknown"):
                yield name


def _image_entries(known: Known) -> list[dict[str, Any]]:
    images = [one for fact in known.of("image") for one in objects(fact, "images")]
    containers = [one for fact in known.of("container") for one in objects(fact, "containers")]
    return (images + containers)[:MOST]


def images_of(known: Known) -> Iterator[Facet]:
    for one in _image_entries(known):
        for key in ("path", "image"):
            name = one.get(key)
            if type(name) is str and name not in ("", "unknown"):
                yield "image", stored(name), key
        for what, holder in (("identity", "identity"), ("bytes", "storage")):
            digest = inner(one, holder, "digest")
            if type(digest) is str:
                yield "image", stored(digest), what
        config = inner(one, "identity", "config")
        if type(config) is str:
            yield "image", stored(config), "configuration"
        for key, value in [*part(one, "labels").items()][:64]:
            if type(value) is str:
                yield "label", stored(key), stored(value)


def used_images(known: Known) -> dict[str, dict[str, Any]]:
    """The images that a run was seen to use, {"path", "identity"}, by the digests that identify them; where such is not
    known, by path, and without an identity."""
    found: dict[str, dict[str, Any]] = {}
    for one in [image for fact in known.of("image") for image in objects(fact, "images")][:MOST]:
        path, identity = str(one.get("path") or one.get("image")), part(one, "identity") or None
        name = path if identity is None else identity.get("digest")
        if type(name) is str:
            found.setdefault(name, {"path": path, "identity": identity})
    return found


def identities_of(known: Known) -> Iterator[Facet]:
    for name, image in used_images(known).items():
        try:
            yield "identity", stored(name), json.dumps(image)
        except RecursionError:
            continue  # nobody found that out: no identity is that deep
