"""A worker answers about the job that it holds, within limits of memory and time, and its end is explained."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llx_mcp.answers.dispatch import (
    BuildTables,
    DecodeJob,
    JoinedQueryQuestion,
    LoadJob,
    LoadJobs,
    LoadSource,
    SourceTextQuestion,
    Step,
    encode_step,
)
from llx_mcp.answers.requests import JobRequest, JobsRequest, SourceOptions
from llx_mcp.answers.wait_report import JobRow
from llx_mcp.errors import ArgumentError
from llx_mcp.evidence.pages import SourcePage, SourceText, encode_source
from llx_mcp.workers.child import MAX_CACHED_ANSWERS, LoadedJob
from llx_mcp.workers.frames import write_frame
from llx_mcp.workers.worker import OutOfMemoryError, UnreadableError, Worker, WorkerDiedError
from tests.platforms import HAS_SIGNALS, LIMITS_MEMORY
from tests.workers.steps import ENOUGH_SECONDS, HEADING, HUGE, job_body, question, send


@pytest.fixture
def worker() -> Iterator[Worker]:
    """A worker that holds a job."""
    started = Worker.start()
    send(started, LoadJob(), job_body(7))
    yield started
    started.end()
    assert started.process.returncode is not None


def ask(worker: Worker, sql: str, deadline_seconds: float = 60.0) -> Any:
    """Run a query in a worker and return its rows."""
    send(worker, BuildTables(sql))
    return send(worker, question(sql, deadline_seconds))["rows"]["rows"]


def limits_of(worker: Worker) -> dict[str, str]:
    """Return the soft limits of a worker."""
    lines = Path(f"/proc/{worker.process.pid}/limits").read_text().splitlines()
    return {line[:26].strip(): line[26:47].strip() for line in lines}


def test_worker_is_ready_after_answers_and_errors(worker: Worker) -> None:
    assert ask(worker, "SELECT n FROM rows LIMIT 1") == [[7]]
    assert worker.is_ready
    with pytest.raises(ArgumentError, match="no column m"):
        ask(worker, "SELECT m FROM rows")
    assert worker.is_ready
    assert send(worker, DecodeJob()) is None
    assert ask(worker, "SELECT sum(n) FROM rows") == [[21]]


def test_new_job_replaces_the_previous_one_and_its_answers(worker: Worker) -> None:
    sql = "SELECT n FROM rows LIMIT 1"
    assert [ask(worker, sql), send(worker, LoadJob(), job_body(8)), ask(worker, sql)] == [[[7]], None, [[8]]]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"no JSON", "is not valid JSON"),
        (b'{"extract_result": {"a": 1e}}', "is not valid JSON"),
        (b'{"extract_result": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}", "is nested too deeply"),
        (b'{"extract_result": {"a": "\xff"}}', "is not valid UTF-8"),
    ],
)
def test_unreadable_job_says_why_and_leaves_the_worker_ready(worker: Worker, body: bytes, why: str) -> None:
    def read() -> None:
        send(worker, LoadJob(), body)
        send(worker, DecodeJob())

    with pytest.raises(UnreadableError) as caught:
        read()
    assert str(caught.value) == why
    assert worker.is_ready
    send(worker, LoadJob(), job_body(9))
    assert ask(worker, "SELECT n FROM rows LIMIT 1") == [[9]]


def test_several_jobs_replace_one_job_and_are_replaced_by_it(worker: Worker) -> None:
    one, other, broken = job_body(8), job_body(9), b'{"extract_result": {"a": 1e}}'
    send(worker, LoadJobs({"ext-1": len(one), "ext-2": len(broken), "ext-3": len(other)}), one + broken + other)
    sql = "SELECT job_id, sum(n) FROM rows GROUP BY job_id"
    assert send(worker, BuildTables(sql)) is None
    jobs = tuple(JobRow(job_id, "COMPLETED", has_ended=True) for job_id in ("ext-1", "ext-2", "ext-3"))
    answer = send(worker, JoinedQueryQuestion(JobsRequest(("ext-1", "ext-2", "ext-3")), jobs, sql, 60.0))
    assert answer["rows"]["rows"] == [["ext-1", 24], ["ext-3", 27]]
    assert answer["jobs"]["rows"][1] == ["ext-2", "COMPLETED", "its result or its metadata is not valid JSON"]
    assert worker.is_ready
    send(worker, LoadJob(), job_body(5))
    assert ask(worker, "SELECT * FROM rows LIMIT 1") == [[5]]


def test_question_about_one_job_is_none_about_several() -> None:
    joined = encode_step(Step(JoinedQueryQuestion(JobsRequest(("ext-1",)), (), "SELECT 1", 1.0), 1.0))
    with pytest.raises(TypeError, match="not a question about what is loaded"):
        LoadedJob(b"{}").answer(joined)
    with pytest.raises(TypeError, match="not a question about what is loaded"):
        LoadedJob(b"{}", {"ext-1": 2}).answer(encode_step(Step(question("SELECT 1"), 1.0)))


@LIMITS_MEMORY
def test_query_that_needs_too_much_memory_ends_the_worker(worker: Worker) -> None:
    with pytest.raises(OutOfMemoryError):
        ask(worker, HUGE)
    assert not worker.is_ready
    assert worker.process.wait(20) == 0


@LIMITS_MEMORY
def test_memory_limit_grows_with_the_job(worker: Worker) -> None:
    before = int(limits_of(worker)["Max address space"])
    num_pages = int(Path(f"/proc/{worker.process.pid}/statm").read_text().split()[0])
    used = num_pages * os.sysconf("SC_PAGE_SIZE")
    assert before - used == pytest.approx(768 << 20, abs=32 << 20)
    body = job_body("x" * 10_000_000)
    send(worker, LoadJob(), body)
    after = int(limits_of(worker)["Max address space"])
    # It also holds the body, perhaps twice.
    assert 12 * len(body) <= after - before <= 16 * len(body) + (32 << 20)


@LIMITS_MEMORY
def test_processor_time_is_limited_anew_for_each_step(worker: Worker) -> None:
    limits = []
    for seconds in (2.0, 100.0, 2.0):
        send(worker, DecodeJob(), seconds=seconds)
        limits.append(int(limits_of(worker)["Max cpu time"]))
    # The worker has used less than a few seconds, and gets three to spare.
    assert [0 <= limit - seconds - 3 <= 5 for limit, seconds in zip(limits, (2, 100, 2), strict=True)] == [True] * 3


@HAS_SIGNALS
def test_work_ends_by_itself_if_the_parent_does_not_stop_it(worker: Worker) -> None:
    endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"
    with pytest.raises(WorkerDiedError, match=r"^signal SIGXCPU$"):
        send(worker, question(endless, deadline_seconds=1_000.0), seconds=0.0)
    assert not worker.is_ready


@HAS_SIGNALS
def test_keyboard_interrupt_is_left_to_the_parent(worker: Worker) -> None:
    os.kill(worker.process.pid, signal.SIGINT)
    assert ask(worker, "SELECT n FROM rows LIMIT 1") == [[7]]


# Not SIGHUP: a worker inherits that it is ignored under nohup.
@HAS_SIGNALS
@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_killed_worker_names_the_signal(worker: Worker, name: str) -> None:
    os.kill(worker.process.pid, getattr(signal, name))
    with pytest.raises(WorkerDiedError, match=f"^signal {name}$"):
        send(worker, DecodeJob())
    assert not worker.is_ready


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise SystemExit(3)", "exit status 3"),
        ("raise SystemExit(0)", "exit status 0"),
        # A process that replies has read its request; else the request meets a closed pipe.
        ("import sys; sys.stdin.read(9); sys.stdout.write('x' * 100)", "its reply was too large"),
        (
            "import sys, struct; sys.stdin.read(9); sys.stdout.buffer.write(struct.pack('>IQ', 7, 0) + b'garbage')",
            "its reply was not valid",
        ),
        (
            "import sys, struct; sys.stdin.read(9); head = b'{\"structured_bytes\": 7}'; "
            "sys.stdout.buffer.write(struct.pack('>IQ', len(head), 7) + head + b'garbage')",
            "its reply was not valid",
        ),
        ("import os, time; os.close(1); os.close(0); time.sleep(60)", "it closed its pipes"),
    ],
)
def test_process_that_does_not_reply_is_explained(code: str, why: str) -> None:
    command = [sys.executable, "-I", "-S", "-c", code]
    worker = Worker(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    with pytest.raises(WorkerDiedError) as caught:
        send(worker, DecodeJob())
    assert str(caught.value) == why
    assert not worker.is_ready
    worker.end()


def test_signal_without_a_name_is_a_number() -> None:
    process: Any = SimpleNamespace(stdin=io.BytesIO(), stdout=io.BytesIO(), wait=lambda _: -99)
    with pytest.raises(WorkerDiedError, match=r"^signal 99$"):
        send(Worker(process), DecodeJob())


def test_system_that_starts_no_process_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(WorkerDiedError, match="could not be started: No such file"):
        Worker.start()


def test_ending_a_worker_closes_its_pipes_and_may_be_repeated() -> None:
    worker = Worker.start()
    for _ in range(2):
        worker.end()
        assert worker.process.returncode is not None
        assert worker.process.stdin is not None
        assert worker.process.stdout is not None
        assert worker.process.stdin.closed
        assert worker.process.stdout.closed


def test_worker_ends_with_its_parent(worker: Worker) -> None:
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert worker.process.wait(20) == 0


def test_worker_has_no_key_and_no_other_variable(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", "llx-secret")
    monkeypatch.setenv("TMPDIR", "/tmp/elsewhere")  # noqa: S108 - nothing is written there
    other = Worker.start()
    send(other, LoadJob(), job_body(1))
    environment = Path(f"/proc/{other.process.pid}/environ")
    if environment.exists():
        names = {pair.partition(b"=")[0] for pair in environment.read_bytes().split(b"\0") if pair}
        assert names == {b"TMPDIR"}
    other.end()


def test_output_of_a_library_does_not_reach_the_replies() -> None:
    code = "from llx_mcp.workers import child; child.serve = lambda requests, replies: print('hello'); child.main()"
    code = f"import sys; sys.path[:] = {sys.path!r}; {code}"
    run = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, check=True, timeout=60)
    assert (run.stdout, run.stderr.strip()) == (b"", b"hello")


def test_latest_sixteen_answers_are_cached() -> None:
    job = LoadedJob(job_body(1))
    job.reader.build_tables("rows")
    heads = [encode_step(Step(question(f"SELECT {number} FROM rows"), 1.0)) for number in range(17)]
    first, *others = [job.answer(head) for head in heads]
    info = job.answer.cache_info()
    assert (MAX_CACHED_ANSWERS, info.currsize, info.hits) == (16, 16, 0)
    assert [job.answer(head) for head in heads[1:]] == others
    assert job.answer.cache_info().hits == 16
    assert job.answer(heads[0]) == first
    assert job.answer.cache_info().misses == 18


def test_step_that_is_no_question_has_no_answer() -> None:
    with pytest.raises(TypeError, match="not a question"):
        LoadedJob(b"{}").answer(encode_step(Step(LoadJob(), 1.0)))


def test_frame_that_is_no_step_ends_the_worker(worker: Worker) -> None:
    assert worker.process.stdin is not None
    write_frame(worker.process.stdin, b"garbage")
    assert worker.process.wait(20) == 1


SOURCE_QUESTION = SourceTextQuestion(JobRequest("ext-1"), HEADING, SourceOptions())


def source_body(word: str) -> bytes:
    """Return the text of a document of one word, encoded."""
    return encode_source(SourceText("document", [SourcePage(1, [word], [0])]))


def read_source(job: LoadedJob, *, with_source: bool = True) -> str:
    """Return the answer of a loaded job about the text of its document."""
    step = Step(SOURCE_QUESTION, ENOUGH_SECONDS, with_source)
    return job.handle(encode_step(step), step)[1].decode()


def test_answers_with_one_text_of_the_document_do_not_survive_another() -> None:
    job = LoadedJob(job_body(7))
    assert "the text was not fetched" in read_source(job)
    for word in ("first", "second"):
        job.load_source(source_body(word))
        assert f'"{word}"' in read_source(job)
        assert "the text was not fetched" in read_source(job, with_source=False)
    assert '"first"' not in read_source(job)
    assert job.answer.cache_info().hits == 1


def test_worker_answers_with_the_text_of_the_document_and_forgets_it_with_the_job(worker: Worker) -> None:
    send(worker, LoadSource(), source_body("word"))
    step = Step(SOURCE_QUESTION, ENOUGH_SECONDS, with_source=True)
    answer = worker.exchange(encode_step(step))
    assert answer is not None
    assert answer.structured["lines"]["rows"] == [[1, 1, "word"]]
    send(worker, LoadJob(), job_body(8))
    answer = worker.exchange(encode_step(step))
    assert answer is not None
    assert answer.structured["problem"] == "the text was not fetched"


def test_text_that_is_no_text_is_unreadable_and_the_worker_goes_on(worker: Worker) -> None:
    with pytest.raises(UnreadableError):
        send(worker, LoadSource(), b"nothing")
    assert ask(worker, "SELECT n FROM rows LIMIT 1") == [[7]]
