"""Pages: a template filled with values, in one file with its style, its scripts and a policy that allows nothing else.

    compose("run.html", title="flood", run=...)                       the shared look alone
    compose("graph.html", title="…", styles=["graph.css"], scripts=["graph.js"], data={"graph": {...}}, ...)

`data` stands in the page as <script type="application/json" id="data-graph">; JSON.parse(its textContent) reads it.
"""

from __future__ import annotations

from hpcprov.report import assets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

STYLE, SCRIPT = "style.css", "script.js"


def compose(
    template: str,
    *,
    title: str,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    data: Mapping[str, Any] | None = None,
    **values: Any,
) -> str:
    """A page: `template` extends base.html; `styles` and `scripts` name files beside it, which follow the shared ones.
    Raises MissingTemplates."""
    environment = assets.environment()
    css = [assets.read(name) for name in (STYLE, *styles)]
    code = [assets.read(name) for name in (SCRIPT, *scripts)]
    return environment.get_template(template).render(
        title=title,
        policy=assets.policy(css, code),
        styles=css,
        scripts=code,
        data={name: assets.as_data(value) for name, value in (data or {}).items()},
        version=_version(),
        **values,
    )


def _version() -> str:
    from hpcprov import __version__

    return __version__
