"""Shows values where they stand in the document: finds their places, gets the pages, and has them drawn.

An answer never fails because there is no picture: it then says why, with the quote and the page as text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import anyio

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.citation_answer import CITATION_CHARS, build_citation_answer
from llx_mcp.answers.citation_outputs import PageImage
from llx_mcp.answers.cited_values import CitedValue, CitedValues
from llx_mcp.answers.dispatch import CitationsQuestion, ReportQuestion
from llx_mcp.answers.header import Header, build_header
from llx_mcp.answers.report_values import ReportRows
from llx_mcp.answers.requests import CitationOptions, JobRequest
from llx_mcp.errors import LlxError, excerpt
from llx_mcp.jobs.cache import CachedJob, JobKey
from llx_mcp.jobs.call_limit import limit_call
from llx_mcp.jobs.evidence import EvidenceFinder
from llx_mcp.jobs.executor import AnswerExecutor
from llx_mcp.jobs.fetcher import JobFetcher
from llx_mcp.pdf.pictures import Mark, Picture, PictureOptions
from llx_mcp.pdf.processes import PdfError

# The time for one page. It begins with the turn of the page; the waiting for that counts only for all pages together.
DRAW_SECONDS = 10.0
# The shares of a call for better boxes, and of what is then left of it for all pictures.
_LAYER_SHARE = 0.25
_DRAW_SHARE = 0.9
_REASON_CHARS = 200
_SCREENSHOT = "the service's screenshot of the page"
_DOCUMENT = "drawn from the document"
_NO_TIME = "not drawn in the time for one call; show fewer values at once, or try again later"


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A picture of a page, and what it shows.

    Attributes:
        page: the page number, from 1.
        picture: the picture.
        drawn_from: where the page comes from, in words.
        numbers: the numbers of the values that are marked on it.
    """

    page: int
    picture: Picture
    drawn_from: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ShownValues:
    """Values, and the pages that show them.

    Attributes:
        header: what every answer says of the job.
        paths: the paths that were asked for.
        found: the values; the first has number 1.
        pages: the pictures.
        reasons: which values have no picture, or no mark on it, and why.
        is_final: whether a later call would show the same: the job has ended, the text of the document is as complete
            as it will be, and each value of these pages has a mark.
    """

    header: Header
    paths: tuple[str, ...]
    found: CitedValues
    pages: tuple[ShownPage, ...] = ()
    reasons: tuple[str, ...] = ()
    is_final: bool = False

    def build_answer(self, request: JobRequest) -> Answer:
        """Return what is said beside the pictures."""
        images = [self._describe(request, shown) for shown in self.pages]
        bounded = replace(request, max_chars=CITATION_CHARS)
        return build_citation_answer(self.header, bounded, self.found, images, self.reasons)

    def _describe(self, request: JobRequest, shown: ShownPage) -> PageImage:
        num_pages = len({value.shown_page for value in self.found.values} - {None})
        uri = request.citation_resource(self.paths, shown.page if num_pages > 1 else None)
        known = {} if uri is None else {"resource": uri}
        return PageImage(page=shown.page, numbers=list(shown.numbers), drawn_from=shown.drawn_from, **known)


class CitationPictures:
    """Shows values where they stand in the documents of jobs."""

    def __init__(
        self, fetcher: JobFetcher, executor: AnswerExecutor, evidence: EvidenceFinder, call_seconds: float
    ) -> None:
        """Start without any picture.

        Args:
            fetcher: fetches and caches jobs.
            executor: answers questions about cached jobs.
            evidence: finds the texts of documents, and the documents themselves.
            call_seconds: how long one call may take.
        """
        self._fetcher = fetcher
        self._executor = executor
        self._evidence = evidence
        self._call_seconds = call_seconds

    async def show(self, request: JobRequest, options: CitationOptions) -> ShownValues:
        """Return values, and pictures of the pages on which they stand.

        Raises:
            LlxError: the job cannot be read, or a path cannot be used.
        """
        with limit_call(self._call_seconds) as call:
            cached = await self._fetcher.fetch_job(request)
            call.is_fetched = True
            header = build_header(cached.job, request, now=self._fetcher.service_now())
            if not cached.job.has_result:
                return ShownValues(header, options.paths, CitedValues())
            key = await self._fetcher.build_key(request.job_id, request.scope)
            found, is_complete = await self._find_values(request, cached, key, options)
            drawing = _Drawing(self._evidence, key, cached, options)
            await drawing.draw(found.values)
            is_final = cached.job.is_terminal and is_complete and not drawing.num_unmarked
            return ShownValues(
                header, options.paths, found, tuple(drawing.pages), tuple(drawing.reasons), is_final=is_final
            )

    async def list_values(self, request: JobRequest, threshold: float, max_values: int) -> ReportRows:
        """Return the values of a job with their checks, in document order; none where it has no result.

        Args:
            request: the job.
            threshold: a confidence below this is low, 0 to 1.
            max_values: the most values to list.

        Raises:
            LlxError: the job cannot be read.
        """
        with limit_call(self._call_seconds) as call:
            cached = await self._fetcher.fetch_job(request)
            call.is_fetched = True
            if not cached.job.has_result:
                return ReportRows()
            key = await self._fetcher.build_key(request.job_id, request.scope)
            question = ReportQuestion(request, threshold, max_values)
            source = await self._evidence.find(key, cached, question)
            return ReportRows.of_answer(await self._executor.answer(key, cached, question, source))

    async def _find_values(
        self, request: JobRequest, cached: CachedJob, key: JobKey, options: CitationOptions
    ) -> tuple[CitedValues, bool]:
        """Return the values, and whether the text of the document is as complete as it will be."""
        question = CitationsQuestion(request, options.paths)
        source = await self._evidence.find(key, cached, question)
        found = CitedValues.of_answer(await self._executor.answer(key, cached, question, source))
        is_complete = source is None or not source.may_come
        if all(value.box_origin in ("cited", "words") or value.shown_page is None for value in found.values):
            return found, is_complete
        # The text of a parse job has blocks, or no boxes at all. The document may have a text layer.
        with anyio.move_on_after(self._call_seconds * _LAYER_SHARE):
            layer = await self._evidence.texts.fetch_text_layer(key, cached)
            if layer.problem:
                return found, is_complete and not layer.may_come
            precise = CitedValues.of_answer(await self._executor.answer(key, cached, question, layer))
            return CitedValues(list(map(_choose_precise, found.values, precise.values)), found.total), is_complete
        return found, False


def _choose_precise(value: CitedValue, precise: CitedValue) -> CitedValue:
    return precise if value.box_origin in ("block", "") and precise.box_origin == "words" else value


class _Drawing:
    """Draws the pages of one answer.

    Attributes:
        pages: the pictures.
        reasons: which values have no picture, or no mark on it, and why.
        num_unmarked: how many values have no mark on a picture of their page, or no picture.
    """

    def __init__(self, evidence: EvidenceFinder, key: JobKey, cached: CachedJob, options: CitationOptions) -> None:
        self._texts = evidence.texts
        self._pdfs = evidence.pdfs
        self._key = key
        self._cached = cached
        self._options = options
        self._may_have_screenshots = True
        self.pages: list[ShownPage] = []
        self.reasons: list[str] = []
        self.num_unmarked = 0

    async def draw(self, values: Sequence[CitedValue]) -> None:
        """Draw the pages of some values, as many as the time for the call allows, with what is fetched for them."""
        self.reasons += _explain_unknown(values)
        left = _group_by_page(values, self._options.page)
        if not left and self._options.page is not None:
            self.reasons.append(f"no value is shown on page {self._options.page}")
        seconds = anyio.current_effective_deadline() - anyio.current_time()
        with anyio.move_on_after(seconds * _DRAW_SHARE):
            for page, numbers in list(left.items()):
                await self._add_page(page, {number: values[number - 1] for number in numbers})
                del left[page]
        for page, numbers in left.items():
            self._explain(page, numbers, _NO_TIME)

    def _explain(self, page: int, numbers: list[int], reason: str) -> None:
        self.num_unmarked += len(numbers)
        self.reasons.append(f"{name_values(numbers)}, page {page}: {reason}")

    async def _add_page(self, page: int, values: dict[int, CitedValue]) -> None:
        """Add the picture of a page, or why there is none."""
        if len(self.pages) == self._options.max_pictures:
            self.reasons.append(f"{name_values(list(values))}: only {len(self.pages)} pages are shown at once")
            return
        try:
            shown = await self._draw_page(page, values)
        except (PdfError, LlxError) as exc:
            self._explain(page, list(values), excerpt(str(exc), _REASON_CHARS))
            return
        self.pages.append(shown)
        if unmarked := [number for number in values if number not in shown.numbers]:
            self._explain(page, unmarked, "not marked, because no place on it is known")

    async def _draw_page(self, page: int, values: dict[int, CitedValue]) -> ShownPage:
        marks = [Mark(number, value.boxes) for number, value in values.items()]
        size = next((value.page_size for value in values.values() if value.page_size is not None), None)
        options = PictureOptions(
            page - 1, size, self._options.max_width, self._options.whole_page, self._options.png_only
        )
        # Boxes are in points, so they can be placed on a screenshot only where the size of the page is known.
        if size is not None and (screenshot := await self._fetch_screenshot(page)) is not None:
            try:
                return await self._draw(screenshot, _SCREENSHOT, page, marks, options)
            except PdfError:
                # The document is the second way to the page.
                pass
        async with self._texts.open_document(self._key, self._cached) as content:
            return await self._draw(content, _DOCUMENT, page, marks, options)

    async def _fetch_screenshot(self, page: int) -> bytes | None:
        """Return the service's picture of a page. A file that has none of one page has none of the others."""
        if not self._may_have_screenshots:
            return None
        screenshot = await self._texts.fetch_screenshot(self._key, self._cached, page - 1)
        self._may_have_screenshots = screenshot is not None
        return screenshot

    async def _draw(
        self, content: bytes, drawn_from: str, page: int, marks: list[Mark], options: PictureOptions
    ) -> ShownPage:
        picture = await self._pdfs.draw_citation(content, marks, options, total_seconds=DRAW_SECONDS)
        return ShownPage(page, picture, drawn_from, tuple(picture.boxes))


def _group_by_page(values: Sequence[CitedValue], only: int | None) -> dict[int, list[int]]:
    """Return the numbers of the values on each page, or on the only one that is wanted."""
    by_page: dict[int, list[int]] = {}
    for number, value in enumerate(values, start=1):
        if value.shown_page is not None and only in (None, value.shown_page):
            by_page.setdefault(value.shown_page, []).append(number)
    return by_page


def _explain_unknown(values: Sequence[CitedValue]) -> Iterator[str]:
    if not values:
        yield "the path leads to no value"
    unknown = [number for number, value in enumerate(values, start=1) if value.shown_page is None]
    if unknown:
        yield f"{name_values(unknown)}: no page is known"


def name_values(numbers: Sequence[int]) -> str:
    """Return what values are called by their numbers, such as `values 1, 2`."""
    return f"value{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
