"""Injected faults look like real ones to a client."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import llama_cloud
import pytest
from llama_cloud import LlamaCloud

from llx_mcp.local import SAMPLES, create_app, open_store
from llx_mcp.local.app import ADMIN_HEADER, FAULTS_PATH, SERVER_NAME
from llx_mcp.local.faults import (
    KINDS,
    Fault,
    FaultError,
    FaultInjector,
    build_fault,
    describe_fault,
    parse_fault,
    parse_faults,
)
from tests.local.clients import KEY, serve

JOB = f"/api/v2/extract/{SAMPLES[0].job_id}"
ADMIN = {ADMIN_HEADER: "llx-admin-test"}


def collect(received: bytearray, response: httpx.Response) -> None:
    """Collect the bytes that arrive before the connection breaks."""
    for chunk in response.iter_raw():
        received += chunk


class FakeSleep:
    """Records sleeps instead of sleeping."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


@contextmanager
def serve_with(faults: FaultInjector) -> Iterator[str]:
    """Serve the API with these faults on a socket."""
    with (
        closing(open_store()) as store,
        serve(create_app(store, faults=faults, admin_token=ADMIN[ADMIN_HEADER])) as address,
    ):
        yield address


@pytest.fixture(scope="module")
def fake_sleep() -> FakeSleep:
    return FakeSleep()


@pytest.fixture(scope="module")
def injector(fake_sleep: FakeSleep) -> FaultInjector:
    return FaultInjector(sleep=fake_sleep)


@pytest.fixture(scope="module")
def url(injector: FaultInjector) -> Iterator[str]:
    with serve_with(injector) as address:
        yield address


@pytest.fixture(autouse=True)
def _stop_faults_after_test(injector: FaultInjector) -> Iterator[None]:
    yield
    injector.set_faults(())


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, headers=KEY) as opened:
        yield opened


@pytest.mark.parametrize(
    ("text", "status", "retry_after"),
    [("rate-limited", 429, None), ("rate-limited:retry_after=2", 429, "2"), ("unavailable", 503, None),
     ("unavailable:status=500", 500, None), ("wrong-region", 401, None), ("out-of-credits", 402, None),
     ("rate-limit:per_minute=0", 429, None)],
)  # fmt: skip
def test_error_fault_returns_status_detail_and_server_header(
    client: httpx.Client, injector: FaultInjector, text: str, status: int, retry_after: str | None
) -> None:
    injector.set_faults([parse_fault(text)])
    response = client.get(JOB)
    assert (response.status_code, response.headers.get("retry-after")) == (status, retry_after)
    assert isinstance(response.json()["detail"], str)
    assert response.headers["server"] == SERVER_NAME


@pytest.mark.parametrize(
    ("text", "error"),
    [("rate-limited", llama_cloud.RateLimitError), ("unavailable", llama_cloud.InternalServerError),
     ("wrong-region", llama_cloud.AuthenticationError), ("out-of-credits", llama_cloud.APIStatusError),
     ("disconnect", llama_cloud.APIConnectionError)],
)  # fmt: skip
def test_official_client_raises_matching_error(
    url: str, injector: FaultInjector, text: str, error: type[Exception]
) -> None:
    injector.set_faults([parse_fault(text)])
    with LlamaCloud(api_key="llx-test", base_url=url, max_retries=0) as official, pytest.raises(error):
        official.extract.get(SAMPLES[0].job_id)


def test_official_client_retries_rate_limit(url: str, injector: FaultInjector) -> None:
    injector.set_faults([parse_fault("rate-limited:retry_after=0.01,times=2")])
    with LlamaCloud(api_key="llx-test", base_url=url, max_retries=2) as official:
        assert official.extract.get(SAMPLES[0].job_id).status == "COMPLETED"
    assert injector.select_faults("GET", JOB) == []


def test_disconnect_closes_connection_after_half_of_body(client: httpx.Client, injector: FaultInjector) -> None:
    expected = client.get(JOB).content
    injector.set_faults([parse_fault("disconnect")])
    with client.stream("GET", JOB) as response:
        assert response.status_code == 200
        assert int(response.headers["content-length"]) == len(expected)
        received = bytearray()
        with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
            collect(received, response)
    assert received == expected[: len(expected) // 2]


def test_truncated_body_matches_content_length_and_is_invalid_json(
    client: httpx.Client, injector: FaultInjector
) -> None:
    expected = client.get(JOB).content
    injector.set_faults([parse_fault("truncated")])
    response = client.get(JOB)
    assert (response.status_code, response.content) == (200, expected[: len(expected) // 2])
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_not_json_returns_html_page(client: httpx.Client, injector: FaultInjector) -> None:
    injector.set_faults([parse_fault("not-json")])
    response = client.get(JOB)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert response.text.startswith("<!doctype html>")


def test_slow_response_is_complete(client: httpx.Client, injector: FaultInjector, fake_sleep: FakeSleep) -> None:
    expected = client.get(JOB).content
    injector.set_faults([parse_fault("slow:seconds=30")])
    assert client.get(JOB).content == expected
    assert fake_sleep.slept == [30.0]


def test_slow_response_causes_client_timeout() -> None:
    with (
        serve_with(FaultInjector([parse_fault("slow:seconds=0.5,times=1")])) as url,
        httpx.Client(base_url=url, headers=KEY, timeout=0.05) as client,
        pytest.raises(httpx.ReadTimeout),
    ):
        client.get(JOB)


def test_share_is_repeatable_with_seed() -> None:
    def outcomes(seed: int) -> list[bool]:
        faults = FaultInjector([Fault("unavailable", share=0.25, seed=seed)])
        return [bool(faults.select_faults("GET", JOB)) for _ in range(400)]

    assert outcomes(7) == outcomes(7) != outcomes(8)
    assert 60 < sum(outcomes(7)) < 140


def test_rate_limit_window_ends_after_a_minute() -> None:
    now = [0.0]
    faults = FaultInjector([Fault("rate-limit", per_minute=20)], clock=lambda: now[0])
    first = [bool(faults.select_faults("GET", JOB)) for _ in range(21)]
    now[0] = 59.9
    late = bool(faults.select_faults("GET", JOB))
    now[0] = 60.0
    again = [bool(faults.select_faults("GET", JOB)) for _ in range(21)]
    assert (first, late, again) == ([False] * 20 + [True], True, [False] * 20 + [True])


def test_rate_limit_counts_from_each_allowed_request() -> None:
    now = [0.0]
    faults = FaultInjector([Fault("rate-limit", per_minute=2)], clock=lambda: now[0])
    limited = {}
    for now[0] in (0.0, 30.0, 59.0, 60.0, 61.0, 89.9, 90.0, 119.9, 120.0):
        limited[now[0]] = bool(faults.select_faults("GET", JOB))
    # Refused requests do not count.
    assert [seconds for seconds, is_limited in limited.items() if is_limited] == [59.0, 61.0, 89.9, 119.9]


@pytest.mark.parametrize("times", [0, 1, 3])
def test_fault_is_injected_as_often_as_asked(times: int) -> None:
    faults = FaultInjector([Fault("unavailable", times=times, method="GET")])
    assert faults.select_faults("POST", JOB) == []
    assert [bool(faults.select_faults("GET", JOB)) for _ in range(5)] == [True] * times + [False] * (5 - times)


def test_share_counts_only_injected_faults() -> None:
    faults = FaultInjector([Fault("unavailable", share=0.5, times=10, seed=3)])
    injected = [bool(faults.select_faults("GET", JOB)) for _ in range(200)]
    assert sum(injected) == 10
    assert injected.index(True) < 20 < 200 - injected[::-1].index(True) < 60


def test_faults_are_counted_apart_and_restart_when_they_are_set() -> None:
    faults = FaultInjector([Fault("unavailable", times=1), Fault("wrong-region", times=2)])
    kinds = [[fault.kind for fault in faults.select_faults("GET", JOB)] for _ in range(3)]
    assert kinds == [["unavailable", "wrong-region"], ["wrong-region"], []]
    faults.set_faults(faults.get_faults())
    assert len(faults.select_faults("GET", JOB)) == 2


@pytest.mark.parametrize("path", ["/", "/_admin/faults", "/_files/x"])
def test_exempt_path_does_not_count_as_a_request(path: str) -> None:
    faults = FaultInjector([Fault("unavailable", times=1)])
    assert faults.select_faults("GET", path) == []
    assert len(faults.select_faults("GET", JOB)) == 1


def test_defaults_of_a_fault() -> None:
    fault = parse_fault("slow")
    assert (fault.share, fault.times, fault.status, fault.seconds, fault.per_minute) == (1.0, None, 503, 5.0, 20)


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [("status", (500, 599), (499, 600)), ("seconds", (0, 3_600), (-0.1, 3_600.1)), ("share", (0, 1), (-0.1, 1.1)),
     ("retry_after", (0, 86_400), (-0.1, 86_400.1)), ("times", (0, 10**9), (-1,)), ("per_minute", (0, 10**9), (-1,))],
)  # fmt: skip
def test_bounds_of_a_parameter(name: str, allowed: tuple[float, ...], refused: tuple[float, ...]) -> None:
    kind = {"status": "unavailable", "retry_after": "rate-limited", "per_minute": "rate-limit"}.get(name, "slow")
    for value in allowed:
        assert describe_fault(parse_fault(f"{kind}:{name}={value}")).get(name, value) == value
    for value in refused:
        with pytest.raises(FaultError, match=name):
            parse_fault(f"{kind}:{name}={value}")


def test_fault_applies_only_to_its_method_and_path() -> None:
    faults = FaultInjector([Fault("unavailable", method="post", path="/cancel")])
    assert [bool(faults.select_faults(*request)) for request in (("POST", f"{JOB}/cancel"), ("GET", f"{JOB}/cancel"),
                                                        ("POST", JOB))] == [True, False, False]  # fmt: skip


@pytest.mark.parametrize(
    ("part", "matching"),
    [("/extract$", ["/api/v2/extract"]), ("/files$", ["/api/v1/beta/files"]), ("$", ["/api/v2/extract", JOB]),
     ("/extract", ["/api/v2/extract", JOB])],
)  # fmt: skip
def test_path_with_a_dollar_is_the_end_of_the_path(part: str, matching: list[str]) -> None:
    faults = FaultInjector([Fault("unavailable", path=part)])
    paths = ["/api/v2/extract", JOB] if "files" not in part else ["/api/v1/beta/files", "/api/v1/beta/files/query"]
    assert [path for path in paths if faults.select_faults("GET", path)] == matching


def test_requests_are_skipped_before_others_fail() -> None:
    faults = FaultInjector([Fault("unavailable", method="GET", skip=2, times=1)])
    assert faults.select_faults("POST", JOB) == []
    assert [len(faults.select_faults("GET", JOB)) for _ in range(5)] == [0, 0, 1, 0, 0]


def test_admin_endpoint_changes_faults_and_is_exempt(client: httpx.Client) -> None:
    requested = ["rate-limited:retry_after=2", {"kind": "wrong-region", "times": 1}]
    described = [{"kind": "rate-limited", "retry_after": 2.0}, {"kind": "wrong-region", "times": 1}]
    assert client.put(FAULTS_PATH, json=requested, headers=ADMIN).json() == described
    assert client.get(FAULTS_PATH, headers=ADMIN).json() == described
    assert client.get(JOB).status_code == 429
    assert "retry_after 2.0" in client.get("/").text
    assert client.delete(FAULTS_PATH, headers=ADMIN).json() == []
    assert client.get(JOB).status_code == 200


@pytest.mark.parametrize("token", [None, "", "llx-test", "é"])
def test_admin_endpoint_requires_admin_token(client: httpx.Client, injector: FaultInjector, token: str | None) -> None:
    headers = [] if token is None else [(ADMIN_HEADER.encode(), token.encode())]
    for method in ("GET", "PUT", "DELETE"):
        assert client.request(method, FAULTS_PATH, headers=headers, content=b'["disconnect"]').status_code == 401
    assert injector.get_faults() == []


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'["nothing"]', b'[{"kind":"disconnect","share":2}]', b"\xff"])
def test_invalid_faults_are_refused_and_change_nothing(
    client: httpx.Client, injector: FaultInjector, body: bytes
) -> None:
    injector.set_faults([Fault("slow", seconds=0)])
    response = client.put(FAULTS_PATH, content=body, headers=ADMIN)
    assert response.status_code == 422
    assert isinstance(response.json()["detail"], str)
    assert injector.get_faults() == [Fault("slow", seconds=0)]


@pytest.mark.parametrize(
    ("fault", "wrong", "allowed"),
    [("", "There is no fault ''", f"one of {', '.join(KINDS)}."),
     ("nothing", "There is no fault 'nothing'", f"one of {', '.join(KINDS)}."),
     ("slow:colour=red", "no parameter 'colour'",
      "share, seed, times, method, path, skip, when, status, seconds, retry_after"),
     ("slow:share=x", "share cannot be 'x'", "a number from 0 to 1."),
     ("slow:share=1.01", "share cannot be 1.01", "a number from 0 to 1."),
     ("slow:share=-0.01", "share cannot be -0.01", "a number from 0 to 1."),
     ("slow:share=nan", "share cannot be nan", "a number from 0 to 1."),
     ("slow:seed=x", "seed cannot be 'x'", "a whole number."),
     ("unavailable:status=499", "status cannot be 499", "a whole number from 500 to 599."),
     ("unavailable:status=600", "status cannot be 600", "a whole number from 500 to 599."),
     ("slow:seconds=-1", "seconds cannot be -1.0", "a number from 0 to 3600."),
     ("slow:seconds=3601", "seconds cannot be 3601.0", "a number from 0 to 3600."),
     ("slow:seconds=inf", "seconds cannot be inf", "a number from 0 to 3600."),
     ("slow:seconds", "seconds cannot be ''", "a number from 0 to 3600."),
     ("rate-limit:per_minute=-1", "per_minute cannot be -1", "a whole number from 0."),
     ("slow:times=1.5", "times cannot be '1.5'", "a whole number from 0."),
     ("slow:skip=-1", "skip cannot be -1", "a whole number from 0."),
     ("slow:skip=1.5", "skip cannot be '1.5'", "a whole number from 0."),
     ("slow:when=later", "when cannot be 'later'", "before or after."),
     ("truncated:when=before", "truncated does not take when", "It takes method, path, skip, share, seed, times."),
     ("slow:times=-1", "times cannot be -1", "a whole number from 0."),
     ({"kind": "slow", "times": 1.5}, "times cannot be 1.5", "a whole number from 0."),
     ({"kind": "slow", "times": [1]}, "times cannot be [1]", "a whole number from 0."),
     ("rate-limited:retry_after=-1", "retry_after cannot be -1.0", "a number from 0 to 86400."),
     ("rate-limited:retry_after=86401", "retry_after cannot be 86401.0", "a number from 0 to 86400."),
     ("unavailable:method=FETCH", "method cannot be 'FETCH'", "one of GET, POST, PUT, DELETE."),
     ("slow:status=500", "slow does not take status",
      "It takes seconds, when, method, path, skip, share, seed, times."),
     ("disconnect:seconds=3", "disconnect does not take seconds",
      "It takes when, method, path, skip, share, seed, times."),
     ("rate-limit:times=1", "rate-limit does not take times", "It takes per_minute, retry_after, method, path.")],
)  # fmt: skip
def test_fault_error_says_what_is_wrong_and_allowed_with_a_valid_example(
    fault: str | dict[str, object], wrong: str, allowed: str
) -> None:
    with pytest.raises(FaultError) as caught:
        parse_fault(fault) if isinstance(fault, str) else build_fault(fault)
    text, _, example = str(caught.value).partition(" Example: ")
    assert wrong in text
    assert allowed in text
    assert parse_fault(example).kind in KINDS


def test_parameters_at_their_bounds_are_accepted() -> None:
    for text in (
        "slow:share=0,seconds=0", "slow:share=1,seconds=3600", "unavailable:status=500", "unavailable:status=599",
        "rate-limited:retry_after=0,times=0", "rate-limited:retry_after=86400,method=delete,path=/x",
        "rate-limit:per_minute=0", "disconnect:when=before,skip=0", "not-json:when=after,path=/extract$",
    ):  # fmt: skip
        fault = parse_fault(text)
        described = ",".join(f"{name}={value}" for name, value in describe_fault(fault).items() if name != "kind")
        assert parse_fault(f"{fault.kind}:{described}") == fault
    assert build_fault({"kind": "slow", "times": 2.0, "method": None}) == Fault("slow", times=2)


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff"])
def test_error_of_admin_body_says_what_to_send(body: bytes) -> None:
    with pytest.raises(FaultError) as caught:
        parse_faults(body)
    text, _, example = str(caught.value).partition(" Example: ")
    assert "not a JSON list of strings or objects" in text
    assert parse_faults(example.encode()) == [Fault("rate-limited", retry_after=2), Fault("slow", seconds=3)]


def test_times_limits_injected_requests_and_not_others() -> None:
    faults = FaultInjector([Fault("unavailable", times=2, method="get")])
    requests = [
        ("POST", JOB),
        ("GET", JOB),
        ("GET", "/"),
        ("GET", "/_files/1"),
        ("GET", "/_admin/faults"),
        ("GET", JOB),
    ]
    assert [bool(faults.select_faults(*request)) for request in requests] == [False, True, False, False, False, True]
    assert faults.select_faults("GET", JOB) == []


def test_every_kind_is_parsed() -> None:
    assert [parse_fault(kind) for kind in KINDS] == [Fault(kind) for kind in KINDS]
    assert parse_faults(json.dumps(list(KINDS)).encode()) == [build_fault({"kind": kind}) for kind in KINDS]


def test_app_without_token_has_no_admin_endpoint() -> None:
    store = open_store()
    paths = [getattr(route, "path", "") for route in create_app(store).routes]
    store.close()
    assert FAULTS_PATH not in paths
    assert JOB.rpartition("/")[0] in paths
