"""The public output models. Each parses the `structuredContent` of one tool.

from llx_mcp.outputs import JobOutput

job = JobOutput.model_validate(result.structured_content)
"""

from llx_mcp.answers.citation_outputs import CitationOutput, PageImage
from llx_mcp.answers.creation_outputs import (
    CancelOutput,
    CostEstimate,
    CreateOutput,
    DeleteOutput,
    DocumentFacts,
    JobSettings,
    SuggestOutput,
)
from llx_mcp.answers.output_base import Output
from llx_mcp.answers.outputs import (
    Call,
    Counts,
    Facts,
    JobListFacts,
    JobListOutput,
    JobOutput,
    NextStep,
    Omission,
    QueryOutput,
    ReviewCounts,
    ReviewOutput,
    Sections,
    Table,
    WaitCounts,
    WaitOutput,
)
from llx_mcp.answers.read_outputs import Citation, Entry, Place, ReadOutput, Value
from llx_mcp.answers.search_outputs import JobSearch, SearchCounts, SearchOutput
from llx_mcp.answers.source_outputs import SourceTextOutput

__all__ = [
    "Call",
    "CancelOutput",
    "Citation",
    "CitationOutput",
    "CostEstimate",
    "Counts",
    "CreateOutput",
    "DeleteOutput",
    "DocumentFacts",
    "Entry",
    "Facts",
    "JobListFacts",
    "JobListOutput",
    "JobOutput",
    "JobSearch",
    "JobSettings",
    "NextStep",
    "Omission",
    "Output",
    "PageImage",
    "Place",
    "QueryOutput",
    "ReadOutput",
    "ReviewCounts",
    "ReviewOutput",
    "SearchCounts",
    "SearchOutput",
    "Sections",
    "SourceTextOutput",
    "SuggestOutput",
    "Table",
    "Value",
    "WaitCounts",
    "WaitOutput",
]
