"""The sections of a job, decoded on first use and cached."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec

from llx_mcp.raw_json import decode_json, decode_or_none, is_null
from llx_mcp.result.document import Document, read_document
from llx_mcp.result.metadata import decode_besides_fields
from llx_mcp.result.metadata_entry import MetadataEntries

Sections = Mapping[str, msgspec.Raw]


class JobSections:
    """The sections of one job. Except for `configuration`, properties raise ValueError for what is no JSON."""

    def __init__(self, sections: Sections) -> None:
        self._sections = sections

    def raw(self, name: str) -> msgspec.Raw | None:
        """Return an undecoded section, or None where it is absent or null."""
        value = self._sections.get(name)
        return None if value is None or is_null(value) else value

    def section(self, name: str) -> Any:
        """Return a decoded section, or None where it is absent or null."""
        raw = self.raw(name)
        return None if raw is None else decode_json(raw)

    @property
    def names(self) -> list[str]:
        """The names of the sections that are neither absent nor null."""
        return [name for name in self._sections if self.raw(name) is not None]

    def metadata_besides_fields(self) -> dict[str, Any]:
        """Return what the metadata of the extraction holds besides that of the values: ids, tiers, unused trees."""
        raw = self.raw("extract_metadata")
        return {} if raw is None else decode_besides_fields(self.result, raw)

    @cached_property
    def entries(self) -> MetadataEntries:
        """The metadata entries of single values."""
        return MetadataEntries(self.result, self.raw("extract_metadata"))

    @cached_property
    def result(self) -> Any:
        """The decoded result."""
        return self.section("extract_result")

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """The decoded configuration; empty where it is absent or no JSON object: the result is readable without it."""
        value = decode_or_none(self.raw("configuration"))
        return value if isinstance(value, dict) else {}

    @property
    def has_result(self) -> bool:
        """Whether the result is neither absent nor empty."""
        return self.result not in (None, {}, [])

    @cached_property
    def document(self) -> Document:
        """The result with its provenance."""
        return read_document(self.result, self.raw("extract_metadata"))

    @cached_property
    def bare_document(self) -> Document:
        """The result without provenance, which saves decoding the metadata."""
        return read_document(self.result, None)
