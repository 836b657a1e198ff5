"""A job's sections, decoded when they are asked for and kept for the next question."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec

from llx_mcp.raw_json import decode_json, is_null
from llx_mcp.result.document import Document, read_document

Sections = Mapping[str, msgspec.Raw]


class JobSections:
    """What a job extracted. Every property raises ValueError where its section is not JSON that can be read."""

    def __init__(self, sections: Sections) -> None:
        self._sections = sections

    def raw(self, name: str) -> msgspec.Raw | None:
        """A section undecoded, or None where it is absent or null."""
        value = self._sections.get(name)
        return None if value is None or is_null(value) else value

    def section(self, name: str) -> Any:
        """A section decoded."""
        raw = self.raw(name)
        return None if raw is None else decode_json(raw)

    @cached_property
    def result(self) -> Any:
        """The result."""
        return self.section("extract_result")

    @property
    def has_result(self) -> bool:
        """Whether the result holds anything at all."""
        return self.result not in (None, {}, [])

    @cached_property
    def document(self) -> Document:
        """The result with its provenance."""
        return read_document(self.result, self.raw("extract_metadata"))

    @cached_property
    def bare_document(self) -> Document:
        """The result by itself."""
        return read_document(self.result, None)
