"""`python -m samples [FOLDER]` draws the documents and writes the jobs, by default into the package."""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

from llx_mcp.local.samples import SAMPLES
from samples import invoice, lab_report, loan_agreement, statement
from samples.canvas import Record
from samples.jobs import build_completed_job, build_job_without_result, convert_to_older_format

PACKAGED = Path(__file__).parent.parent / "llx_mcp" / "local" / "samples"
FILE_IDS = {
    "invoice": "dfl-sample0invoice00000000000000",
    "statement": "dfl-sample0statement000000000000",
    "lab_report": "dfl-sample0lab0report00000000000",
    "loan_agreement": "dfl-sample0loan0agreement0000000",
}
NUM_PAGES = {"invoice": 2, "statement": 40, "lab_report": 1, "loan_agreement": 5}
FAILURE_REASON = "Page 2 of the document is encrypted and could not be parsed."


def write_samples(folder: Path) -> None:
    """Write every document and job into a folder. Each run writes the same bytes."""
    drawn = {
        module.__name__.rpartition(".")[2]: module.draw() for module in (invoice, statement, lab_report, loan_agreement)
    }
    for name, (pdf, _) in drawn.items():
        (folder / f"{name}.pdf").write_bytes(pdf)
    for sample in SAMPLES:
        job = _build_job(sample.name, sample.job_id, sample.document, drawn[sample.document][1])
        body = json.dumps(job, ensure_ascii=False, separators=(",", ":")).encode()
        (folder / f"{sample.name}.job.json.gz").write_bytes(gzip.compress(body, mtime=0))


def _build_job(name: str, job_id: str, document: str, tree: Record) -> dict[str, Any]:
    file_id, pages = FILE_IDS[document], NUM_PAGES[document]
    match name:
        case "failed_reason":
            return build_job_without_result(job_id, file_id, "FAILED", tree, pages, reason=FAILURE_REASON)
        case "failed_silent":
            return build_job_without_result(job_id, file_id, "FAILED", tree, pages)
        case "cancelled":
            return build_job_without_result(job_id, file_id, "CANCELLED", tree, pages)
        case "null_result":
            return build_job_without_result(job_id, file_id, "COMPLETED", tree, pages)
        case "table_rows":
            return build_completed_job(job_id, file_id, lab_report.get_rows(tree), pages, target="per_table_row")
        case "older_format":
            return convert_to_older_format(build_completed_job(job_id, file_id, tree, pages))
        case _:
            return build_completed_job(job_id, file_id, tree, pages)


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGED)
