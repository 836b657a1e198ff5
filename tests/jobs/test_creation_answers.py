"""A person is asked about the very document and options, and about what it costs."""

from pathlib import Path
from typing import Any

from llx_mcp.jobs.creation_answers import describe_plan
from llx_mcp.jobs.creation_plan import CreationPlan, CreationRequest
from tests.jobs.creating import SCHEMA, Workshop


async def plan(folder: Path, text: str, **request: Any) -> CreationPlan:
    """Plan a job of a text."""
    (folder / "a.txt").write_text(text)
    async with Workshop(folder).open() as reader:
        return await reader.writer.creator.plan(CreationRequest(file="a.txt", data_schema=SCHEMA, **request))


async def test_question_is_another_one_for_another_content(tmp_path: Path) -> None:
    texts = [describe_plan(await plan(tmp_path, text), is_billed=True) for text in ("AAAA", "AAAA", "BBBB")]
    assert texts[0] == texts[1] != texts[2]
    # SHA-256 of AAAA.
    assert "Content: SHA-256 63c1dd95…" in texts[0]


async def test_question_says_what_is_billed_and_that_it_is_a_repetition(tmp_path: Path) -> None:
    first, again = await plan(tmp_path, "AAAA"), await plan(tmp_path, "AAAA", again=True)
    assert describe_plan(first, is_billed=True).endswith("LlamaCloud bills credits for it.")
    assert "bills" not in describe_plan(first, is_billed=False)
    assert "again=true" not in describe_plan(first, is_billed=True)
    assert "even if there is one of the same document and options (again=true)" in describe_plan(again, is_billed=False)
