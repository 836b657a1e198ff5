"""Values of `expand` that the service refuses are left out, and not sent again."""

from collections.abc import Iterable

import httpx
import pytest

from llx_mcp.errors import RejectedError, UnavailableError
from llx_mcp.llamacloud import open_client
from llx_mcp.models import EXPANDABLE_SECTIONS
from tests.llamacloud.service import JOB, settings_with


class Picky:
    """A service that refuses some values of `expand`.

    Attributes:
        sent: the values of each request.
    """

    def __init__(self, refused: Iterable[str], *, names_them: bool, status: int = 422) -> None:
        self.sent: list[tuple[str, ...]] = []
        self._refused = set(refused)
        self._names_them = names_them
        self._status = status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        values = tuple(request.url.params.get_list("expand"))
        self.sent.append(values)
        errors = [
            {"loc": ["query", "expand", index], "msg": "not allowed", "input": value}
            for index, value in enumerate(values)
            if value in self._refused
        ]
        if errors:
            return httpx.Response(self._status, json={"detail": errors if self._names_them else "bad request"})
        return httpx.Response(200, json={**JOB, **{value: {"sent": True} for value in values}})


async def fetch_twice(service: Picky) -> tuple[list[str], list[tuple[str, ...]]]:
    """Fetch a job twice; return the sections of the second answer, and the values of its requests."""
    async with open_client(settings_with(), transport=httpx.MockTransport(service)) as client:
        await client.fetch_job("ext-1", EXPANDABLE_SECTIONS)
        num_sent = len(service.sent)
        job = await client.fetch_job("ext-1", EXPANDABLE_SECTIONS)
    return [name for name in EXPANDABLE_SECTIONS if job.raw(name)], service.sent[num_sent:]


@pytest.mark.parametrize("names_them", [True, False])
@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    "refused",
    [{"metadata"}, {"usage"}, {"configuration"}, {"usage", "metadata"}, {"extract_metadata", "metadata"}, {"none"}],
)
async def test_read_goes_on_without_the_refused_values(refused: set[str], status: int, *, names_them: bool) -> None:
    service = Picky(refused, names_them=names_them, status=status)
    accepted = [name for name in EXPANDABLE_SECTIONS if name not in refused]
    assert await fetch_twice(service) == (accepted, [tuple(accepted)])


async def test_service_that_takes_no_value_is_read_without() -> None:
    assert await fetch_twice(Picky(EXPANDABLE_SECTIONS, names_them=False)) == ([], [()])


@pytest.mark.parametrize(("names_them", "num_requests"), [(True, 2), (False, 2)])
async def test_refused_metadata_costs_one_request_more(num_requests: int, *, names_them: bool) -> None:
    service = Picky({"metadata"}, names_them=names_them)
    await fetch_twice(service)
    assert len(service.sent) == num_requests + 1


async def test_other_value_that_is_invalid_is_not_blamed_on_expand() -> None:
    sent: list[httpx.URL] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        sent.append(request.url)
        return httpx.Response(422, json={"detail": [{"loc": ["path", "job_id"], "msg": "not a job"}, "odd"]})

    async with open_client(settings_with(), transport=httpx.MockTransport(refuse)) as client:
        with pytest.raises(RejectedError, match=r"job_id \(path\): not a job"):
            await client.fetch_job("ext-1", EXPANDABLE_SECTIONS)
    assert len(sent) == 1


async def test_request_that_is_refused_in_any_case_teaches_nothing() -> None:
    refuses = True
    sent: list[int] = []

    def serve(request: httpx.Request) -> httpx.Response:
        sent.append(len(request.url.params.get_list("expand")))
        text = "first" if len(sent) == 1 else "later"
        return httpx.Response(422, json={"detail": text}) if refuses else httpx.Response(200, json=JOB)

    async with open_client(settings_with(), transport=httpx.MockTransport(serve)) as client:
        with pytest.raises(RejectedError, match="first"):
            await client.fetch_job("ext-1", EXPANDABLE_SECTIONS)
        with pytest.raises(RejectedError):
            await client.fetch_job("ext-1")
        refuses = False
        await client.fetch_job("ext-1", EXPANDABLE_SECTIONS)
    assert sent == [4, 3, 0, 0, 4]


async def test_outage_while_learning_teaches_nothing() -> None:
    answers = iter([httpx.Response(422), *[httpx.Response(503)] * 6, httpx.Response(200, json=JOB)])
    sent: list[int] = []

    def serve(request: httpx.Request) -> httpx.Response:
        sent.append(len(request.url.params.get_list("expand")))
        return next(answers)

    async with open_client(settings_with(), transport=httpx.MockTransport(serve)) as client:
        with pytest.raises(UnavailableError):
            await client.fetch_job("ext-1", EXPANDABLE_SECTIONS)
        await client.fetch_job("ext-1", EXPANDABLE_SECTIONS)
    assert sent == [4, *[3] * 6, 4]
