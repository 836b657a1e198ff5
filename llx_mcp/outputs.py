"""The public output models. Each parses the `structuredContent` of one tool.

from llx_mcp.outputs import JobOutput

job = JobOutput.model_validate(result.structured_content)
"""

from llx_mcp.answers.output_base import Output
from llx_mcp.answers.outputs import (
    Call,
    Citation,
    Counts,
    Facts,
    JobListFacts,
    JobListOutput,
    JobOutput,
    JobSearch,
    NextStep,
    Omission,
    QueryOutput,
    ReadOutput,
    ReviewCounts,
    ReviewOutput,
    SearchCounts,
    SearchOutput,
    Sections,
    Table,
    Value,
    WaitCounts,
    WaitOutput,
)

__all__ = [
    "Call",
    "Citation",
    "Counts",
    "Facts",
    "JobListFacts",
    "JobListOutput",
    "JobOutput",
    "JobSearch",
    "NextStep",
    "Omission",
    "Output",
    "QueryOutput",
    "ReadOutput",
    "ReviewCounts",
    "ReviewOutput",
    "SearchCounts",
    "SearchOutput",
    "Sections",
    "Table",
    "Value",
    "WaitCounts",
    "WaitOutput",
]
