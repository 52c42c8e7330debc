"""Where a result comes from."""

import subprocess

import pytest

from bwalloc import provenance


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with one commit, and the module in a folder of it that git does not know."""

    def git(*words):
        who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        command = ["git", "-C", str(tmp_path), *who, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    (tmp_path / "site").mkdir()
    file = tmp_path / "site" / "provenance.py"
    file.write_text("")
    git("commit", "-q", "--allow-empty", "-m", "first")
    monkeypatch.setattr(provenance, "__file__", str(file))
    return git


def test_the_commit_is_that_of_the_checkout(checkout):
    checkout("add", "site/provenance.py")
    checkout("commit", "-q", "-m", "second")

    assert checkout("rev-parse", "HEAD") == provenance.commit()


def test_a_package_inside_somebody_elses_checkout_has_no_commit(checkout):
    assert provenance.commit() is None
