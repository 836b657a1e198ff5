"""Generated jobs for property tests: any result, with metadata that fits it more or less."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from tests.result.strategies import NAMES, SCALARS, VALUES

NOW = datetime(2026, 1, 1, tzinfo=UTC)

RESULTS = st.one_of(st.none(), st.dictionaries(NAMES, VALUES, max_size=10), st.lists(st.dictionaries(NAMES, VALUES)))
CITATIONS = st.lists(
    st.fixed_dictionaries({}, optional={"page": st.sampled_from([1, 2.0, None, "x"]), "matching_text": SCALARS}),
    max_size=3,
)


@st.composite
def metadata_for(draw: st.DrawFn, value: Any) -> Any:
    """Field metadata as the service sends it: sparse, sometimes short, null or of the wrong kind."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([None, {}, [], "text", 3]))
    if isinstance(value, dict):
        return {name: draw(metadata_for(child)) for name, child in value.items()}
    if isinstance(value, list):
        return [draw(metadata_for(child)) for child in value[: draw(st.integers(0, 3))]]
    confidence = st.one_of(st.none(), st.floats(0, 1), st.just(float(10**300)))
    return draw(st.fixed_dictionaries({}, optional={"confidence": confidence, "citation": CITATIONS}))


@st.composite
def jobs(draw: st.DrawFn) -> dict[str, Any]:
    """Jobs of every status, with or without each section."""
    result = draw(RESULTS)
    tree = draw(metadata_for(result))
    level = draw(st.sampled_from(["document_metadata", "row_metadata", None]))
    fields: Any = {level: tree} if level else tree
    text = st.one_of(st.none(), st.text(max_size=3000))
    if draw(st.booleans()) and isinstance(fields, dict):
        fields["error"] = draw(text)
    return {
        "id": draw(st.one_of(st.just("ext-0123456789abcdefghijklmnopqr"), st.text(min_size=1, max_size=300))),
        "status": draw(st.sampled_from(["COMPLETED", "COMPLETED", "FAILED", "CANCELLED", "RUNNING", "PARTIAL_X"])),
        "file_input": draw(text),
        "error_message": draw(text),
        "created_at": draw(st.sampled_from(["2025-12-31T23:00:00Z", None, "yesterday"])),
        "updated_at": draw(st.sampled_from(["2025-12-31T23:05:00.123456Z", "2020-01-01T00:00:00"])),
        "configuration": draw(st.sampled_from([None, {"tier": "agentic", "data_schema": {"a": "b" * 900}}])),
        "usage": draw(st.sampled_from([None, {"credits": 12.5}])),
        "metadata": draw(st.sampled_from([None, {"usage": {"num_pages_extracted": 3}, "note": "x" * 2000}])),
        "extract_metadata": draw(st.sampled_from([{"field_metadata": fields}, None])),
        "extract_result": result,
    }  # fmt: skip
