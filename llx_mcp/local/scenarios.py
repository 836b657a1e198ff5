"""Scenarios: named timelines and outcomes of jobs, chosen at create, at import, or by the name of the file."""

import math
import re
from dataclasses import dataclass

from llx_mcp.local.lifecycle import Timeline
from llx_mcp.local.section_values import NULL, encode_value
from llx_mcp.models import Job
from llx_mcp.raw_json import join_json

SCENARIO_HEADER = "X-Llx-Scenario"
DEFAULT_SCENARIO = "normal"

_MAX_QUOTED_CHARS = 40

_IN_FILE_NAME = re.compile(r"--([a-z]+(?:-[a-z]+)*)(?:\.[^.]*)?$")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A timeline and an outcome of a job.

    Attributes:
        description: What a client sees, in one sentence.
        final_status: The status at the end; None leaves the recorded one.
        error_message: The reason of a failure, if the job gives one.
        has_null_result: Whether the job completes without a result.
    """

    name: str
    description: str
    timeline: Timeline
    final_status: str | None = None
    error_message: str | None = None
    has_null_result: bool = False


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("normal", "Pending for 1 s, running for 2 s, then the recorded outcome. The default.",
                 Timeline(1, 0, 2)),
        Scenario("instant", "Has ended at the first request.", Timeline()),
        Scenario("throttled", "Pending for 1 s, throttled for 5 s, running for 2 s.", Timeline(1, 5, 2)),
        Scenario("slow", "Pending for 5 s, running for 10 minutes.", Timeline(5, 0, 600)),
        Scenario("stuck", "Pending for 1 s, then running forever.", Timeline(1, 0, math.inf)),
        Scenario("queued", "Pending forever.", Timeline(math.inf)),
        Scenario("billed-late", "As normal; usage is null for another 60 s.", Timeline(1, 0, 2, 60)),
        Scenario(
            "failed", "Running for 2 s, then failed, with a reason.", Timeline(1, 0, 2), "FAILED",
            "The document could not be parsed: it is encrypted.",
        ),
        Scenario("failed-silent", "Running for 2 s, then failed, without a reason.", Timeline(1, 0, 2), "FAILED"),
        Scenario("cancelled", "Running for 2 s, then cancelled by someone else.", Timeline(1, 0, 2), "CANCELLED"),
        Scenario("empty", "Completed, with a null result.", Timeline(1, 0, 2), "COMPLETED", has_null_result=True),
    )
}  # fmt: skip


class UnknownScenarioError(ValueError):
    """No scenario has this name. The message lists the names and gives an example."""


def get_scenario(name: str) -> Scenario:
    """Return the scenario with a name.

    Raises:
        UnknownScenarioError: No scenario has this name.
    """
    try:
        return SCENARIOS[name]
    except KeyError:
        raise UnknownScenarioError(
            f"There is no scenario {name[:_MAX_QUOTED_CHARS]!r}. Use one of {', '.join(SCENARIOS)}. Example: slow"
        ) from None


def scenario_from_file_name(name: str) -> Scenario | None:
    """Return the scenario in the name of a file: `slow` for `invoice--slow.pdf`."""
    match = _IN_FILE_NAME.search(name)
    return SCENARIOS.get(match[1]) if match else None


def apply_scenario(body: bytes, scenario: Scenario) -> bytes:
    """Return a job with the outcome of a scenario. All other sections keep their exact bytes.

    Args:
        body: The JSON of one job.
        scenario: A scenario; one without a final status changes nothing.

    Raises:
        MalformedJobError: The body is not a job.
    """
    if scenario.final_status is None:
        return body
    outcome = {"status": scenario.final_status, "error_message": scenario.error_message}
    sections = {**Job.parse(body).sections, **{name: encode_value(value) for name, value in outcome.items()}}
    if scenario.has_null_result or scenario.final_status != "COMPLETED":
        sections |= dict.fromkeys(("extract_result", "extract_metadata"), NULL)
    return join_json(sections)
