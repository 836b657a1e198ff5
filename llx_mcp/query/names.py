"""Names of tables and columns: their shorter forms, and those most like a name that does not exist."""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches

_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Comparing the spelling of a name with that of another takes some 0.1 ms.
_MAX_COMPARED = 1_000
_MAX_SIMILAR = 3


def list_forms(name: str) -> list[str]:
    """Return how a name may be written, in lower case: `workExperience` may also be `work_experience`."""
    return list(dict.fromkeys((name.lower(), _CAMEL_CASE.sub("_", name).lower())))


def shorten_names(last_names: Mapping[str, str], taken: Collection[str]) -> dict[str, str]:
    """Return other names that are unambiguous: what follows an underscore, and camel case as snake case.

    Args:
        last_names: for each name, the name of its field without those of the objects around it. A field of just this
            name comes before names that end in it: `revenue` is `income_revenue`, and not `income_cost_of_revenue`.
        taken: names that mean something else, in lower case.
    """
    owners: dict[str, set[str]] = {}
    fields: dict[str, set[str]] = {}
    for name, last_name in last_names.items():
        for form in list_forms(name):
            parts = form.split("_")
            for start in range(len(parts)):
                owners.setdefault("_".join(parts[start:]), set()).add(name)
        for form in list_forms(last_name):
            fields.setdefault(form, set()).add(name)
    reserved = {*taken, *(name.lower() for name in last_names), ""}
    return {
        short: next(iter(names))
        for short, names in (owners | fields).items()
        # SQLite reserves these names.
        if len(names) == 1 and short not in reserved and not short.startswith("sqlite_")
    }


def find_similar(name: str, names: Mapping[str, str]) -> list[str]:
    """Return what the names stand for that are most like a name, at most three: same words first, then spelling.

    Args:
        name: the name that does not exist.
        names: by each name, what it stands for. One thing may have several names.
    """
    spellings = {known.lower(): meant for known, meant in list(names.items())[:_MAX_COMPARED]}
    close = get_close_matches(name.lower(), spellings, n=_MAX_SIMILAR)
    return list(dict.fromkeys([*find_by_words(name, names), *(spellings[known] for known in close)]))[:_MAX_SIMILAR]


def find_by_words(name: str, names: Mapping[str, str]) -> list[str]:
    """Return what the names stand for that have all words of a name, in any order; the shortest first, at most three.

    Args:
        name: the name that does not exist.
        names: by each name, what it stands for. One thing may have several names.
    """
    words = _split(name)
    having = sorted((known for known in names if words and words <= _split(known)), key=len)
    return list(dict.fromkeys(names[known] for known in having))[:_MAX_SIMILAR]


def _split(name: str) -> set[str]:
    return set(list_forms(name)[-1].split("_")) - {""}
