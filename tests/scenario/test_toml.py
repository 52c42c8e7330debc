import tomllib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bwalloc.errors import ScenarioError
from bwalloc.scenario.toml import toml_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PLAIN = st.integers(-(2**63), 2**63 - 1) | st.booleans() | TEXT | st.floats(allow_nan=False)
VALUE = st.recursive(
    PLAIN | st.lists(PLAIN, max_size=3),
    lambda inner: st.dictionaries(TEXT, inner, min_size=1, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(TEXT, VALUE, max_size=4))
def test_what_is_written_is_read_back(tree):
    assert tree == tomllib.loads(toml_of(tree))


def test_numpy_scalars_are_numbers():
    assert {"a": 2.5, "b": 3} == tomllib.loads(toml_of({"a": np.float64(2.5), "b": np.int64(3)}))


def test_tables_get_a_header_and_the_deepest_a_line():
    text = toml_of({"id": "x", "sites": {"a b": {"scale": 1.0}}, "time": {"intervals": 3}})

    assert 'id = "x"\n\n[sites]\n"a b" = { scale = 1.0 }\n\n[time]\nintervals = 3\n' == text


def test_what_is_no_toml_is_named():
    with pytest.raises(ScenarioError, match=r"a\.b: got None, expected a number, a text"):
        toml_of({"a": {"b": None}})
