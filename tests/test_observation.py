"""Observers see how each step ended, and never an exception."""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import pytest

from llx_mcp.observation import Step, observe, set_observers


class Recorder:
    def __init__(self) -> None:
        self.ended: list[Step] = []
        self.seen: list[BaseException] = []

    @contextmanager
    def watch(self, step: Step) -> Iterator[None]:
        try:
            yield
        except BaseException as exc:
            self.seen.append(exc)
            raise
        self.ended.append(step)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    set_observers(recorder)
    yield recorder
    set_observers()


def test_outcome_is_ok_or_what_the_step_says(recorder: Recorder) -> None:
    with observe("poll", kind="list"):
        pass
    with observe("cache") as step:
        step.outcome = "hit"
    assert recorder.ended == [Step("poll", {"kind": "list"}), Step("cache", {}, "hit")]


def test_exception_is_raised_and_only_its_class_is_observed(recorder: Recorder) -> None:
    with pytest.raises(ValueError, match="a word of a document"), observe("worker", question="read"):
        raise ValueError("a word of a document")
    assert (recorder.ended, recorder.seen) == ([Step("worker", {"question": "read"}, "ValueError")], [])


async def test_cancelled_step_is_observed_as_cancelled(recorder: Recorder) -> None:
    with anyio.CancelScope() as scope, observe("poll", kind="job"):
        scope.cancel()
        await anyio.sleep_forever()
    assert [step.outcome for step in recorder.ended] == ["cancelled"]


def test_nothing_is_observed_without_observers() -> None:
    with observe("cache") as step:
        assert step == Step("cache")
