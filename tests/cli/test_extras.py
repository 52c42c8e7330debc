"""Commands that miss a package say what installs it."""

import pytest

from bwalloc.cli.extras import needing
from bwalloc.errors import BwallocError


def test_a_missing_package_is_named_with_its_extra():
    with (
        pytest.raises(
            BwallocError, match=r"needs 'nowhere_at_all': pip install 'bwalloc\[learn\]'"
        ),
        needing("learn"),
    ):
        import nowhere_at_all  # noqa: F401


@pytest.mark.parametrize(
    "error", [ImportError("broken library"), ImportError("x", name="bwalloc.x")]
)
def test_other_failures_of_an_import_keep_their_words(error):
    with pytest.raises(ImportError) as caught, needing("learn"):
        raise error

    assert error is caught.value
