"""The templates beside this module, the style and the script of a page, and what the page may do with them.

A page is one file: its style and scripts stand in it, and its Content-Security-Policy names each by its SHA-256, so
that nothing else in it can act, whatever a record holds. Every value passes `shown` on its way into a page, then
jinja2's own escaping.

    policy(["body{color:red}"], [])  ->  "default-src 'none'; style-src 'sha256-…'; img-src data:; …"
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os

from hpcprov.record import ranges, wording
from hpcprov.record.errors import HpcprovError
from hpcprov.record.text import printable
from hpcprov.report.told import bytes_of, took

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from jinja2 import Environment

TEMPLATES = os.path.join(os.path.dirname(__file__), "templates")
#: Of one value that a page shows, in characters: a record may hold megabytes in a name.
LONGEST = 10_000


class MissingTemplates(HpcprovError):
    """The library that fills templates is not installed."""


@functools.cache
def environment() -> Environment:
    """The templates, with escaping on. Raises MissingTemplates when jinja2 is not installed."""
    try:
        import jinja2
    except ImportError as error:
        hint = "pip install 'hpcprov[report]'; text and Markdown need nothing"
        raise MissingTemplates("a page needs jinja2, which is not installed", hint=hint) from error
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= FILTERS
    return made


def shown(value: Any) -> Any:
    """A value as it stands in a page: of text what can be seen, the rest as escapes, and of very long text the
    beginning. What jinja2 has made (and so escaped) itself stays as it is."""
    if value is None:
        return ""
    if hasattr(value, "__html__"):
        return value
    return cut(str(value), LONGEST)


def cut(text: str, most: int) -> str:
    """Untrusted text, visible, of at most `most` characters and a word on the rest."""
    if len(text) <= most:
        return printable(text)
    return f"{printable(text[:most])}… ({len(text) - most:,} more characters)"


def read(name: str) -> str:
    """The text of a file among the templates: a style or a script, which go into a page as they are."""
    with open(os.path.join(TEMPLATES, name), encoding="utf-8") as file:
        return file.read()


def policy(styles: Iterable[str], scripts: Iterable[str]) -> str:
    """The Content-Security-Policy of a page with these texts in its <style> and <script> elements."""
    named = {"style-src": styles, "script-src": scripts}
    rules = [f"{rule} {' '.join(map(source, texts)) or chr(39) + 'none' + chr(39)}" for rule, texts in named.items()]
    return "; ".join(["default-src 'none'", *rules, "img-src data:", "base-uri 'none'", "form-action 'none'"])


def source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def as_data(value: Any) -> str:
    """JSON that can stand in a <script type="application/json">: nothing in it ends the element or a line."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def utc(text: str | None) -> str:
    """A record's moment to the second, in UTC: whoever reads a page may be in another time zone."""
    return f"{text[:10]} {text[11:19]} UTC" if text else "unknown"


def short(digest: Any) -> str:
    """`hpcprov1:` or `blake3:` and the first 12 hexadecimal digits."""
    kind, colon, digits = str(digest).partition(":")
    return f"{kind}:{digits[:12]}" if colon else kind[:12]


FILTERS: dict[str, Any] = {
    "utc": utc,
    "short": short,
    "cut": cut,
    "duration": took,
    "size": bytes_of,
    "count": wording.count,
    "words": wording.words,
    "ranks": ranges.text,
}
