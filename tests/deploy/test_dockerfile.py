"""The image is small, pinned, and runs without rights; its health check tells a server that answers from one that does
not."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.deploy.files import (
    DEPLOY,
    DOCKERFILE,
    PROJECT,
    find_instruction,
    read_image_command,
    read_image_environment,
    read_instructions,
    read_yaml,
)
from tests.server.serving import find_port, serving_http

HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed: pip install --group deploy")
def test_linter_finds_nothing() -> None:
    run = subprocess.run(
        [str(HADOLINT), "--failure-threshold", "style", str(DOCKERFILE)], capture_output=True, text=True
    )
    assert (run.stdout, run.returncode) == ("", 0)


def test_images_are_pinned_by_tag() -> None:
    images = [rest.split()[0] for name, rest in read_instructions() if name == "FROM"]
    services = read_yaml(DEPLOY / "compose.yaml")["services"].values()
    images += [service["image"] for service in services if "build" not in service]
    assert len(images) == 4
    for image in images:
        assert image.partition(":")[2] not in ("", "latest"), image


def test_last_stage_copies_the_environment_alone_and_runs_without_rights() -> None:
    instructions = read_instructions()
    last = instructions[max(index for index, (name, _) in enumerate(instructions) if name == "FROM") :]
    assert [rest for name, rest in last if name in ("COPY", "ADD", "RUN")] == ["--from=build /opt/llx-mcp /opt/llx-mcp"]
    assert find_instruction("USER") == "10001:10001"


def test_all_that_is_copied_exists_and_nothing_else_is_sent() -> None:
    stage = [
        rest.split()[:-1] for name, rest in read_instructions() if name == "COPY" and not rest.startswith("--from")
    ]
    copied = {name for names in stage for name in names}
    assert all((ROOT / name).exists() for name in copied)
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert sent == copied


def test_extras_of_the_image_exist() -> None:
    extras = find_instruction("RUN").partition("'.[")[2].partition("]")[0].split(",")
    assert {"metrics", "otel"} <= set(extras)
    assert set(extras) - {"redis"} <= PROJECT["optional-dependencies"].keys()


def test_health_check_passes_only_while_the_server_is_ready() -> None:
    _, _, check = find_instruction("HEALTHCHECK").partition("CMD ")
    _, *arguments = json.loads(check)

    def run_check(port: int) -> int:
        environment = {"LLX_MCP_HTTP_PORT": str(port)}
        return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True).returncode

    port = find_port()
    assert run_check(port) == 1
    with serving_http("--local", "--auth", "pass-through", port=port):
        assert run_check(port) == 0


def test_image_serves_http_with_metrics_and_json_log() -> None:
    environment = read_image_environment()
    assert read_image_command() == ["serve", "--http"]
    assert environment["LLX_MCP_HTTP_HOST"] == environment["LLX_MCP_METRICS_HOST"] == "0.0.0.0"
    ports = [environment["LLX_MCP_HTTP_PORT"], environment["LLX_MCP_METRICS_PORT"]]
    assert find_instruction("EXPOSE").split() == ports
