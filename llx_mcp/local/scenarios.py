"""How a job goes, by name: chosen at create, at import, or by the name of its file."""

import math
import re
from dataclasses import dataclass

import msgspec

from llx_mcp.local.lifecycle import Timeline
from llx_mcp.models import Job
from llx_mcp.raw_json import join_json

SCENARIO_HEADER = "X-Llx-Scenario"
DEFAULT_SCENARIO = "normal"

_IN_FILE_NAME = re.compile(r"--([a-z]+(?:-[a-z]+)*)(?:\.[^.]*)?$")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way in which a job goes.

    Attributes:
        description: what is seen, in a sentence.
        ending: the status in which it ends whatever is known of the document; None ends as recorded.
        error_message: why it failed, where `ending` is FAILED and it says so.
        empty: whether it ends without a result.
    """

    name: str
    description: str
    timeline: Timeline
    ending: str | None = None
    error_message: str | None = None
    empty: bool = False


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("normal", "Pending for 1 s, running for 2 s, then as recorded. The default.", Timeline(1, 0, 2)),
        Scenario("instant", "Ended when it is first asked for.", Timeline()),
        Scenario("throttled", "Pending for 1 s, throttled for 5 s, running for 2 s.", Timeline(1, 5, 2)),
        Scenario("slow", "Pending for 5 s, running for 10 minutes.", Timeline(5, 0, 600)),
        Scenario("stuck", "Pending for 1 s, then running for ever.", Timeline(1, 0, math.inf)),
        Scenario("queued", "Pending for ever.", Timeline(math.inf)),
        Scenario("billed-late", "As normal; usage is null for another 60 s.", Timeline(1, 0, 2, 60)),
        Scenario(
            "failed", "Running for 2 s, then failed, with a reason.", Timeline(1, 0, 2), "FAILED",
            "The document could not be parsed: it is encrypted.",
        ),
        Scenario("failed-silent", "Running for 2 s, then failed, without a reason.", Timeline(1, 0, 2), "FAILED"),
        Scenario("cancelled", "Running for 2 s, then cancelled by someone else.", Timeline(1, 0, 2), "CANCELLED"),
        Scenario("empty", "Completed, with a null result.", Timeline(1, 0, 2), "COMPLETED", empty=True),
    )
}  # fmt: skip


class UnknownScenarioError(ValueError):
    """No scenario has this name; the message lists those that there are."""


def get_scenario(name: str) -> Scenario:
    """The scenario of a name.

    Raises:
        UnknownScenarioError: there is none.
    """
    try:
        return SCENARIOS[name]
    except KeyError:
        raise UnknownScenarioError(f"No such scenario; there are {', '.join(SCENARIOS)}.") from None


def stage_job(body: bytes, scenario: Scenario) -> bytes:
    """A job as it ends in a scenario; what the scenario leaves alone stays in the bytes in which it came.

    Args:
        body: the JSON of one job.
        scenario: how it goes; one without an ending of its own changes nothing.

    Raises:
        MalformedJobError: the body is not a job.
    """
    if scenario.ending is None:
        return body
    changed = {"status": scenario.ending, "error_message": scenario.error_message}
    sections = {**Job.parse(body).sections, **{name: _raw(value) for name, value in changed.items()}}
    if scenario.empty or scenario.ending != "COMPLETED":
        sections |= {name: _raw(None) for name in ("extract_result", "extract_metadata")}
    return join_json(sections)


def scenario_of_file(name: str) -> Scenario | None:
    """The scenario that a file's name asks for: `invoice--slow.pdf` asks for `slow`."""
    match = _IN_FILE_NAME.search(name)
    return SCENARIOS.get(match[1]) if match else None


def _raw(value: str | None) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
