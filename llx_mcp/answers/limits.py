"""The limits of calls and answers. It imports nothing, so that the command line can show its help at once."""

from typing import Literal

Section = Literal["job", "configuration", "extract_metadata", "usage", "metadata"]

# The budget of an answer, in characters.
MIN_CHARS = 1_000
MAX_CHARS = 400_000
DEFAULT_CHARS = 4_000

# Pictures of pages: the most pages in one answer, their width in pixels, and the most values in a report.
MAX_PICTURES = 4
MIN_WIDTH, DEFAULT_WIDTH, MAX_WIDTH = 200, 1_000, 2_000
MAX_REPORT_PICTURES = 20
# The cut-off for review that LlamaExtract documents.
REVIEW_THRESHOLD = 0.8

# Processor time for the checks of citations in one answer; what they do not reach is said not to be checked.
CHECK_SECONDS = 2.0
