"""The omissions and next steps of an answer's structured form, as text."""

from collections.abc import Mapping
from typing import Any

from llx_mcp.answers.markdown import format_next_step, format_omission
from llx_mcp.outputs import NextStep, Omission


def omissions(structured: Mapping[str, Any]) -> list[str]:
    """Return each omission as one line of text."""
    return [format_omission(Omission.model_validate(omission)) for omission in structured.get("omitted", [])]


def next_steps(structured: Mapping[str, Any]) -> str:
    """Return all next steps as one text; empty where there are none."""
    return " ".join(format_next_step(NextStep.model_validate(step)) for step in structured.get("next_steps", []))
