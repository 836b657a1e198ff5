"""Options of jobs are compared as the service takes them."""

from typing import Any

import pytest

from llx_mcp.jobs.configurations import has_options, override_options, select_options

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
WANTED = {"data_schema": SCHEMA, "cite_sources": True, "confidence_scores": True}
# What the service reports of a job that was created with these.
REPORTED = {
    **WANTED, "tier": "cost_effective", "version": "2.5", "extraction_target": "per_doc",
    "parse_tier": "cost_effective",
    "advanced_citations": True, "max_pages": None, "target_pages": None, "system_prompt": None, "new_option": 1,
    "disable_cache": False, "spreadsheet_mode": False, "sheet_names": None, "parse_config_id": None,
}  # fmt: skip


def test_defaults_and_what_the_service_chose_make_no_difference() -> None:
    assert has_options(REPORTED, WANTED)
    assert has_options(WANTED, WANTED)


@pytest.mark.parametrize(
    "change",
    [{"tier": "agentic"}, {"data_schema": {}}, {"extraction_target": "per_page"}, {"target_pages": "1"},
     {"max_pages": 2}, {"system_prompt": "x"}, {"cite_sources": False}, {"confidence_scores": None},
     {"spreadsheet_mode": True}, {"sheet_names": ["a"]}, {"parse_config_id": "cfg-1"}, {"disable_cache": True}],
)  # fmt: skip
def test_every_option_makes_a_difference(change: dict[str, Any]) -> None:
    assert not has_options({**REPORTED, **change}, WANTED)


@pytest.mark.parametrize("wanted", [{"version": "2.4"}, {"advanced_citations": False}, {"parse_tier": "fast"}])
def test_what_was_asked_for_is_compared(wanted: dict[str, Any]) -> None:
    assert not has_options(REPORTED, {**WANTED, **wanted})


def test_options_of_a_job_can_be_used_again() -> None:
    assert select_options({**REPORTED, "lang": "en"}) == {
        name: value for name, value in REPORTED.items() if value is not None and name != "new_option"
    }
    assert select_options({"extract_version": "1.2"}) == {"version": "1.2"}


def test_another_tier_drops_the_parse_tier_of_the_first() -> None:
    options = {"tier": "agentic", "parse_tier": "agentic"}
    assert override_options(options, {"tier": "cost_effective"}) == {"tier": "cost_effective"}
    assert override_options(options, {"tier": "agentic", "max_pages": None}) == options
    assert override_options({"parse_tier": "fast"}, {"tier": "turbo"}) == {"tier": "turbo"}


@pytest.mark.parametrize(
    ("actual", "wanted", "is_same"),
    [("1-1", "1", True), ("2, 1", "1-2", True), ("1-2", "1", False), ("odd", "1", False)],
)
def test_pages_of_a_job_of_another_client_are_compared_by_what_they_mean(
    actual: str, wanted: str, is_same: bool
) -> None:
    assert has_options({"target_pages": actual}, {"target_pages": wanted}) is is_same


@pytest.mark.parametrize(
    ("actual", "enough_pages", "is_same"),
    [(None, None, True), (5, 5, True), (9, 5, True), (4, 5, False), (9, None, False)],
)
def test_limit_of_pages_that_takes_nothing_away_makes_no_difference(
    actual: int | None, enough_pages: int | None, is_same: bool
) -> None:
    assert has_options({"max_pages": actual}, {}, enough_pages) is is_same
