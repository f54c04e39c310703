"""Snakemake logger plugin: `snakemake --logger hpcprov` records the workflow, with the runs of its rules as parts.

Snakemake finds it by its name, and loads it at every start: nothing else is imported until a workflow is to be run.
What it does is in `hpcprov.adapters.snakemake`. Manual: docs/snakemake.md.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.adapters.snakemake import Observer

OFF = ("off", "0", "no", "false")
LOGGER = "snakemake.logging"


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """There is nothing to set."""


class LogHandler(LogHandlerBase):
    """Hangs an observer on Snakemake's logger; of the queue's records it makes no use."""

    observer: Observer | None = None

    def __post_init__(self) -> None:
        if self.common_settings.dryrun or os.environ.get("HPCPROV", "").lower() in OFF:
            return
        try:
            from hpcprov.adapters.snakemake import Observer

            self.observer = Observer()
            logging.getLogger(LOGGER).addFilter(self.observer)
        # Whatever is wrong with hpcprov: the workflow runs.
        except Exception as error:
            print(f"hpcprov: the workflow is not recorded: {type(error).__name__}: {error}", file=sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """Nothing: the observer has seen it."""

    def close(self) -> None:
        """The end of Snakemake's logging is the end of the workflow."""
        observer, self.observer = self.observer, None
        if observer is not None:
            logging.getLogger(LOGGER).removeFilter(observer)
            observer.close()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        return False

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        return True

    @property
    def has_formatter(self) -> bool:
        return True

    @property
    def needs_rulegraph(self) -> bool:
        return False
