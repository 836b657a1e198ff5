"""The unmodified official client reads jobs from the embedded API on a port."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import llama_cloud
import pytest
from llama_cloud import LlamaCloud
from llama_cloud.types import TextItem

from llx_mcp.local import SAMPLES, Sample
from llx_mcp.local.samples import read_sample
from llx_mcp.models import EXPANDABLE_SECTIONS
from tests.conftest import CORPUS_JOBS

LLX = [sys.executable, "-m", "llx_mcp"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run `llx-mcp local serve` over a store with the samples and every real job of the corpus, if there is one."""
    store = str(tmp_path_factory.mktemp("store") / "jobs.db")
    if CORPUS_JOBS:
        subprocess.run([*LLX, "local", "import", *map(str, CORPUS_JOBS), "--local-db", store], check=True)
    server = subprocess.Popen(
        [*LLX, "local", "serve", "--port", "0", "--local-db", store, "--with-samples"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr
    line = server.stderr.readline()
    # The line is printed when the port listens. An early connection waits until the server accepts it.
    yield line.split(" at ")[1].split(",")[0]
    server.terminate()
    server.wait(timeout=10)
    server.stderr.close()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_official_client_reads_every_sample(client: LlamaCloud, sample: Sample) -> None:
    job = client.extract.get(sample.job_id, expand=list(EXPANDABLE_SECTIONS))
    expected = json.loads(read_sample(sample))
    assert job.id == expected["id"]
    if job.status == expected["status"]:
        assert job.extract_result == expected["extract_result"]


@pytest.mark.parametrize("name", [path.name for path in CORPUS_JOBS] or ["missing"])
def test_official_client_reads_every_real_job(client: LlamaCloud, corpus: Path, name: str) -> None:
    expected = json.loads((corpus / name).read_bytes())
    job = client.extract.get(expected["id"], expand=list(EXPANDABLE_SECTIONS))
    assert job.extract_result == expected["extract_result"]
    assert job.extract_metadata is not None
    assert job.configuration is not None
    assert job.extract_metadata.to_dict()["field_metadata"] == expected["extract_metadata"]["field_metadata"]
    assert client.extract.get(expected["id"]).extract_metadata is None


PARSED = [sample for sample in SAMPLES if json.loads(read_sample(sample))["extract_metadata"]]
PARSE_SECTIONS = ("text", "markdown", "items", "metadata", "text_full", "markdown_full")


@pytest.mark.parametrize("sample", PARSED, ids=lambda sample: sample.name)
def test_official_client_reads_the_parse_job_of_every_sample(client: LlamaCloud, sample: Sample) -> None:
    expected = json.loads(read_sample(sample))
    parse_job_id = expected["extract_metadata"]["parse_job_id"]
    answer = client.parsing.get(parse_job_id, expand=[*PARSE_SECTIONS, "usage"])
    assert (answer.job.id, answer.job.status, answer.job.project_id) == (
        parse_job_id, "COMPLETED", expected["project_id"],
    )  # fmt: skip
    assert answer.text
    assert answer.items
    assert answer.markdown
    assert answer.metadata
    assert answer.text_full == "\n\n".join(page.text for page in answer.text.pages)
    assert answer.markdown_full
    numbers = list(range(1, len(answer.text.pages) + 1))
    for section in (answer.text, answer.items, answer.markdown, answer.metadata):
        assert [page.page_number for page in section.pages] == numbers
    for page, words in zip(answer.items.pages, answer.text.pages, strict=True):
        assert page.success
        assert [item.value for item in page.items if isinstance(item, TextItem)] == words.text.split("\n")


@pytest.mark.parametrize("name", PARSE_SECTIONS)
def test_official_client_reads_one_section_of_a_parse_job(client: LlamaCloud, name: str) -> None:
    parse_job_id = json.loads(read_sample(PARSED[0]))["extract_metadata"]["parse_job_id"]
    answer = client.parsing.get(parse_job_id, expand=[name])
    assert [section for section in PARSE_SECTIONS if getattr(answer, section)] == [name]


def test_unknown_parse_job_raises_not_found(client: LlamaCloud) -> None:
    with pytest.raises(llama_cloud.NotFoundError):
        client.parsing.get("pjb-nowhere")


def test_errors_raise_official_client_exceptions(client: LlamaCloud, url: str) -> None:
    with pytest.raises(llama_cloud.NotFoundError):
        client.extract.get("ext-nowhere")
    with pytest.raises(llama_cloud.UnprocessableEntityError):
        client.extract.get(SAMPLES[0].job_id, project_id="no-uuid")
    with (
        LlamaCloud(api_key="other", base_url=url, max_retries=0) as unauthorized,
        pytest.raises(llama_cloud.AuthenticationError),
    ):
        unauthorized.extract.get(SAMPLES[0].job_id)
