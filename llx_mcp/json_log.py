"""The log as JSON: one object a line, with the id of the request that a record belongs to."""

import json
import logging
from datetime import UTC, datetime

from llx_mcp.observation import get_request_id


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object. What it shows has been redacted by the filter of its handler."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object, on one line."""
        shown = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": get_request_id(),
            "exception": self._format_exception(record),
        }
        return json.dumps({name: value for name, value in shown.items() if value is not None}, ensure_ascii=False)

    def _format_exception(self, record: logging.LogRecord) -> str | None:
        if record.exc_text:
            return record.exc_text
        return self.formatException(record.exc_info) if record.exc_info else None
