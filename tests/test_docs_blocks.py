"""Every code block of README.md, docs/*.md and docs/environments/*.md runs.

Each block stands alone, in a process and an empty folder of its own. A `python` block is run as a
script; with `>>>` in it, its output is compared as a doctest. A `bash` block is a script under
`bash -e`; of a `console` block the lines after `$ ` are run, and the output shown is not compared.
A comment before a block changes that: `<!-- not run: reason -->` skips it, `<!-- slow -->` puts it
under the slow marker.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs" / "environments").glob("*.md"))
SCRIPTS = Path(sys.executable).parent
ENVIRONMENT = os.environ | {
    "PATH": f"{SCRIPTS}{os.pathsep}{os.environ.get('PATH', '')}",
    "PYTHONPATH": str(ROOT),
    "COLUMNS": "120",
}
BLOCK = re.compile(
    r"(?:^<!--[ ]*(?P<comment>(?:(?!-->).)*?)[ ]*-->\s*?\n\s*)?"
    r"^(?P<fence>`{3,})[{]?(?P<language>python|console|bash)[}]?[ ]*\n"
    r"(?P<code>.*?)^(?P=fence)[ ]*$",
    re.DOTALL | re.MULTILINE,
)
TIMEOUT_S = 600


@dataclass(frozen=True)
class Block:
    place: str
    language: str
    code: str
    comment: str


def blocks_of(text, name):
    return [
        Block(
            place=f"{name}:{text.count(chr(10), 0, found.start('fence')) + 1}",
            language=found["language"],
            code=found["code"],
            comment=found["comment"] or "",
        )
        for found in BLOCK.finditer(text)
    ]


def marks(block):
    if block.comment.startswith("not run:"):
        reason = block.comment.removeprefix("not run:").strip()
        return [pytest.mark.skip(reason=f"{block.place}: {reason}")]
    return [pytest.mark.slow] if block.comment == "slow" else []


def params():
    found = [
        block
        for page in PAGES
        if page.exists()
        for block in blocks_of(page.read_text(encoding="utf-8"), page.relative_to(ROOT).as_posix())
    ]
    return [pytest.param(block, marks=marks(block), id=block.place) for block in found]


def commands(console):
    """The commands of a console block; a line that ends in a backslash goes on in the next."""
    lines, is_open = [], False
    for line in console.splitlines():
        if is_open or line.startswith("$ "):
            lines.append(line.removeprefix("> ") if is_open else line.removeprefix("$ "))
            is_open = line.endswith("\\")
    return "\n".join(lines) + "\n"


def command_line(block, folder):
    if block.language != "python":
        script = folder / "block.sh"
        script.write_text(commands(block.code) if block.language == "console" else block.code)
        return ["bash", "-e", str(script)]
    if ">>>" in block.code:
        script = folder / "block.txt"  # doctest reads a .txt as prose with examples
        options = ["-o", "ELLIPSIS", "-o", "NORMALIZE_WHITESPACE"]
        script.write_text(block.code)
        return [sys.executable, "-m", "doctest", *options, str(script)]
    script = folder / "block.py"
    script.write_text(block.code)
    return [sys.executable, str(script)]


def run(block, folder):
    work = folder / "work"
    work.mkdir()
    return subprocess.run(
        command_line(block, folder),
        cwd=work,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


@pytest.mark.parametrize("block", params())
def test_block_runs(block, tmp_path):
    done = run(block, tmp_path)

    assert done.returncode == 0, f"{block.place}\n{done.stdout}\n{done.stderr}"


SAMPLE = """
<!-- not run: needs a key -->
```bash
false
```

<!-- slow -->

```console
$ echo one \\
    two
not a command
$ true
```

text
```python
>>> 1 + 1
3
```
"""


def test_comments_and_languages_are_read():
    assert [
        ("s:3", "bash", "not run: needs a key"),
        ("s:9", "console", "slow"),
        ("s:17", "python", ""),
    ] == [(b.place, b.language, b.comment) for b in blocks_of(SAMPLE, "s")]


def test_comment_becomes_a_mark():
    first, second, third = blocks_of(SAMPLE, "s")

    assert ["skip"] == [mark.name for mark in marks(first)]
    assert ["slow"] == [mark.name for mark in marks(second)]
    assert [] == marks(third)


def test_only_commands_of_a_console_block_run():
    assert "echo one \\\n    two\ntrue\n" == commands(blocks_of(SAMPLE, "s")[1].code)


@pytest.mark.parametrize("index", [0, 2], ids=["bash", "doctest"])
def test_wrong_block_fails(index, tmp_path):
    assert run(blocks_of(SAMPLE, "s")[index], tmp_path).returncode != 0


def test_right_console_block_passes(tmp_path):
    assert run(blocks_of(SAMPLE, "s")[1], tmp_path).returncode == 0


def test_no_page_hides_a_block_behind_an_unknown_comment():
    known = re.compile(r"$|slow$|not run: \S")
    comments = {param.id: param.values[0].comment for param in params()}

    assert {} == {place: text for place, text in comments.items() if not known.match(text)}
