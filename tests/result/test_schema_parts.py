"""A reference names the part of a schema that its JSON pointer leads to."""

from typing import Any

import pytest

from llx_mcp.result.schema_parts import find_definition

SCHEMA = {"$defs": {"a/b": 1, "c~d": 2, "e f": 3, "~1": 4, "list": [{"g": 5}], "no": False}}


@pytest.mark.parametrize(
    ("reference", "part"),
    [
        ("#", SCHEMA),
        ("#/$defs/a~1b", 1),
        ("#/$defs/a%2Fb", None),
        ("#/$defs/c~0d", 2),
        ("#/%24defs/e%20f", 3),
        ("#/$defs/~01", 4),
        ("#/$defs/list/0/g", 5),
        ("#/$defs/list/1", None),
        ("#/$defs/list/-1", None),
        ("#/$defs/no", False),
        ("#/$defs/no/such", None),
        ("#/$defs/none", None),
        ("#anchor", None),
        ("https://example.com/#/$defs/no", None),
        (None, None),
    ],
)
def test_reference_names_the_part_that_its_pointer_leads_to(reference: Any, part: Any) -> None:
    assert find_definition(reference, SCHEMA) == part
