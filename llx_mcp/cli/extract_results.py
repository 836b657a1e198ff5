"""Writes the results of an extraction, each as soon as its job has ended: to files, or to standard output."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import anyio.to_thread

from llx_mcp.answers.requests import JobRequest
from llx_mcp.cli.extract_files import FileState
from llx_mcp.cli.files import replace_file
from llx_mcp.cli.wording import describe_error, print_error
from llx_mcp.errors import ArgumentError
from llx_mcp.jobs.reader import JobReader
from llx_mcp.scope import Scope

if TYPE_CHECKING:
    from llx_mcp.models import Job

_ROOT = "$"


@dataclass(frozen=True, slots=True)
class Output:
    """Where results go.

    Attributes:
        folder: the folder that gets a file for each result; None for standard output.
        format_name: one of `options.EXPORT_FORMATS`.
        provenance: add confidence, page and quote to each value.
        is_single: whether there is one file to extract. Several are printed as a line of JSON each.
    """

    folder: Path | None
    format_name: str
    provenance: bool
    is_single: bool

    def check(self, files: Sequence[str]) -> None:
        """Check that the results can be written and told apart, and make the folder.

        Raises:
            ArgumentError: two results would be written to the same file, or provenance cannot be printed.
            ConfigurationError: the format needs a library that is not installed.
            OSError: the folder cannot be made.
        """
        from llx_mcp.cli.export_formats import check_format

        check_format(self.format_name)
        if self.folder is None:
            if self.provenance and not self.is_single:
                raise ArgumentError("--provenance: with several files it needs --output DIR.")
            return
        names = Counter(Path(file).name for file in files)
        name, number = names.most_common(1)[0]
        if number > 1:
            raise ArgumentError(
                f"--output: {number} files have the name {name}, and the result of one would replace that of another. "
                "Extract them one after the other, into different folders."
            )
        self.folder.mkdir(parents=True, exist_ok=True)

    def get_path(self, file: str) -> Path | None:
        """Return the file for the result of a document."""
        return None if self.folder is None else self.folder / f"{Path(file).name}.{self.format_name}"


class ResultWriter:
    """Writes results."""

    def __init__(self, reader: JobReader, output: Output, scope: Scope) -> None:
        self._reader = reader
        self._output = output
        self._scope = scope
        self._printed: set[int] = set()

    async def write(self, state: FileState) -> None:
        """Write the result of a job that has ended, if it has one.

        Raises:
            LlxError: the result cannot be read.
            OSError: it cannot be written.
        """
        job = await self._reader.fetch(JobRequest(state.job_id or "", scope=self._scope))
        if self._output.folder is None and not self._output.is_single:
            self._print_line(state, job)
        elif job.is_success and job.has_result:
            await anyio.to_thread.run_sync(self._export, state.path, job)

    def finish(self, states: Sequence[FileState]) -> None:
        """Print a line for each file that has none, so that none is left out."""
        if self._output.folder is None and not self._output.is_single:
            for state in states:
                if id(state) not in self._printed:
                    self._print_line(state, None)

    def _export(self, file: str, job: "Job") -> None:
        path = self._output.get_path(file)
        if path is None:
            self._write(job, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return
        with replace_file(path) as target:
            self._write(job, target)

    def _write(self, job: "Job", target: IO[bytes]) -> None:
        from llx_mcp.cli.export_formats import export
        from llx_mcp.result.sections import JobSections

        document = JobSections(job.sections).document
        exported = export(document, _ROOT, self._output.format_name, target, provenance=self._output.provenance)
        for note in exported.notes:
            print_error(note)

    def _print_line(self, state: FileState, job: "Job | None") -> None:
        from llx_mcp.cli.export_formats import encode_json
        from llx_mcp.raw_json import decode_json

        self._printed.add(id(state))
        line: dict[str, Any] = {"file": state.path, "job_id": state.job_id, "status": state.status}
        error = describe_error(state.error) if state.error else job.error_message if job is not None else None
        if error is not None:
            line["error"] = error
        raw = None if job is None else job.raw("extract_result")
        line["result"] = None if raw is None else decode_json(raw)
        sys.stdout.buffer.write(encode_json(line) + b"\n")
        sys.stdout.buffer.flush()
