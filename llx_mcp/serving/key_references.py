"""Where a key of LlamaCloud comes from: an environment variable, or a file such as a mounted secret."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from llx_mcp.errors import ConfigurationError


def read_key_reference(reference: object, where: str) -> SecretStr:
    """Return the key that `{"env": NAME}` or `{"file": PATH}` refers to.

    Args:
        reference: the reference, as it was decoded from JSON.
        where: what refers to it, for errors.

    Raises:
        ConfigurationError: it refers to nothing.
    """
    match reference:
        case {"env": str(name), **others} if not others:
            value = os.environ.get(name, "").strip()
            source = f"the environment variable {name}"
        case {"file": str(name), **others} if not others:
            value = _read_file(Path(name), where)
            source = f"the file {name}"
        case _:
            raise ConfigurationError(f'{where}: a key is given as {{"env": NAME}} or {{"file": PATH}}.')
    if not value:
        raise ConfigurationError(f"{where}: {source} is empty or not set. Put the key of LlamaCloud there.")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigurationError(f"{where}: {source} holds characters that are not part of a key. Copy it again.")
    return SecretStr(value)


def read_keys_file(path: Path) -> dict[str, SecretStr]:
    """Read the key of each tenant: `{"TENANT": {"env": NAME}, …}`.

    Raises:
        ConfigurationError: the file cannot be read, or a key is missing.
    """
    return {
        name: read_key_reference(reference, f"LLX_MCP_KEYS_FILE, {name}")
        for name, reference in read_json_file(path, "LLX_MCP_KEYS_FILE").items()
    }


def read_json_file(path: Path, setting: str) -> Mapping[str, Any]:
    """Read a JSON object from a file.

    Raises:
        ConfigurationError: there is none.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as exc:
        raise ConfigurationError(f"{setting}: {path} cannot be read ({exc.strerror}).") from None
    except ValueError:
        raise ConfigurationError(f"{setting}: {path} is not valid JSON.") from None
    if not isinstance(content, dict):
        raise ConfigurationError(f"{setting}: {path} must hold a JSON object.")
    return content


def _read_file(path: Path, where: str) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"{where}: the file {path} cannot be read.") from None
