"""What libraries must not log."""

import logging

# They log whole answers at the level DEBUG, with the text of documents.
_LOGS_ANSWERS = ("sse_starlette",)


def hide_documents() -> None:
    """Keep libraries from logging answers, whatever the level of the log is."""
    for name in _LOGS_ANSWERS:
        logging.getLogger(name).setLevel(logging.INFO)
