"""What the arguments of a call may be. It imports nothing, so that the command line can show its help at once."""

from typing import Literal

Section = Literal["job", "configuration", "extract_metadata", "usage", "metadata"]

# The budget of an answer, in characters.
MIN_CHARS = 1_000
MAX_CHARS = 400_000
DEFAULT_CHARS = 4_000
