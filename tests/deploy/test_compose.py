"""The topology of compose.yaml, started as processes from the same settings: two replicas behind nginx, with Redis."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from llx_mcp.serving.settings import HttpSettings
from llx_mcp.settings import Settings
from tests.deploy.files import DEPLOY, read_image_command, read_image_environment, read_yaml
from tests.server.serving import LLX, find_port, listens
from tests.serving.replicas import LEGACY, MODERN, Answer, build_message, read_answer
from tests.waiting import block_until

SERVICES: dict[str, dict[str, Any]] = read_yaml(DEPLOY / "compose.yaml")["services"]
REPLICAS = ("replica-1", "replica-2")
KEY = "llx-any-key"
JOB = "ext-sample0invoice00000000000000"


@dataclass
class Topology:
    """Processes, and the free port of this machine that stands for each port of compose.yaml."""

    ports: dict[str, int]
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['8080']}"

    def replace(self, text: str) -> str:
        """Replace the ports and the names of machines of compose.yaml by those of this test."""
        text = re.sub(r"\b(api|redis):(?=\d)", "127.0.0.1:", text)
        return re.sub(r"\b(\d{4})\b", lambda match: str(self.ports.get(match[1], match[1])), text)

    def start(self, name: str, command: list[str], environment: dict[str, str], port: str) -> None:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
        self.processes[name] = process
        block_until(lambda: listens(self.ports[port]) or process.poll() is not None)
        assert process.poll() is None, f"{name} ended"

    def start_llx(self, name: str, port: str) -> None:
        """Start a service of our image."""
        command = SERVICES[name].get("command") or read_image_command()
        variables = read_image_environment() | SERVICES[name].get("environment", {})
        environment = {key: self.replace(value) for key, value in variables.items() if key != "PATH"}
        self.start(name, [*LLX, *(self.replace(word) for word in command)], environment, port)

    def call(self, http: httpx.Client, version: str = MODERN, **headers: str) -> Answer:
        """Read the sample job through nginx."""
        content, sent = build_message("tools/call", {"name": "get_extract_job", "arguments": {"job_id": JOB}}, version)
        sent["authorization"] = f"Bearer {KEY}"
        return read_answer(http.post(f"{self.url}/mcp", content=content, headers=sent | headers))

    def count_calls(self, port: str) -> float:
        """Return how many calls a replica has answered, as its metrics say."""
        text = httpx.get(f"http://127.0.0.1:{self.ports[port]}/metrics", timeout=30).text
        return sum(
            float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith("llx_mcp_calls_total")
        )


@pytest.fixture
def topology(tmp_path: Path) -> Iterator[Topology]:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed: apt-get install nginx")
    topology = Topology({name: find_port() for name in ("8765", "8001", "8002", "9001", "9002", "6379", "8080")})
    try:
        topology.start_llx("api", "8765")
        if redis := shutil.which("redis-server"):
            _, *flags = SERVICES["redis"]["command"]
            topology.start("redis", [redis, "--port", str(topology.ports["6379"]), *flags], {}, "6379")
        topology.start_llx("replica-1", "8001")
        topology.start_llx("replica-2", "8002")
        config = topology.replace((DEPLOY / "nginx.conf").read_text()).replace("/tmp/", f"{tmp_path}/")  # noqa: S108
        (tmp_path / "nginx.conf").write_text(config)
        command = [nginx, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-g", "daemon off;"]
        topology.start("nginx", command, {}, "8080")
        yield topology
    finally:
        for process in reversed(topology.processes.values()):
            process.terminate()
        for process in topology.processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def test_callers_are_served_by_both_replicas_and_by_one_when_the_other_stops(topology: Topology) -> None:
    with httpx.Client(timeout=60) as http:
        for version in (LEGACY, MODERN) * 4:
            answer = topology.call(http, version, **{"x-request-id": "from-the-client"})
            assert (answer.status, answer.content["status"]) == (200, "COMPLETED")
            assert answer.headers["x-request-id"] == "from-the-client"
        assert topology.count_calls("9001") > 0
        assert topology.count_calls("9002") > 0

        topology.processes["replica-1"].terminate()
        assert [topology.call(http).status for _ in range(20)] == [200] * 20
        topology.processes["replica-1"].wait(30)
        assert [topology.call(http).status for _ in range(5)] == [200] * 5


def test_only_the_endpoints_for_callers_pass_the_proxy(topology: Topology) -> None:
    with httpx.Client(timeout=60, base_url=topology.url) as http:
        assert http.get("/readyz").json()["status"] == "ready"
        assert {path: http.get(path).status_code for path in ("/", "/metrics", "/healthz", "/mcp/..")} == {
            "/": 404,
            "/metrics": 404,
            "/healthz": 404,
            "/mcp/..": 404,
        }
        assert http.post("/mcp", content=b"{}").status_code == 401
        assert http.post("/mcp", content=b"{}", headers={"host": "evil.example"}).status_code == 421
        assert http.post("/mcp", content=b" " * (5 << 20)).status_code == 413


def test_progress_passes_the_proxy_before_the_answer(topology: Topology) -> None:
    arguments = {"job_id": JOB, "timeout_seconds": 5}
    parameters = {"name": "wait_for_extract_job", "arguments": arguments, "_meta": {"progressToken": 1}}
    content, headers = build_message("tools/call", parameters)
    headers["authorization"] = f"Bearer {KEY}"
    url = f"{topology.url}/mcp"
    with httpx.Client(timeout=60) as http, http.stream("POST", url, content=content, headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        messages = [line for line in response.iter_lines() if line.startswith("data: {")]
    assert "notifications/progress" in messages[0]


@pytest.mark.parametrize("name", SERVICES)
def test_container_has_no_rights_and_a_file_system_that_is_read_only(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"], len(service["tmpfs"])) == (True, ["ALL"], 1)
    assert "no-new-privileges:true" in service["security_opt"]


@pytest.mark.parametrize("name", REPLICAS)
def test_settings_of_a_replica_exist_and_its_grace_time_is_kept(name: str) -> None:
    aliases = {str(field.validation_alias) for kind in (Settings, HttpSettings) for field in kind.model_fields.values()}
    environment = read_image_environment() | SERVICES[name]["environment"]
    # The setting of Redis comes with its own module.
    known = aliases | {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "LLX_MCP_REDIS_URL"}
    assert environment.keys() <= known
    grace_seconds = float(HttpSettings.model_fields["grace_seconds"].default)
    assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) >= grace_seconds + 5
