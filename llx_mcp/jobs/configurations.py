"""The options of a job: built from what was asked for, and compared with those of other jobs."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llx_mcp.errors import ArgumentError
from llx_mcp.jobs.page_estimate import DEFAULT_TIER, normalize_target_pages

if TYPE_CHECKING:
    from llx_mcp.models import Job

# The options that a new job takes, with the defaults of the service.
_DEFAULTS: Mapping[str, Any] = {
    "data_schema": None,
    "tier": DEFAULT_TIER,
    "version": "latest",
    "extraction_target": "per_doc",
    "target_pages": None,
    "max_pages": None,
    "system_prompt": None,
    "cite_sources": False,
    "confidence_scores": False,
    "advanced_citations": None,
    "disable_cache": False,
    "spreadsheet_mode": False,
    "sheet_names": None,
    "parse_tier": None,
    "parse_config_id": None,
}
# The service reports what it chose for these where the request left them open.
_CHOSEN_BY_SERVICE = ("version", "advanced_citations", "parse_tier")
_TURBO = "turbo"


def select_options(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a configuration that a new job takes, without those that are not set."""
    given = dict(configuration)
    # The older format has another name for it.
    given.setdefault("version", given.get("extract_version"))
    return {name: given[name] for name in _DEFAULTS if given.get(name) is not None}


def override_options(options: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with others in their place; those that are None replace nothing."""
    given = {name: value for name, value in overrides.items() if value is not None}
    merged = {**options, **given}
    # A parse tier that was chosen for another tier would change what a page costs, and turbo takes none.
    if merged.get("tier") == _TURBO or given.get("tier", options.get("tier")) != options.get("tier"):
        merged.pop("parse_tier", None)
    return merged


def read_configuration(job: "Job") -> Mapping[str, Any]:
    """Return the configuration of a job, decoded; empty where it has none."""
    from llx_mcp.raw_json import decode_json

    raw = job.raw("configuration")
    decoded = None if raw is None else decode_json(raw)
    return decoded if isinstance(decoded, dict) else {}


def has_options(configuration: Mapping[str, Any], wanted: Mapping[str, Any], enough_pages: int | None = None) -> bool:
    """Return whether a job with this configuration does what a job with the wanted options would do.

    Args:
        configuration: the configuration of the job.
        wanted: the wanted options.
        enough_pages: the largest number of pages that is wanted of a document; None where there is no such number.
    """
    actual = configuration.get("max_pages")
    if wanted.get("max_pages") is None and isinstance(actual, int) and enough_pages is not None:
        # The limit of the job takes nothing away.
        configuration = {**configuration, "max_pages": None if actual >= enough_pages else actual}
    return all(_is_same(name, configuration.get(name), wanted.get(name, _DEFAULTS[name])) for name in _DEFAULTS)


def _is_same(name: str, actual: object, wanted: object) -> bool:
    default = _DEFAULTS[name]
    if name == "target_pages":
        return _normalize_pages(actual) == _normalize_pages(wanted)
    if wanted == default and name in _CHOSEN_BY_SERVICE:
        return True
    return (default if actual is None else actual) == wanted


def _normalize_pages(text: object) -> object:
    try:
        return normalize_target_pages(text or None)
    except ArgumentError:
        return text


def build_fingerprint(options: Mapping[str, Any]) -> str:
    """Return a text that is the same for the same options."""
    return json.dumps(options, sort_keys=True, ensure_ascii=False)
