"""What it costs a model to answer the forty questions of `tests/questions.py`: calls, and tokens of their answers."""

import json
from collections import defaultdict

import anyio

from benchmarks.tokens import CORPUS, count_tokens
from llx_mcp.result.sanitize import dump_json
from tests.questions import QUESTIONS
from tests.server.test_tools import text_of
from tests.test_questions import open_client

MOST_TOKENS = 4_000
LARGEST = 4
MOST_SHARE = 0.03


def run() -> None:
    """Print the cost of each question."""
    if not CORPUS.exists():
        print(f"{CORPUS} is not there: no questions asked.")
        return
    anyio.run(_ask_all)


async def _ask_all() -> None:
    whole = {
        question.job: count_tokens(dump_json(json.loads((CORPUS / f"{question.job}.job.json").read_bytes())))
        for question in QUESTIONS
    }
    largest = sorted(whole, key=lambda job: -whole[job])[:LARGEST]
    print("| question | calls | tokens, text / structured | share of the whole job |\n|---|---|---|---|")
    worst: dict[str, float] = defaultdict(float)
    async with open_client(CORPUS) as client:
        for question in QUESTIONS:
            text, data = 0, 0
            for tool, arguments in question.calls:
                call = {"job_id": question.job} | arguments
                result = await client.call_tool(tool, call)
                asked = count_tokens(dump_json({"name": tool, "arguments": call}))
                text += asked + count_tokens(text_of(result))
                data += asked + count_tokens(dump_json(result.structured_content))
            share = max(text, data) / whole[question.job]
            worst["tokens"] = max(worst["tokens"], text, data)
            if question.job in largest:
                worst["share"] = max(worst["share"], share)
            print(f"| {question.job}: {question.words} | {len(question.calls)} | {text} / {data} | {share:.1%} |")
    print(f"\nMost tokens for a question: {worst['tokens']:.0f} (bar {MOST_TOKENS:,}).")
    print(f"Largest share on the {LARGEST} largest jobs: {worst['share']:.1%} (bar {MOST_SHARE:.0%}).")
