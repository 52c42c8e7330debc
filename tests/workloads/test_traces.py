import gzip
import json
import time
from pathlib import Path

import numpy as np
import pytest

from bwalloc.errors import TraceError
from bwalloc.workloads import read_request_trace

DATA = Path(__file__).parents[3] / "shared" / "data" / "workloads"
CODE, CONV = (DATA / f"azure_llm_2023_{kind}.csv.gz" for kind in ("code", "conv"))
HEAD = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
ROWS = "2023-11-16 18:17:03.9799600,4808,10\r\n2023-11-16 18:17:04.0319601,3180,8\r\n"
MINE = {"time": "t", "context": "in", "generated": "out"}
real = pytest.mark.skipif(not CODE.exists(), reason=f"no traces at {DATA}")


def write(tmp_path, content, name="trace.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@real
@pytest.mark.parametrize(("path", "rows", "tokens"), [(CODE, 8819, 2048), (CONV, 19366, 1155)])
def test_the_real_files_are_read_and_fast(path, rows, tokens):
    begin = time.perf_counter()
    trace = read_request_trace(path)
    assert time.perf_counter() - begin < 1.0  # 0.1 s here; loose, as machines are shared
    assert rows == trace.rows == trace.t_s.size
    assert trace.context_tokens.mean() == pytest.approx(tokens, rel=0.01)
    assert 3400 < trace.duration_s < 3520
    assert (np.diff(trace.t_s) >= 0).all()


@pytest.mark.parametrize("packed", [False, True])
def test_azure_layout_keeps_its_hundred_nanoseconds(tmp_path, packed):
    content = (HEAD + ROWS).encode()
    trace = read_request_trace(write(tmp_path, gzip.compress(content) if packed else content))
    assert trace.t_s.tolist() == pytest.approx([0.0, 0.0520001], abs=1e-9)
    assert [4808, 3180] == trace.context_tokens.tolist()
    assert [10, 8] == trace.generated_tokens.tolist()
    assert 64 == len(trace.sha256)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("10.5", "8.5"),
        ("2024-01-01T00:00:02Z", "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:00:02+01:00", "2023-12-31 23:00:00"),
        ("2024-01-01 00:00:02", "2024-01-01 00:00:00"),
    ],
)
def test_seconds_and_iso_times_out_of_order_are_sorted(tmp_path, first, second):
    path = write(tmp_path, f"extra,out,t,in\nx,1,{first},2\n\ny,3,{second},4\n")
    trace = read_request_trace(path, MINE)
    assert [0.0, 2.0] == trace.t_s.tolist()
    assert [4.0, 2.0] == trace.context_tokens.tolist()
    assert [3.0, 1.0] == trace.generated_tokens.tolist()


def test_json_lines(tmp_path):
    rows = [{"t": 5, "in": 10, "out": 1, "more": []}, {"t": 3.5, "in": 20, "out": 2}]
    text = "\n".join(map(json.dumps, rows)) + "\n"
    trace = read_request_trace(write(tmp_path, gzip.compress(text.encode()), "a.jsonl.gz"), MINE)
    assert [0.0, 1.5] == trace.t_s.tolist()
    assert [20.0, 10.0] == trace.context_tokens.tolist()


WRONG = [
    ("", ["line 1", "empty"]),
    (HEAD, ["line 2", "end of the file"]),
    (HEAD + ROWS + "2023-11-16 18:17:05.0,31", ["line 4", "GeneratedTokens", "cut off"]),
    (HEAD + ROWS + "2023-11-16 18:17:05.0,x,1\n", ["line 4", "ContextTokens", "'x'"]),
    (HEAD + ROWS + "2023-11-16 18:17:05.0,5,-1\n", ["line 4", "GeneratedTokens", "'-1'"]),
    (HEAD + ROWS + "2023-11-16 18:17:05.0,nan,1\n", ["line 4", "ContextTokens", "'nan'"]),
    (HEAD + ROWS + "yesterday,5,1\n", ["line 4", "TIMESTAMP", "'yesterday'"]),
    (HEAD + "\n" + ROWS + "2023-13-16 18:17:05,5,1\n", ["line 5", "TIMESTAMP", "'2023-13-16"]),
    (HEAD + ROWS + "17.5,5,1\n", ["line 4", "TIMESTAMP", "'17.5'"]),
    (HEAD + ROWS + ",5,1\n", ["line 4", "TIMESTAMP", "''"]),
    (HEAD + "inf,5,1\n", ["line 2", "TIMESTAMP", "'inf'"]),
    (HEAD.replace("Con", "Cone") + ROWS, ["line 1", "'ContextTokens'", "'ConetextTokens'"]),
    (HEAD + ROWS + '"open,5,1\n', ["line 4", "CSV"]),
    ((HEAD + ROWS).encode() + b"\xff,1,1\n", ["line 4", "0xff"]),
    (gzip.compress((HEAD + ROWS * 50).encode())[:-20], ["gzip", "truncated"]),
    (b"\x1f\x8b\x08 broken", ["gzip", "truncated"]),
    ('{"TIMESTAMP": 1, "ContextTokens": 2}\n', ["line 1", "'GeneratedTokens'"]),
    ('{"TIMESTAMP": 1, "Contex', ["line 1", "JSON"]),
    ('{"TIMESTAMP": true, "ContextTokens": 2, "GeneratedTokens": 1}', ["TIMESTAMP", "True"]),
    ('{"TIMESTAMP": 1, "ContextTokens": null, "GeneratedTokens": 1}', ["ContextTokens", "None"]),
]


@pytest.mark.parametrize(("content", "parts"), WRONG)
def test_a_wrong_file_is_refused_with_its_place(tmp_path, content, parts):
    path = write(tmp_path, content)
    with pytest.raises(TraceError) as caught:
        read_request_trace(path)
    for part in (str(path), *parts):
        assert part in str(caught.value)


def test_json_that_is_no_object_is_refused(tmp_path):
    with pytest.raises(TraceError, match=r"line 1: got '\[1, 2\]', must be a JSON object"):
        read_request_trace(write(tmp_path, "[1, 2]\n", "a.jsonl"))


def test_a_missing_file_and_an_unknown_role_are_refused(tmp_path):
    with pytest.raises(TraceError, match="cannot be read"):
        read_request_trace(tmp_path / "none.csv")
    with pytest.raises(TraceError, match="Nearest: 'context'"):
        read_request_trace(tmp_path / "none.csv", {"contexts": "in"})
