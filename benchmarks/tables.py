"""Write the tables of README.md and envs/README.md from benchmarks/results.

    python benchmarks/tables.py [--check]

`--check` changes nothing and fails if a table is not what the results say.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

HOME = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
ENVS = (
    "tiny-edge", "metro-inference", "geo-training", "enterprise-naas", "national-mixed",
    "random-edge",
)  # fmt: skip
TOO_EASY = ("constant", "strict-priority", "best-tier")
GENERALIST = "generalist"
FILLER = "background"
"""Scavengers are meant to be starved."""


def main() -> None:
    """Rewrite, or check, every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    for path, text in rendered().items():
        if check and path.read_text(encoding="utf-8") != text:
            msg = f"{path.name} is not what benchmarks/results says: run make tables."
            raise SystemExit(msg)
        path.write_text(text, encoding="utf-8")


def rendered() -> dict[Path, str]:
    """Every file with tables, as it should be."""
    tables = {
        HOME / "README.md": {
            "everywhere": everywhere(),
            "metro-inference": comparison("metro-inference"),
        },
        HOME / "envs" / "README.md": {"worth-learning": worth_learning()},
        HOME / "agents" / "README.md": {"agents": agents(), "everywhere": everywhere()},
    }
    return {path: _filled(path.read_text(encoding="utf-8"), by) for path, by in tables.items()}


def comparison(env: str) -> str:
    """What every allocator earned."""
    result = _result(env)
    bound = result["bound"]["net_usd_per_h"]
    rows = [
        "| allocator | kind | net $/h (95 %) | regret | gain on the best rule, $/h (95 %) | left |",
        "|---|---|---|---|---|---|",
        f"| bound | proven | {_range(bound)} | 0 | | |",
    ]
    ranked = sorted(
        result["allocators"].items(), key=lambda item: -item[1]["net_usd_per_h"]["mean"]
    )
    rows += [
        f"| `{name}` | {row['kind']} | {_range(row['net_usd_per_h'])} "
        f"| {row['regret']['mean']:.3f} "
        f"| {_range(row['gain_over_best_classical_usd_per_h'], '+')} | {100 * row['left']:.1f} % |"
        for name, row in ranked
    ]
    return "\n".join(rows)


def worth_learning() -> str:
    """How far the simplest rules stay from foresight, and how much is missed."""
    rows = [
        "| name | clairvoyant | constant | strict-priority | best-tier | least distance "
        "| best classical | under it | tier changes of clairvoyant |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for env in filter(_has_result, ENVS):
        result = _result(env)
        regret = {name: row["regret"]["mean"] for name, row in result["allocators"].items()}
        easy = [regret[name] for name in TOO_EASY if name in regret]
        cells = [regret["clairvoyant"], *(regret.get(name) for name in TOO_EASY)]
        figures = " | ".join("" if cell is None else f"{cell:.3f}" for cell in cells)
        orders = result["allocators"]["clairvoyant"].get("orders")
        changes = f"{orders['per_span_day']:.1f} a day" if orders else ""
        best = result["best_classical"]
        rows.append(
            f"| `{env}` | {figures} | {min(easy) - regret['clairvoyant']:.3f} | `{best}` "
            f"| {_missed(result['allocators'][best])} "
            f"| {changes} |"
        )
    return "\n".join(rows)


def _missed(row: dict) -> str:
    """The class that misses most of its SLO, and GPU time that waits."""
    missed = {kind: 1 - x for kind, x in row["slo_attainment"].items() if kind != FILLER}
    worst = max(missed, key=missed.__getitem__)
    text = f"{100 * missed[worst]:.0f} % of `{worst}` late"
    stalled = row["stalled_gpu_hours_per_h"]
    return f"{text}; {stalled:.0f} GPUs stalled" if stalled else text


def agents() -> str:
    """How each agent of the catalogue was made, and what it earned where it was made for."""
    rows = [
        "| agent | environment | algorithm | trained | net $/h (95 %) "
        "| gain on the best rule, $/h (95 %) | regret, of the rule | card |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, made in _made().items():
        training, env = made["training"], _slug(made["environment"])
        result = _gains(env)
        row, best = result["allocators"][name], result["best_classical"]
        rows.append(
            f"| `{name}` | `{env}` | {training['algorithm']}, {training['steps']:,} intervals "
            f"| {training['seconds'] / 60:.1f} min, {training['hardware']} "
            f"| {_range(row['net_usd_per_h'])} "
            f"| {_range(row['gain_over_best_classical_usd_per_h'], '+')} on `{best}` "
            f"| {_regrets(env, name)} | [card]({name}/card.md) |"
        )
    return "\n".join(rows)


def everywhere() -> str:
    """What its own agent, and the generalist, gain on the best rule of every environment."""
    rows = [
        "| environment | best rule, $/h | gain of its agent, $/h (95 %) | of `generalist` |",
        "|---|---|---|---|",
    ]
    owners = {_slug(made["environment"]): name for name, made in _made().items()}
    for env in (env for env in ENVS if _gains_file(env).exists()):
        result = _gains(env)
        played, best = result["allocators"], result["best_classical"]
        own, other = (
            _range(played[name]["gain_over_best_classical_usd_per_h"], "+")
            if name in played
            else ""
            for name in (owners.get(env), GENERALIST)
        )
        own = "" if owners.get(env) == GENERALIST else own
        money = played[best]["net_usd_per_h"]["mean"]
        rows.append(f"| `{env}` | `{best}` {money:.1f} | {own} | {other} |")
    return "\n".join(rows)


def _regrets(env: str, agent: str) -> str:
    """Regret of an agent and of the best rule where bounds are proven."""
    result = _result(env)
    rows = result["allocators"]
    if agent not in rows:
        return ""
    best = result["best_classical"]
    return f"{rows[agent]['regret']['mean']:.3f}, {rows[best]['regret']['mean']:.3f}"


def _made() -> dict[str, dict]:
    """The manifest of every agent of the catalogue."""
    paths = sorted((HOME / "agents").glob("*/manifest.json"))
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def _slug(identity: str) -> str:
    """Name of the file of an environment's id."""
    return next(env for env in ENVS if f'"{identity}"' in _env_text(env))


def _env_text(env: str) -> str:
    return (HOME / "envs" / f"{env}.toml").read_text(encoding="utf-8")


def _gains_file(env: str) -> Path:
    return RESULTS / f"gains-{env}.json"


def _gains(env: str) -> dict:
    """The comparison without bounds over more episodes where there is one."""
    path = _gains_file(env)
    return (
        json.loads(path.read_text(encoding="utf-8"))["results"][0]
        if path.exists()
        else _result(env)
    )


def _has_result(env: str) -> bool:
    return (RESULTS / f"compare-{env}.json").exists()


def _result(env: str) -> dict:
    path = RESULTS / f"compare-{env}.json"
    return json.loads(path.read_text(encoding="utf-8"))["results"][0]


def _range(interval: dict[str, float], sign: str = "") -> str:
    mean, low, high = (format(interval[key], f"{sign}.1f") for key in ("mean", "lo", "hi"))
    return f"{mean} ({low} to {high})"


def _filled(text: str, tables: dict[str, str]) -> str:
    for name, table in tables.items():
        begin, end = f"<!-- table: {name} -->\n", "<!-- end of table -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        text, count = pattern.subn(lambda _, b=begin, e=end, t=table: f"{b}{t}\n{e}", text)
        if count != 1:
            msg = f"'{begin.strip()}' stands {count} times, expected once."
            raise SystemExit(msg)
    return text


if __name__ == "__main__":
    main()
