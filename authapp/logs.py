"""Log lines: for people on a terminal, one JSON object a line for everything else.

structlog takes as long to import as a short command takes to run, and most commands log nothing: it is loaded
with the first line.
"""

import logging
import sys
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from structlog.typing import Processor

Style = Literal["console", "json"] | None


class _Log:
    """structlog's logger, loaded and set up when somebody logs."""

    def __init__(self) -> None:
        self.wanted: tuple[str, Style] | None = None

    def __getattr__(self, name: str) -> Any:
        import structlog  # noqa: PLC0415 - see above

        if self.wanted is not None:
            _set_up(*self.wanted)
            self.wanted = None
        return getattr(structlog.get_logger(), name)


log = _Log()


def configure(level: str, style: Style) -> None:
    """Say how to log to standard error; without a style, console on a terminal and JSON elsewhere."""
    log.wanted = level, style
    if "structlog" in sys.modules:
        _set_up(level, style)
        log.wanted = None


def _set_up(level: str, style: Style) -> None:
    import structlog  # noqa: PLC0415 - see above

    console = style == "console" if style else sys.stderr.isatty()
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            repr_native_str=True,  # a client's control characters must not reach a terminal
            exception_formatter=structlog.dev.plain_traceback,
        )
        if console
        else structlog.processors.JSONRenderer()
    )
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not console:
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # One write a line, so that lines of several processes never stand on one.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    logging.basicConfig(
        level=max(logging.WARNING, logging.getLevelName(level.upper())), stream=sys.stderr, force=True
    )
