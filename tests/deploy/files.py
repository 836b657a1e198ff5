"""The files that run the server, as their tools read them."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "Dockerfile"
CHART = DEPLOY / "helm" / "llx-mcp"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def read_instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, each with its arguments, continued lines joined."""
    text = re.sub(r"\\\n", "", DOCKERFILE.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines)]


def find_instruction(name: str) -> str:
    """Return the arguments of the last instruction of a kind."""
    return [rest for found, rest in read_instructions() if found == name][-1]


def read_image_environment() -> dict[str, str]:
    """Return the variables that the image sets."""
    return dict(pair.split("=", 1) for pair in find_instruction("ENV").split())


def read_image_command() -> list[str]:
    """Return the arguments that the image gives to `llx-mcp`."""
    assert json.loads(find_instruction("ENTRYPOINT")) == ["llx-mcp"]
    command: list[str] = json.loads(find_instruction("CMD"))
    return command


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file."""
    return yaml.safe_load(path.read_text())
