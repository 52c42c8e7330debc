"""Bad input at the command line: one line that says what, where, what is nearest; exit code 2."""

import gzip

import pytest

from bwalloc.cli import main
from bwalloc.scenario import find

TEXT = find("tiny-edge").read_text()
SHORT = ["--episodes", "1", "--allocators", "static-peak", "--jobs", "1"]
TRACE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,4808,10
2023-11-16 18:17:04.0319600,3180,8
2023-11-16 18:27:04.0319600,3180,8
"""


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Commands run in a folder of their own; plans are kept there too."""
    monkeypatch.setenv("BWALLOC_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys, *line):
    """What a command that must fail said: one line."""
    code = main(list(line))
    shown = capsys.readouterr()
    lines = shown.err.splitlines()

    assert (2, 1) == (code, len(lines)), shown.err
    assert lines[0].startswith("bwalloc: ")
    return lines[0]


def missing(text, words):
    return [word for word in words if word not in text]


FILES = [
    ("interval_s = 10.0", "intervall_s = 10.0", ["time.intervall_s", "'interval_s'"]),
    ("capacity_gbps = 12.0", "capacity_gbps = -12.0", ["edge-1--hub.capacity_gbps", "got -12.0"]),
    ("capacity_gbps = 12.0", "capacity_gbps = nan", ["got nan", "a finite number"]),
    ("capacity_gbps = 12.0", 'capacity_gbps = "12"', ["got '12'", "a number"]),
    ("intervals = 120", "intervals = 100000000", ["time.intervals", "at most 1000000"]),
    ("[network.sites]", "[network.sites", ["not valid TOML", "line"]),
    ('class = "kv_transfer"', 'class = "kv_transfr"', ["kv_transfer-up", "'kv_transfer'"]),
    ('["hub", "cloud"]', '["hub", "clod"]', ["hub--cloud", "'clod'", "Nearest: 'cloud'"]),
    ('["hub", "cloud"]', '["hub", "edge-1"]', ["cannot be routed from 'cloud'"]),
    (
        "per_demand = 1",
        'per_demand = 1\nexplicit = { "kv_transfer-up/edge-1" = [["edge-1", "hob", "cloud"]] }',
        ["kv_transfer-up/edge-1", "no site 'hob'", "Nearest: 'hub'"],
    ),
    ('direction = "down"', "", ["direction: is missing", "'up', 'down'"]),
    ('id = "bwalloc/TinyEdge-v1"', 'id = "Tiny"', ["id: got 'Tiny'", "like 'mine/Branch-v1'"]),
    ('"over" = 2.99', '"ovr" = 2.99', ["allocators.proportional.ovr", "Nearest: 'over'"]),
    ("[allocators.static]", "[allocators.statik]", ["allocators.statik", "Nearest: 'static'"]),
    ("[action]\nreserve", "[action]\nreserv", ["action.reserv", "Nearest: 'reserve'"]),
    (
        'absent_class = "bulk_ingest"',
        'absent_class = "background"',
        ["no-bulk", "absent_class", "'background'"],
    ),
]


@pytest.mark.parametrize(("old", "new", "words"), FILES)
def test_broken_environment(empty_folder, capsys, old, new, words):
    assert old in TEXT
    (empty_folder / "mine.toml").write_text(TEXT.replace(old, new, 1))

    assert [] == missing(said(capsys, "compare", "mine.toml", *SHORT), ["mine", *words])


@pytest.mark.parametrize("command", ["compare", "record", "train", "show", "bench"])
def test_every_command_refuses_a_broken_environment(empty_folder, capsys, command):
    (empty_folder / "mine.toml").write_text(TEXT.replace("substeps = 10", "substeps = 0"))
    lines = {
        "compare": ["compare", "mine.toml"],
        "record": ["record", "mine.toml", "--out", "data"],
        "train": ["train", "mine.toml", "--out", "run", "--minutes", "0.01"],
        "show": ["envs", "show", "mine.toml"],
        "bench": ["bench", "env", "mine.toml"],
    }
    if command == "train":
        pytest.importorskip("torch")
    if command == "record":
        pytest.importorskip("minari")
    text = said(capsys, *lines[command])

    assert [] == missing(text, ["mine.toml, time.substeps: got 0, expected a number of at least 1"])


def test_bytes_that_are_no_text(empty_folder, capsys):
    (empty_folder / "mine.toml").write_bytes(b"\xff\xfe\x00")

    assert "must be a TOML file in UTF-8" in said(capsys, "compare", "mine.toml")


TRACES = [
    (TRACE[:-6], ["line 4", "'GeneratedTokens'", "cut off"]),
    (TRACE.replace("4808", "nan"), ["line 2", "'ContextTokens'", "got 'nan'"]),
    (TRACE.replace("4808", "-4"), ["line 2", "got '-4'", "0 or more"]),
    (TRACE.replace("ContextTokens", "ContextTokenz"), ["'ContextTokens'", "--columns"]),
    (TRACE.replace("2023-11-16 18:17:03.9799600", "noon"), ["line 2", "'TIMESTAMP'", "'noon'"]),
    ("", ["line 1", "empty"]),
    (TRACE[:40], ["line 2", "got the end of the file"]),
    ("\n".join(TRACE.splitlines()[:2]) + "\n", ["lasts 0 s, must be 20 s or more"]),
    (TRACE, ["holds no request from 80% to 100%", "test split"]),
]


@pytest.mark.parametrize(("text", "words"), TRACES)
def test_broken_trace(empty_folder, capsys, text, words):
    (empty_folder / "requests.csv").write_text(text)
    shown = said(capsys, "compare", "tiny-edge", *SHORT, "--trace", "inference=requests.csv")

    assert [] == missing(shown, ["requests.csv", *words])


def test_truncated_gzip(empty_folder, capsys):
    (empty_folder / "requests.csv.gz").write_bytes(gzip.compress(TRACE.encode() * 50)[:-20])
    shown = said(capsys, "compare", "tiny-edge", *SHORT, "--trace", "inference=requests.csv.gz")

    assert [] == missing(shown, ["requests.csv.gz", "truncated", "Fetch the file again"])


def test_columns_of_a_trace_can_be_named(empty_folder, capsys):
    rows = [f"{second},{100 + second},9" for second in range(100)]
    text = "\n".join(["at,prompt,GeneratedTokens", *rows])
    (empty_folder / "requests.csv").write_text(text)
    line = ["compare", "tiny-edge", *SHORT, "--trace", "inference=requests.csv"]

    assert 0 == main([*line, "--columns", "time=at,context=prompt"])
    assert "line 1, column 'at'" in said(capsys, "compare", *_renamed(empty_folder), "time=at")


def _renamed(folder):
    (folder / "other.csv").write_text(TRACE)
    return ["tiny-edge", *SHORT, "--trace", "inference=other.csv", "--columns"]


LINES = [
    (["comparre"], ["comparre", "compare"]),
    (["compare"], ["Name at least one environment"]),
    (["compare", "tiny-egde"], ["'tiny-egde'", "Nearest: 'tiny-edge'"]),
    (["compare", "tiny-edge", "metro-inferense"], ["Nearest: 'metro-inference'"]),
    (["compare", "absent.toml"], ["absent.toml", "no such environment file"]),
    (["compare", "tiny-edge", "--envs", "absent"], ["absent", "no such folder"]),
    (["compare", "tiny-edge", "--split", "tset"], ["'tset'", "Nearest: 'test'"]),
    (["compare", "tiny-edge", "--allocators", "max-mni"], ["'max-mni'", "Nearest: 'max-min'"]),
    (["compare", "tiny-edge", "--allocators", "./absent"], ["absent"]),
    (["compare", "tiny-edge", "--episodes", "0"], ["--episodes 0", "at least 1"]),
    (["compare", "tiny-edge", "--episodes", "x"], ["--episodes", '"x"']),
    (["compare", "tiny-edge", "--epsodes", "1"], ["--epsodes", "--episodes"]),
    (["compare", "tiny-edge", "--jobs", "-2"], ["--jobs -2"]),
    (["compare", "tiny-edge", "--max-decide-ms", "nan"], ["--max-decide-ms nan"]),
    (["compare", "tiny-edge", "--trace", "inference"], ["--trace inference", "for example"]),
    (["compare", "tiny-edge", "--trace", "inferense=x.csv"], ["Nearest: 'inference'"]),
    (["compare", "tiny-edge", "--trace", "bulk_ingest=x.csv"], ["'bulk_ingest' cannot follow"]),
    (["compare", "tiny-edge", "--trace", "inference=x.csv"], ["x.csv", "cannot be read"]),
    (["compare", "tiny-edge", "--columns", "time"], ["--columns time", "for example"]),
    (["compare", "tiny-edge", "--columns", "time=a,time=b"], ["time=b", "is a already"]),
    (
        ["compare", "tiny-edge", "--trace", "inference=x", "--trace", "inference=y"],
        ["inference=y", "is x already"],
    ),
    (["compare", "tiny-edge", "--allocators", ","], ["--allocators ','", "expected names"]),
    (["envs", "shw"], ["'shw'", "Nearest: 'show'"]),
    (["envs", "show", "tiny-egde"], ["Nearest: 'tiny-edge'"]),
    (["envs", "show", "tiny-egde", "--markdown"], ["Nearest: 'tiny-edge'"]),
    (["bench", "env", "tiny-egde"], ["Nearest: 'tiny-edge'"]),
    (["bench", "env", "tiny-edge", "--seconds", "nan"], ["--seconds nan"]),
    (["bench", "env", "tiny-edge", "--seconds", "0"], ["--seconds 0"]),
    (["record", "tiny-edge"], ["--out"]),
    (["verify", "nobody"], ["nobody"]),
    (["verify", "./absent"], ["absent"]),
    (["export", "absent", "--out", "agent"], ["absent"]),
    (["export", "absent", "--out", "agent", "--sign-key", "no.pem"], ["--sign-key no.pem"]),
    (["bench", "te", "--threads", "0"], ["--threads 0"]),
]


@pytest.mark.parametrize(("line", "words"), LINES, ids=lambda part: " ".join(part))
def test_wrong_command_line(capsys, line, words):
    assert [] == missing(said(capsys, *line), words)


OUTPUTS = [
    (["compare", "tiny-edge", "--json"], "taken/result.json", "'taken"),
    (["compare", "tiny-edge", "--report"], "folder", "is a folder"),
    (["bench", "env", "tiny-edge", "--json"], "taken/result.json", "'taken"),
    (["compare", "tiny-edge", "--report"], "", "is a folder"),
]


@pytest.mark.parametrize(("line", "path", "words"), OUTPUTS)
def test_outputs_are_tried_before_the_work(empty_folder, capsys, monkeypatch, line, path, words):
    def work(*_, **__):
        pytest.fail("worked for nothing")

    monkeypatch.setattr("bwalloc.cli.compare.compare", work)
    monkeypatch.setattr("bwalloc.cli.bench.bench_document", work)
    (empty_folder / "taken").write_text("")
    (empty_folder / "folder").mkdir()
    shown = said(capsys, *line, path)

    assert [] == missing(shown, [line[-1], words, "may write to"])


def test_lack_of_memory_is_one_line(capsys, monkeypatch):
    def work(*_, **__):
        raise MemoryError

    monkeypatch.setattr("bwalloc.cli.compare.compare", work)

    assert "fewer episodes" in said(capsys, "compare", "tiny-edge")


RECIPE = 'schema = 1\nenv = "tiny-edge"\nalgorithm = "apg"\nsteps = 1000\n'
RECIPES = [
    (RECIPE.replace("algorithm", "algoritm"), ["algoritm", "Nearest key: 'algorithm'"]),
    (RECIPE.replace('"apg"', '"appg"'), ["algorithm", "got 'appg'", "Nearest: 'apg'"]),
    (RECIPE + "[apg]\ncut = -1\n", ["apg.cut", "got -1"]),
    (RECIPE + "[apg]\nlearning_rate = nan\n", ["apg.learning_rate", "got nan"]),
    (RECIPE + "[network]\nhiden = 3\n", ["network.hiden", "'hidden'"]),
    ("[[[", ["cannot be read as a recipe"]),
]


@pytest.mark.parametrize(("text", "words"), RECIPES)
def test_broken_recipe(empty_folder, capsys, text, words):
    pytest.importorskip("torch")
    (empty_folder / "recipe.toml").write_text(text)
    line = ["train", "tiny-edge", "--recipe", "recipe.toml", "--out", "run"]

    assert [] == missing(said(capsys, *line), ["recipe.toml", *words])
    assert not (empty_folder / "run").exists()


@pytest.mark.parametrize("command", ["train", "sweep", "search"])
def test_no_environment_at_all(empty_folder, capsys, command):
    pytest.importorskip("torch")
    pytest.importorskip("joblib")

    trials = ["--trials", "1"] if command == "search" else []
    shown = said(capsys, command, "--out", "run", *trials)
    assert [] == missing(shown, [f"bwalloc {command}: name an environment", "--recipe FILE"])
    assert not (empty_folder / "run").exists()


TRAINS = [
    (["--algo", "pp"], ["'pp'", "Nearest: 'ppo'"]),
    (["--minutes", "nan"], ["--minutes nan"]),
    (["--steps", "0"], ["steps", "got 0"]),
    (["--seed", "-1"], ["seed", "got -1"]),
    (["--threads", "0"], ["--threads 0"]),
    (["--device", "gpu"], ["--device gpu", "cpu"]),
    (["--device", "cuda:x"], ["--device cuda:x", "cuda:1"]),
    (["--device", "cuda:99"], ["--device cuda:99", "CUDA devices"]),
    (["--init", "nobody"], ["nobody"]),
    (["--recipe", "absent.toml"], ["absent.toml"]),
]


@pytest.mark.parametrize(("more", "words"), TRAINS, ids=lambda part: " ".join(part))
def test_wrong_training(capsys, more, words):
    pytest.importorskip("torch")
    shown = said(capsys, "train", "tiny-edge", "--out", "run", *more)

    assert [] == missing(shown, words)


def test_run_folder_below_a_file(empty_folder, capsys):
    pytest.importorskip("torch")
    (empty_folder / "taken").write_text("")
    shown = said(capsys, "train", "tiny-edge", "--out", "taken/run", "--minutes", "0.01")

    assert [] == missing(shown, ["taken", "write"])
