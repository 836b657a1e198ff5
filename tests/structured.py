"""The omissions and next steps of an answer's structured form, as text."""

from collections.abc import Mapping
from typing import Any

from llx_mcp.answers.markdown import format_next_step, format_omission
from llx_mcp.answers.row_lines import is_cell
from llx_mcp.outputs import NextStep, Omission


def result_of(structured: Mapping[str, Any]) -> Any:
    """Return the whole result that an answer shows, without pages and confidences."""
    if "cited_result" in structured:
        return unpack(uncite(structured["cited_result"]))
    return unpack(structured["result_as_tables"]) if "result_as_tables" in structured else structured["result"]


def uncite(value: Any) -> Any:
    """Return a cited result with each cell replaced by its value."""
    if is_cell(value):
        return value[0]
    if isinstance(value, dict):
        return {name: uncite(child) for name, child in value.items()}
    return [uncite(item) for item in value] if isinstance(value, list) else value


def unpack(value: Any) -> Any:
    """Replace each table of columns and rows by the list of objects that it stands for."""
    if isinstance(value, dict) and value.keys() == {"columns", "rows"}:
        return [{name: unpack(cell) for name, cell in zip(value["columns"], row, strict=True)} for row in value["rows"]]
    if isinstance(value, dict):
        return {name: unpack(child) for name, child in value.items()}
    return [unpack(item) for item in value] if isinstance(value, list) else value


def omissions(structured: Mapping[str, Any]) -> list[str]:
    """Return each omission as one line of text."""
    return [format_omission(Omission.model_validate(omission)) for omission in structured.get("omitted", [])]


def next_steps(structured: Mapping[str, Any]) -> str:
    """Return all next steps as one text; empty where there are none."""
    return " ".join(format_next_step(NextStep.model_validate(step)) for step in structured.get("next_steps", []))
