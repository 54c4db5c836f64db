"""What is shown of a record comes back from its text as it went in, whatever the names and bytes in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridlog.sights import shown_text, shown_values
from gridlog_protocol.canonical import Value

NAMES = st.text(min_size=1, max_size=4) | st.sampled_from(["#", "##", "#a", '"##', "a#"])
PLAIN = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.text() | st.binary()
VALUES: st.SearchStrategy[Value] = st.recursive(
    PLAIN | st.sampled_from(["#", '"##', '{"#":"00"}']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_values_come_back_as_they_were(values: dict[str, Value]) -> None:
    assert shown_values(shown_text(values)) == values
