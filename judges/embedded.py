"""The judges of the embedded API: the official npm client, and schemathesis with the service's own description."""

import os
import subprocess
from pathlib import Path

from llx_mcp.local.embedded import run_embedded

HERE = Path(__file__).parent
ROOT = HERE.parent
OPENAPI = ROOT.parent / "shared" / "upstream" / "llamacloud-extract-openapi.json"
INVOICE = ROOT / "llx_mcp" / "local" / "samples" / "invoice.pdf"
SCHEMATHESIS = "schemathesis==4.32.5"

# Each for the id that `llama-cloud.mjs` asks for.
FAULTS = (
    "unavailable:path=ext-always-503",
    "rate-limited:path=ext-always-429",
    "out-of-credits:path=ext-always-402",
    "disconnect:path=ext-always-cut",
    "unavailable:path=ext-once-503,times=1",
    "rate-limited:path=ext-once-429,times=1,retry_after=1",
    "disconnect:path=ext-once-cut,times=1",
)
CHECKS = "not_a_server_error,response_schema_conformance,content_type_conformance"
MAX_SECONDS = 60


def judge_npm_client(home: Path, node: Path) -> bool:
    """The official npm client gets, lists, creates, waits, cancels, deletes, retries and fails as with LlamaCloud."""
    # Its library is found from where the script lies.
    script = home / "llama-cloud.mjs"
    script.write_text((HERE / script.name).read_text())
    with run_embedded(with_samples=True) as api:
        api.set_faults(*FAULTS)
        run = subprocess.run([node, script, api.base_url, INVOICE], capture_output=True, text=True, timeout=300)
    if run.returncode:
        print(run.stdout + run.stderr)
    return run.returncode == 0


def judge_description(schemathesis: Path) -> bool:
    """Requests drawn from the service's OpenAPI file meet no 5xx, and no answer outside its schema."""
    if not OPENAPI.exists():
        path = OPENAPI.relative_to(ROOT.parent)
        print(f"Schemathesis did not run: the service's OpenAPI file is not at {path}, next to this checkout.")
        return not os.environ.get("LLX_MCP_TESTS_NEED_CORPUS")
    with run_embedded(with_samples=True) as api:
        run = subprocess.run(
            [
                schemathesis, "run", OPENAPI, "--url", api.base_url, "--header", f"Authorization: Bearer {api.api_key}",
                "--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", "40", "--seed", "1",
                "--max-time", str(MAX_SECONDS), "--suppress-health-check", "all", "--warnings", "off",
                "--continue-on-failure", "--no-shrink",
            ],
            capture_output=True, text=True, timeout=MAX_SECONDS + 60, cwd=schemathesis.parent,
        )  # fmt: skip
    if run.returncode:
        print(run.stdout + run.stderr)
    return run.returncode == 0
