"""The prompts in `prompts/*.md`: TOML front matter between `+++` lines, then the text with `{arguments}`."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from llx_mcp.errors import ArgumentError, excerpt

_FRONT_MATTER = re.compile(r"\A\+\+\+\n(.*?)^\+\+\+\n", re.DOTALL | re.MULTILINE)
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_MAX_ARGUMENT_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a prompt.

    Attributes:
        bounds: the least and the greatest number that it may be; None where it is a text.
    """

    name: str
    description: str
    required: bool
    bounds: tuple[float, float] | None = None

    def check(self, value: str) -> None:
        """Check the value of an argument that is a number.

        Raises:
            ArgumentError: it is no number, or one out of bounds.
        """
        if self.bounds is None or not value:
            return
        least, most = self.bounds
        try:
            is_allowed = least <= float(value) <= most
        except ValueError:
            is_allowed = False
        if not is_allowed:
            given = excerpt(repr(value), 60)
            raise ArgumentError(f"The argument {self.name} is a number from {least:g} to {most:g} (given: {given}).")


@dataclass(frozen=True, slots=True)
class PromptFile:
    """One prompt, as in its file.

    Attributes:
        body: the text, with `{argument}` in place of each argument.
        needs: the permission without which a server does not have it; None for all servers.
    """

    name: str
    title: str
    description: str
    arguments: tuple[Argument, ...]
    body: str
    needs: str | None = None

    def render(self, given: dict[str, str]) -> str:
        """Return the text with its arguments filled in.

        Raises:
            ArgumentError: one is missing, empty, unknown, too long or no such number; the message names it.
        """
        values: dict[str, str] = {}
        known = {argument.name: argument for argument in self.arguments}
        if unknown := sorted(set(given) - set(known)):
            allowed = ", ".join(known) or "none"
            raise ArgumentError(
                f"Prompt {self.name} has no argument {excerpt(', '.join(unknown))!r}; it takes: {allowed}."
            )
        for name, argument in known.items():
            value = given.get(name, "").strip()
            if not value and argument.required:
                raise ArgumentError(f"Prompt {self.name} needs the argument {name}: {argument.description}")
            if len(value) > _MAX_ARGUMENT_CHARS:
                raise ArgumentError(f"The argument {name} is longer than {_MAX_ARGUMENT_CHARS} characters.")
            argument.check(value)
            values[name] = value
        return _PLACEHOLDER.sub(lambda match: values.get(match.group(1), match.group()), self.body)


def list_prompts(allowed: Collection[str]) -> dict[str, PromptFile]:
    """Return the prompts of a server with some permissions, by their names."""
    return {name: prompt for name, prompt in load_prompts().items() if prompt.needs is None or prompt.needs in allowed}


@cache
def load_prompts() -> dict[str, PromptFile]:
    """Load every prompt, by its name, in the order of the file names."""
    # In a wheel the folder is inside the package; in a checkout it is beside the package.
    package = Path(__file__).parents[1]
    packaged = package / "prompts_md"
    folder = packaged if packaged.is_dir() else package.parent / "prompts"
    return {path.stem: _parse(path.stem, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.md"))}


def _parse(name: str, text: str) -> PromptFile:
    # Imported when a client asks for prompts: many never do.
    import tomllib

    match = _FRONT_MATTER.match(text)
    if match is None:
        raise ValueError(f"prompts/{name}.md has no front matter between +++ lines")
    front = tomllib.loads(match.group(1))
    arguments = tuple(
        Argument(
            argument["name"],
            argument["description"],
            argument.get("required", True),
            tuple(argument["bounds"]) if "bounds" in argument else None,
        )
        for argument in front.get("arguments", [])
    )
    body = text[match.end() :].strip()
    return PromptFile(name, front["title"], front["description"], arguments, body, front.get("needs"))
