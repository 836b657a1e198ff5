"""The requests of the tools, and the calls that their answers suggest."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal
from urllib.parse import quote

from llx_mcp.answers.limits import DEFAULT_CHARS, DEFAULT_WIDTH, MAX_CHARS, MAX_PICTURES, MIN_CHARS, Section
from llx_mcp.answers.outputs import Call
from llx_mcp.result.sanitize import INVISIBLE, dump_json, sanitize_line
from llx_mcp.scope import DEFAULT_SCOPE, Scope

Until = Literal["all", "any"]
Include = Literal["provenance", "quotes", "boxes"]

DEFAULT_EXPAND: tuple[Section, ...] = ("extract_metadata",)
INCLUDE: tuple[Include, ...] = ("provenance", "quotes", "boxes")
DEFAULT_INCLUDE: tuple[Include, ...] = ("provenance",)
# A review is a list of what to look at, and each group of findings can be seen whole with a further call.
REVIEW_CHARS = 2_000
# Some hundred words of the document.
SOURCE_CHARS = 2_000
# The matches that a search shows.
DEFAULT_HITS = 4
MAX_HITS = 200

# In a call, for an argument that is longer than a call should be.
SAME = "<the same>"

_ID_CHARS = 64
_URI_CHARS = 400
_ROUND_UP = 100
_IDS_SHARE = 0.1
_FILE_ID = re.compile(r"(dfl|pjb)-|[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.IGNORECASE)


def round_chars(num_chars: int) -> int:
    """Round a budget up to a full hundred."""
    return -(-num_chars // _ROUND_UP) * _ROUND_UP


def build_call(tool: str, arguments: Mapping[str, Any]) -> Call:
    """Build a call. Arguments that are None or empty texts are left out, and long ones become `<the same>`."""
    given = {name: value for name, value in arguments.items() if value is not None and value != ""}
    return Call(tool=tool, arguments={name: _argument(value) for name, value in given.items()})


def _argument(value: Any) -> Any:
    # No id of the service is this long or has invisible characters; one that has could crowd out the answer or mislead.
    is_odd = isinstance(value, str) and (len(value) > _ID_CHARS or INVISIBLE.search(value) is not None)
    return SAME if is_odd else value


def _ids_argument(job_ids: Sequence[str], max_chars: int) -> list[str] | str:
    num_chars = sum(len(job_id) + len('"",') for job_id in job_ids)
    is_plain = all(sanitize_line(job_id, _ID_CHARS) == job_id for job_id in job_ids)
    return list(job_ids) if num_chars <= max_chars * _IDS_SHARE and is_plain else SAME


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A request about one job.

    Attributes:
        job_id: id of the job.
        expand: sections to show.
        max_chars: budget of the answer, for each of its two forms.
        scope: project and organization of the job.
    """

    job_id: str
    expand: tuple[str, ...] = DEFAULT_EXPAND
    max_chars: int = DEFAULT_CHARS
    scope: Scope = DEFAULT_SCOPE

    def call(self, tool: str, **arguments: Any) -> Call:
        """Build a call of a tool on this job."""
        return build_call(tool, {"job_id": self.job_id} | arguments | asdict(self.scope))

    def larger_call(self, need_chars: int, tool: str = "get_extract_job", **arguments: Any) -> Call | None:
        """Build the call of a tool with a budget of at least `need_chars`; None where no budget allows it."""
        rounded = max(round_chars(need_chars), MIN_CHARS)
        if rounded > MAX_CHARS:
            return None
        expand = None if self.expand == DEFAULT_EXPAND else list(self.expand)
        return self.call(tool, expand=expand, **arguments, max_chars=rounded)

    def resource(self, section: str = "") -> str:
        """Return the URI of this job, or of one of its sections, as a resource."""
        job_id = SAME if len(self.job_id) > _ID_CHARS else quote(self.job_id, safe="")
        return f"llx://jobs/{job_id}/{section}".rstrip("/")

    def citation_resource(self, paths: Sequence[str], page: int | None = None) -> str | None:
        """Return the URI of a picture that shows values; None where it would be longer than a call should be.

        Args:
            paths: the paths of all values that are numbered, whether or not the picture shows them.
            page: the page that it shows; None for the only one.
        """
        uri = self.resource(f"citations/{quote(','.join(paths), safe='')}")
        uri += "" if page is None else f"?page={page}"
        return uri if len(uri) <= _URI_CHARS else None


@dataclass(frozen=True, slots=True)
class JobsRequest:
    """A request about several jobs.

    Attributes:
        job_ids: ids of the jobs, each once.
        max_chars: budget of the answer, for each of its two forms.
        scope: project and organization of all jobs.
    """

    job_ids: tuple[str, ...]
    max_chars: int = DEFAULT_CHARS
    scope: Scope = DEFAULT_SCOPE

    def job_request(self, job_id: str, max_chars: int | None = None) -> JobRequest:
        """Build the same request about one job."""
        return JobRequest(job_id, max_chars=max_chars or self.max_chars, scope=self.scope)

    def call(self, tool: str, job_ids: Sequence[str], **arguments: Any) -> Call:
        """Build a call of a tool on some of the jobs; many long ids become `<the same>`."""
        ids = _ids_argument(job_ids, self.max_chars)
        return build_call(tool, {"job_ids": ids} | arguments | asdict(self.scope))


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Which values to read, and what to show beside them.

    Attributes:
        path: JSONPath of the values.
        cursor: cursor from the previous page; None for the first page.
        include: what to show with each value: `provenance` is page and confidence; `quotes`, `boxes`.
    """

    path: str = "$"
    cursor: str | None = None
    include: tuple[str, ...] = DEFAULT_INCLUDE

    def next_call(self, request: JobRequest, cursor: str) -> Call:
        """Build the call that shows the next page."""
        include = None if self.include == DEFAULT_INCLUDE else list(self.include)
        max_chars = None if request.max_chars == DEFAULT_CHARS else request.max_chars
        return request.call("read_extract_result", path=self.path, include=include, max_chars=max_chars, cursor=cursor)


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Which part of the document's text to read. One of the first three is given; without any it is the first pages.

    Attributes:
        path: JSONPath of a value: the words around the place where it stands.
        pages: page numbers, such as `3-5,9`.
        text: words to look for.
        cursor: cursor from the previous page of the answer; None for the first.
    """

    path: str | None = None
    pages: str | None = None
    text: str | None = None
    cursor: str | None = None

    @property
    def given(self) -> dict[str, str]:
        """What is given, by the name of the argument."""
        names = ("path", "pages", "text")
        return {name: value for name in names if (value := getattr(self, name))}


@dataclass(frozen=True, slots=True)
class CitationOptions:
    """Which values to show in the document, and how.

    Attributes:
        paths: JSONPaths of values.
        max_width: the maximum width of a picture in pixels.
        whole_page: whether to show whole pages, not only what is around the cited words.
        png_only: whether every picture must be a PNG, even where WebP would look better.
        max_pictures: the most pages to show.
        page: the only page to show; None for all. The numbers of the values are the same.
    """

    paths: tuple[str, ...]
    max_width: int = DEFAULT_WIDTH
    whole_page: bool = False
    png_only: bool = False
    max_pictures: int = MAX_PICTURES
    page: int | None = None


@dataclass(frozen=True, slots=True)
class WaitRequest:
    """A request to wait for jobs.

    Attributes:
        job_ids: ids as they were given; one that comes twice counts once.
        until: whether all jobs must end, or any one.
        expand: sections to show.
        max_chars: budget of the answer, for each of its two forms.
        scope: project and organization of all jobs.
        is_many: whether the answer is a table; else there is one id, and the answer is about that job.
    """

    job_ids: tuple[str, ...]
    until: Until = "all"
    expand: tuple[str, ...] = DEFAULT_EXPAND
    max_chars: int = DEFAULT_CHARS
    scope: Scope = DEFAULT_SCOPE
    is_many: bool = True

    def job_request(self, job_id: str, max_chars: int | None = None) -> JobRequest:
        """Build the same request about one job."""
        return JobRequest(job_id, self.expand, max_chars or self.max_chars, self.scope)

    def call(self, job_ids: Sequence[str], **arguments: Any) -> Call:
        """Build the call that waits for some of the jobs; many long ids become `<the same>`."""
        given = {
            "job_ids": _ids_argument(job_ids, self.max_chars),
            "until": None if self.until == "all" else self.until,
            "expand": None if self.expand == DEFAULT_EXPAND else list(self.expand),
            **arguments,
            **asdict(self.scope),
        }
        return build_call("wait_for_extract_job", given)


@dataclass(frozen=True, slots=True)
class JobListRequest:
    """A request for a list of jobs. None does not filter; times are ISO 8601, as they were given.

    Attributes:
        credential: digest of the credential whose jobs these are; a cursor is valid for this credential alone.
    """

    status: str | None = None
    document: str | None = None
    configuration_id: str | None = None
    created_since: str | None = None
    created_until: str | None = None
    max_chars: int = DEFAULT_CHARS
    scope: Scope = DEFAULT_SCOPE
    credential: str = ""

    @property
    def filters(self) -> dict[str, str]:
        """The filters that were given."""
        names = ("status", "document", "configuration_id", "created_since", "created_until")
        return {name: value for name in names if (value := getattr(self, name))}

    @property
    def file_input(self) -> str | None:
        """The document, where it is given by its id; the service filters by that."""
        return self.document if self.document and _FILE_ID.match(self.document) else None

    @property
    def name_part(self) -> str | None:
        """The part of a document's name, where one is given, case-folded; the server filters by that itself."""
        return None if self.document is None or self.file_input else self.document.casefold()

    @property
    def cursor_source(self) -> str:
        """What a cursor of this list is bound to."""
        return json.dumps(["list", self.credential, self.filters, *asdict(self.scope).values()])

    def call(self, *, cursor: str | None = None) -> Call:
        """Build the same call, or the call for the page after it."""
        max_chars = None if self.max_chars == DEFAULT_CHARS else self.max_chars
        call = build_call("list_extract_jobs", {**self.filters, "max_chars": max_chars, **asdict(self.scope)})
        # A cursor is not shortened as other arguments are: clients that show only the text have it from here.
        return call if cursor is None else Call(tool=call.tool, arguments={**call.arguments, "cursor": cursor})


def format_call(call: Call) -> str:
    """Return a call as text: `tool(name="value", other=1)`."""
    shown = ", ".join(
        f"{name}={value if value == SAME else dump_json(value)}" for name, value in call.arguments.items()
    )
    return f"{call.tool}({shown})"
