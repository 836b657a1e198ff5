"""Hypothesis strategies for values that a result can hold."""

from hypothesis import strategies as st

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=400)
)
NAMES = st.one_of(
    st.sampled_from(["amount", "citation", "confidence", "page", "reasoning", "columns", "rows", "odd name", "$"]),
    st.text(max_size=30),
)
VALUES = st.recursive(
    SCALARS,
    lambda inside: st.one_of(
        st.lists(inside, max_size=12),
        st.dictionaries(NAMES, inside, max_size=8),
        st.builds(lambda row, count: [row] * count, st.dictionaries(NAMES, inside, max_size=5), st.integers(0, 60)),
    ),
    max_leaves=20,
)
