"""OpenLineage events sent to a receiver over HTTP, by OpenLineage's own client: retries, a time limit, a token.

    post(events, "https://lineage.example.org", environ=os.environ)    ->  2, the number that it took

An address without a path gets the usual `/api/v1/lineage`. OPENLINEAGE_API_KEY is sent as a bearer token.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from hpcprov.export.library import needed
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

TOKEN = "OPENLINEAGE_API_KEY"
ENDPOINT = "/api/v1/lineage"
#: Seconds for one request; how often one is sent anew after a broken connection or a status of RETRIED.
TIMEOUT = 10.0
TRIES = 4
RETRIED = (429, 500, 502, 503, 504)


def post(lines: str, url: str, *, environ: Mapping[str, str], timeout: float = TIMEOUT) -> int:
    """Send events, one JSON object a line, in their order; how many were sent. Stops at the first that is refused.

    Raises HpcprovError, which says how many had been taken."""
    requests, transport = _transport(url, environ, timeout)
    sent = 0
    try:
        for line in lines.splitlines():
            try:
                transport.emit(json.loads(line))
            except requests.RequestException as error:
                taken = f"{sent} of {len(lines.splitlines())} events had been taken"
                raise HpcprovError(f"{_shown(url)}: {_reason(error)}; {taken}", hint=_way_out(error)) from error
            sent += 1
    finally:
        transport.close()
    return sent


def _transport(url: str, environ: Mapping[str, str], timeout: float) -> tuple[Any, Any]:
    base, endpoint = _address(url)
    http = needed("openlineage.client.transport.http")
    retry = {"total": TRIES, "connect": TRIES, "read": TRIES, "backoff_factor": 0.3, "status_forcelist": RETRIED}
    settings: dict[str, Any] = {"url": base, "endpoint": endpoint, "timeout": timeout, "retry": retry}
    if token := environ.get(TOKEN):
        settings["auth"] = {"type": "api_key", "api_key": token}
    return needed("requests"), http.HttpTransport(http.HttpConfig.from_dict(settings))


def _address(url: str) -> tuple[str, str]:
    """Host and path. Raises HpcprovError for what is no address of a web server."""
    hint = "for example http://127.0.0.1:5000 or https://lineage.example.org/api/v1/lineage"
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("neither http:// nor https:// and a host")
    except ValueError as error:
        raise HpcprovError(f"{url!a} is not an address to send to: {error}", hint=hint) from error
    path = parts.path.rstrip("/") or ENDPOINT
    return f"{parts.scheme}://{parts.netloc}", path + (f"?{parts.query}" if parts.query else "")


def _shown(url: str) -> str:
    """An address without the password that may stand in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def _reason(error: Any) -> str:
    if error.response is not None:
        return f"the receiver answered {error.response.status_code} {error.response.reason or ''}".rstrip()
    kind = type(error).__name__
    return {"ConnectionError": "no connection", "ReadTimeout": "no answer in time", "RetryError": "it stays busy"}.get(
        kind, kind
    )


def _way_out(error: Any) -> str:
    status = error.response.status_code if error.response is not None else None
    if status in (401, 403):
        return f"{TOKEN} holds the token to send"
    return "events that were sent already may be sent again: a receiver knows them by their runId and eventType"
