"""`bwalloc decide`: one decision of an exported policy, as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bwalloc.control import Decision, Telemetry, from_json, to_json
from bwalloc.errors import BwallocError
from bwalloc.observe import usual_day
from bwalloc.scenario import load_scenario
from bwalloc.serve.policy.runtime import RuntimeName

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario
    from bwalloc.serve import Supervisor


def run(
    agent: str,
    *,
    env: str,
    telemetry: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    limits: Path | None = None,
    key: Path | None = None,
    runtime: RuntimeName = "auto",
    envs: Path | None = None,
) -> None:
    """Print one decision of an exported policy as JSON.

    Args:
        agent: name of an agent of the catalogue, or the folder of a bundle (with a /).
        env: environment whose network it decides for.
        telemetry: file with the telemetry as JSON, - for standard input; by default what was
            measured in the first interval of the first test episode.
        limits: TOML file of what the decision is held to.
        key: Ed25519 public key (PEM) that the bundle must be signed with.
        runtime: what computes the decision; auto is the faster of those installed.
        envs: a folder with environments of your own.
    """
    from bwalloc.serve import ReplayClock, load_bundle, read_limits

    scenario = load_scenario(env, envs=envs)
    given = from_json(Telemetry, _read(telemetry)) if telemetry else None
    held = read_limits(limits) if limits else None
    bundle = load_bundle(agent, key=key)
    bound = bundle.bind(
        scenario.network, held, runtime=runtime, clock=ReplayClock(), usual=usual_day(scenario)
    )
    with bound as supervisor:
        decision = supervisor.decide(given or _first_interval(scenario, supervisor))
    print(readable_json(decision))


def _read(place: str) -> bytes:
    if place == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(place).read_bytes()
    except OSError as error:
        msg = f"--telemetry '{place}': {error.strerror}; give a JSON file, or - for standard input."
        raise BwallocError(msg) from None


def _first_interval(scenario: Scenario, supervisor: Supervisor) -> Telemetry:
    """What the agent itself would measure after the first interval of test episode 0."""
    from bwalloc.scenario import draw_world
    from bwalloc.sim import Episodes, Simulator, telemetry_of

    simulator = Simulator(scenario)
    episodes = Episodes([draw_world(scenario, "test", 0)])
    state = simulator.start(1)
    known = simulator.first_readings(state, episodes)
    rates = supervisor.decide(telemetry_of(scenario.network, known)).rates_gbps
    step = simulator.step(state, rates[:, :, None].astype("float32"), episodes)
    return telemetry_of(scenario.network, step.readings)


def readable_json(decision: Decision) -> str:
    """The decision as JSON, one field or one demand's rates on a line."""
    fields = json.loads(to_json(decision))
    lines = [f' "{name}": {_lines(value)}' for name, value in fields.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def _lines(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], list | dict):
        return "[\n  " + ",\n  ".join(json.dumps(row) for row in value) + "\n ]"
    return json.dumps(value)
