"""Whatever `tc` complains about is an error that says what, where, and what to do."""

import stat
import sys

import pytest

from bwalloc.errors import PlaneError
from bwalloc.serve.planes.htb import tc

FAKE = """#!{python} -S
import sys
lines = sys.stdin.read().splitlines()
for number, line in enumerate(lines, 1):
    if "bad" in line:
        sys.stderr.write("{complaint}\\nCommand failed -:%d\\n" % number)
        sys.exit(1)
print(sys.argv[1:])
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    def write(complaint="RTNETLINK answers: No such file or directory"):
        path = tmp_path / "tc"
        path.write_text(FAKE.format(python=sys.executable, complaint=complaint))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path))

    write()
    return write


def test_the_line_that_failed_is_named_with_its_namespace(fake):
    with pytest.raises(PlaneError) as caught:
        tc.batch("edge", ["class change one", "class change bad", "class change three"])

    text = str(caught.value)
    assert "`tc class change bad` in namespace 'edge': RTNETLINK answers: No such file" in text
    assert "Command failed" not in text


@pytest.mark.parametrize(
    ("complaint", "remedy"),
    [
        ("RTNETLINK answers: Operation not permitted", "run it as root"),
        ("Error: Specified qdisc kind is unknown.", "CONFIG_NET_SCH_HTB"),
        ("Error: TC classifier not found.", "CONFIG_NET_CLS_U32"),
        ("Cannot find device eth9", "bring the interface up"),
        ("Cannot open network namespace", "ip netns add"),
        ("something never seen", "see what is there"),
    ],
)
def test_known_complaints_come_with_a_remedy(fake, complaint, remedy):
    fake(complaint)
    with pytest.raises(PlaneError, match=remedy):
        tc.batch(None, ["bad"])


def test_a_device_that_is_not_there_shows_nothing(fake):
    fake("Cannot find device x")

    assert "" == tc.show(None, ["class show dev bad"])


def test_no_lines_run_nothing(monkeypatch):
    monkeypatch.setattr(tc, "run", None)
    tc.batch(None, [])


def test_a_command_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tc.shutil, "which", lambda *_, **__: None)
    with pytest.raises(PlaneError, match=r"'tc' is not installed; .*iproute2"):
        tc.batch(None, ["qdisc show"])


def test_a_command_that_hangs_is_ended(tmp_path, monkeypatch):
    path = tmp_path / "tc"
    path.write_text(f"#!{sys.executable} -S\nimport time; time.sleep(60)\n")
    path.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tc, "TIMEOUT_S", 0.2)
    monkeypatch.setattr(tc, "LINE_S", 0.01)
    with pytest.raises(PlaneError, match=r"did not end within 0\.21 s"):
        tc.batch(None, ["qdisc show"])


def test_lines_never_meet_a_shell(fake):
    assert "; rm" not in tc.show("edge", ["class show"])
    assert "['-netns', 'edge', '-s', '-force', '-batch', '-']" in tc.show("edge", ["x"], "-s")
