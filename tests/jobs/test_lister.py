"""A list is read page by page, and asks the service for no more than its answer shows."""

from datetime import UTC, datetime
from typing import Any

import pytest

from llx_mcp.answers.requests import JobListRequest
from llx_mcp.errors import BadResponseError, UnavailableError
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.reader import open_reader
from llx_mcp.models import Job, JobPage
from llx_mcp.scope import DEFAULT_SCOPE, JobFilter, Scope
from tests.sources import Bodies, open_bodies


class Pages(Bodies):
    """A service whose list has pages that do not end.

    Attributes:
        documents: the documents of the jobs on each page.
        largest: the largest page that it can send.
        num_good: how many pages it sends before it fails.
        wanted: the filters of each request.
        named: the ids of each request for names.
    """

    def __init__(self, *documents: str | None) -> None:
        super().__init__(lambda _: b"")
        self.names = documents
        self.largest = 100
        self.num_good = 100
        self.wanted: list[JobFilter] = []
        self.scopes: list[Scope] = []
        self.named: list[list[str]] = []

    async def list_jobs(self, wanted: JobFilter, scope: Scope = DEFAULT_SCOPE, **_: Any) -> JobPage:
        """Return the page that the token names."""
        self.wanted.append(wanted)
        self.scopes.append(scope)
        if len(self.wanted) > self.num_good:
            raise UnavailableError("away")
        if (wanted.page_size or 0) > self.largest:
            raise BadResponseError("too large")
        number = int(wanted.page_token or 0)
        items = tuple(
            Job(id=f"ext-{number}-{index}", status="RUNNING", file_input=document)
            for index, document in enumerate(self.names)
        )
        return JobPage(items, str(number + 1))

    async def fetch_file_names(self, *arguments: Any, **_: object) -> dict[str, str]:
        """Name each file after its id."""
        file_ids, _scope = arguments
        self.named.append(list(file_ids))
        return {file_id: f"{file_id}.pdf" for file_id in file_ids}


async def list_jobs(source: Pages, request: JobListRequest) -> dict[str, Any]:
    """Return the structured answer to one list."""
    async with open_reader(open_bodies(source), SystemClock()) as reader:
        return (await reader.list(request, None)).structured


async def test_list_reads_at_most_four_pages_of_25_jobs() -> None:
    source = Pages("dfl-1")
    answer = await list_jobs(source, JobListRequest(max_chars=100_000))
    assert [(wanted.page_token, wanted.page_size) for wanted in source.wanted] == [
        (None, 25),
        ("1", 25),
        ("2", 25),
        ("3", 25),
    ]
    assert [row[0] for row in answer["jobs"]["rows"]] == [f"ext-{number}-0" for number in range(4)]
    assert answer["cursor"]


async def test_list_reads_no_page_that_the_answer_has_no_room_for() -> None:
    source = Pages(*(f"dfl-{number}" for number in range(25)))
    answer = await list_jobs(source, JobListRequest(max_chars=1_000))
    assert len(source.wanted) == 1
    assert 1 <= len(answer["jobs"]["rows"]) < 25


@pytest.mark.parametrize(("largest", "sizes"), [(24, [25, 5]), (4, [25, 5, 1])])
async def test_page_that_is_too_large_is_read_in_smaller_ones(largest: int, sizes: list[int]) -> None:
    source = Pages("dfl-1")
    source.largest = largest
    answer = await list_jobs(source, JobListRequest(max_chars=100_000))
    assert [wanted.page_size for wanted in source.wanted] == sizes * 4
    assert len(answer["jobs"]["rows"]) == 4


async def test_list_whose_smallest_page_is_too_large_is_an_error() -> None:
    source = Pages("dfl-1")
    source.largest = 0
    with pytest.raises(BadResponseError):
        await list_jobs(source, JobListRequest())
    assert [wanted.page_size for wanted in source.wanted] == [25, 5, 1]


async def test_list_ends_where_the_service_fails_unless_that_is_the_first_page() -> None:
    source = Pages("dfl-1")
    source.num_good = 1
    answer = await list_jobs(source, JobListRequest(max_chars=100_000))
    assert [row[0] for row in answer["jobs"]["rows"]] == ["ext-0-0"]
    assert answer["cursor"]
    source = Pages("dfl-1")
    source.num_good = 0
    with pytest.raises(UnavailableError):
        await list_jobs(source, JobListRequest())


async def test_each_file_of_a_page_is_named_once_and_parse_jobs_have_no_name() -> None:
    source = Pages("dfl-2", "dfl-1", "dfl-2", "pjb-1", None)
    answer = await list_jobs(source, JobListRequest(max_chars=100_000))
    assert source.named == [["dfl-1", "dfl-2"]] * 4
    columns = answer["jobs"]["columns"]
    names = [row[columns.index("name")] for row in answer["jobs"]["rows"][:5]]
    assert names == ["dfl-2.pdf", "dfl-1.pdf", "dfl-2.pdf", None, None]


async def test_filters_are_those_of_the_service() -> None:
    source = Pages("dfl-1")
    request = JobListRequest("FAILED", "dfl-1", "cfg-1", "2026-01-01", "2026-01-31", scope=Scope("p", "o"))
    await list_jobs(source, request)
    wanted = source.wanted[0]
    assert (wanted.statuses, wanted.file_input, wanted.configuration_id) == (("FAILED",), "dfl-1", "cfg-1")
    assert wanted.created_since == datetime(2026, 1, 1, tzinfo=UTC)
    assert wanted.created_until == datetime(2026, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert set(source.scopes) == {Scope("p", "o")}
    await list_jobs(source, JobListRequest())
    assert source.wanted[-1].statuses == ()
