"""Settings that people write are read with suspicion: every refusal names the file."""

import pytest

from bwalloc.errors import LimitsError
from bwalloc.files import read_toml

WHAT = "a TOML file of limits"


def test_tables_are_read(tmp_path):
    file = tmp_path / "limits.toml"
    file.write_text("a = 1\n")
    assert {"a": 1} == read_toml(file, 6, WHAT, LimitsError)


@pytest.mark.parametrize(
    ("data", "most", "said"),
    [(b"a = 1\n", 5, "larger than 5 bytes"), (b"a = ", 9, "no TOML"), (b"\xff = 1", 9, "no TOML")],
)
def test_what_is_too_large_or_no_toml_is_refused(tmp_path, data, most, said):
    file = tmp_path / "limits.toml"
    file.write_bytes(data)
    with pytest.raises(LimitsError, match=said) as refused:
        read_toml(file, most, WHAT, LimitsError)
    assert str(file) in str(refused.value)


def test_a_missing_file_says_what_to_name(tmp_path):
    with pytest.raises(LimitsError, match="name a TOML file of limits"):
        read_toml(tmp_path / "nothing.toml", 9, WHAT, LimitsError)
