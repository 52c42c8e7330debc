"""Recipes (`recipe.toml`): everything a training run follows from, one frozen model."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field

from bwalloc.allocate import CLASSICAL, ORDERING
from bwalloc.allocate.policy.constants import check_constants
from bwalloc.allocate.policy.neural import MOST_HIDDEN, MOST_ROUNDS, Architecture
from bwalloc.errors import RecipeError, ScenarioError, unknown_name
from bwalloc.scenario import Shift
from bwalloc.scenario.fields import NO_TEXT, Count, NonNegative, Positive, Section, Share
from bwalloc.scenario.schema import ShiftSection
from bwalloc.scenario.validate import validate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bwalloc.scenario import Scenario

Algorithm: TypeAlias = Literal["apg", "ppo", "sac", "bc"]
ALGORITHMS: tuple[Algorithm, ...] = ("apg", "ppo", "sac", "bc")
Flag: TypeAlias = bool
Corrected: TypeAlias = Literal["forecast", "two-bar", "action"]
"""Sections of an environment file that a policy works with."""


class NetworkSection(Section):
    """The policy network: see `bwalloc.allocate.policy.neural`."""

    hidden: Annotated[int, Field(ge=1, le=MOST_HIDDEN), NO_TEXT] = 32
    rounds: Annotated[int, Field(ge=0, le=MOST_ROUNDS), NO_TEXT] = 2
    history: Flag = True

    def architecture(self, *, spans: bool) -> Architecture:
        """The record the network is built from; `spans` where everything is seen."""
        return Architecture(self.hidden, self.rounds, self.history, spans)


class ValidationSection(Section):
    """Which policy is kept: the best on the validation split.

    `patience` validations without a better one stop the run; 0 never stops it. Those of
    `apg.rates_first` do not count.
    """

    episodes: Count = 16
    every_steps: Count = 40_000
    patience: Annotated[int, Field(ge=0), NO_TEXT] = 12


class ApgSection(Section):
    """Analytic policy gradient: see `bwalloc.learn.apg`.

    Attributes:
        batch: episodes unrolled together.
        rates_batch: the same for rates alone, in runs that learn orders: gradients that reach
            less far back need less memory, and are noisier. 0: as `batch`.
        networks: visited in turn, where every episode draws its own network.
        stay: share of an episode after which another network takes the place of a drawn one.
        cut: intervals a gradient reaches back. Where capacity is ordered at least two paid blocks:
            120 to 240 minutes.
        rates_first: share of the run in which rates alone are learned, with gradients that reach
            back `rates_cut` intervals; orders are those of `two-bar` meanwhile.
        rates_cut: see `rates_first`.
        between: in the part that learns orders, visits of every network that learn rates alone,
            over `rates_cut` intervals, for each visit that learns orders; orders are the policy's.
        cut_value: share of its value that work still queued at the cut counts for.
        critic: learn what comes after the cut, and add it there.
        discount, trace: of the critic's targets, per interval (gamma and lambda).
        learning_rate: of Adam; falls along a cosine to `final_share` of it, in each part of a run
            that `rates_first` divides.
        even: gradients of every environment, of orders and of rates alone, count alike: each is
            divided by the running size of its kind, so that none drowns another (those of orders
            on `random-edge` were 15 times as large as those of rates in `enterprise-naas`).
        clip_norm: largest norm of a gradient; with `even` in sizes of its kind, but for a critic.
        average: how much of the kept weights stays at an update (exponential moving average);
            with 0 the last weights are kept.
        smooth_gbit: scale over which the steps of the law are smoothed in training; 0: exact.
    """

    batch: Count = 64
    rates_batch: Annotated[int, Field(ge=0), NO_TEXT] = 0
    networks: Count = 8
    stay: Share = 0.25
    cut: Count = 5
    rates_first: Share = 0.0
    rates_cut: Count = 15
    between: Annotated[int, Field(ge=0), NO_TEXT] = 0
    cut_value: NonNegative = 0.8
    critic: Flag = False
    discount: Share = 0.99
    trace: Share = 0.95
    learning_rate: Positive = 3e-3
    final_share: Share = 0.1
    even: Flag = False
    clip_norm: Positive = 1.0
    average: Share = 0.98
    smooth_gbit: NonNegative = 0.0


class PpoSection(Section):
    """Stable-Baselines3 PPO; names are those of its constructor.

    Of ours: `learning_rate` is the policy's, `critic_learning_rate` the critic's; both fall along a
    cosine to `final_share` of them. In the first `critic_first` updates only the critic learns, so
    that a policy to start from is not spoilt.
    """

    n_envs: Count = 64
    n_steps: Count = 64
    batch_size: Count = 512
    n_epochs: Count = 2
    gamma: Share = 0.9
    gae_lambda: Share = 0.9
    learning_rate: Positive = 3e-4
    critic_learning_rate: Positive = 3e-3
    clip_range: Positive = 0.2
    target_kl: Positive = 0.05
    ent_coef: NonNegative = 0.0
    log_std_init: float = -1.6
    final_share: Share = 0.1
    critic_first: Annotated[int, Field(ge=0), NO_TEXT] = 3


class SacSection(Section):
    """Stable-Baselines3 SAC; names are those of its constructor, or as in `PpoSection`."""

    n_envs: Count = 64
    buffer_size: Count = 50_000
    batch_size: Count = 128
    gamma: Share = 0.9
    tau: Share = 0.01
    learning_rate: Positive = 1e-5
    critic_learning_rate: Positive = 1e-3
    learning_starts: Count = 4_000
    gradient_steps: Count = 1
    ent_coef: Positive = 1e-4
    log_std_init: float = -2.0
    final_share: Share = 0.1
    critic_first: Annotated[int, Field(ge=0), NO_TEXT] = 30


CLAIRVOYANT = "clairvoyant"
TEACHERS = (CLAIRVOYANT, *CLASSICAL, *ORDERING)


def _known(teacher: str) -> str:
    if teacher not in TEACHERS:
        remedy = "Set teacher in [bc] of the recipe."
        raise unknown_name(kind="teacher", name=teacher, known=TEACHERS, remedy=remedy)
    return teacher


class BcSection(Section):
    """Behaviour cloning: see `bwalloc.learn.cloning`.

    Attributes:
        teacher: whose actions are learned, `clairvoyant` or a classical allocator.
        dataset: a Minari dataset to learn from, and no teacher is asked: its id, or a folder that
            `bwalloc record` wrote.
        episodes: training episodes that the teacher plays, or the most that are read.
        batch_size: pairs of features and action in an update.
        learning_rate: of AdamW; falls along a cosine to `final_share` of it.
        weight_decay: of AdamW.
        clip_norm: largest norm of a gradient.
        hide_orders: where capacity is sold, hide the tier that is held or on its way; see `HELD`.
    """

    teacher: Annotated[str, AfterValidator(_known)] = CLAIRVOYANT
    dataset: str = ""
    episodes: Count = 32
    batch_size: Count = 64
    learning_rate: Positive = 1e-3
    final_share: Share = 0.1
    weight_decay: NonNegative = 0.0
    clip_norm: Positive = 1.0
    hide_orders: Flag = False


class VarietySection(ShiftSection):
    """What some training episodes differ in from those of the environment.

    As a shift of the `ood` split, and:

    Attributes:
        day_level_sd: log deviation of a service's level from one episode to another.
        burst_stretch: how much longer silence, work and bursts of code last, at least 1.
        code_slow_sd: log deviation of the level of code over minutes.
    """

    day_level_sd: NonNegative | None = None
    burst_stretch: Annotated[float, Field(ge=1.0, le=1000.0), NO_TEXT] | None = None
    code_slow_sd: NonNegative | None = None


class Recipe(Section):
    """One training run. `steps` are intervals of single episodes, summed over the batch.

    `also` names environments that apg visits in turn with `env`, in this order (a name twice, twice
    as often); the policy corrects `forecast` with the constants of `env` everywhere, and validation
    plays them too. `constants` are, by section of an environment file (`two-bar`, `forecast`,
    `action`), what the policy has in place of those of `env`.

    Training episode `n` gets entry `n % count` of `variety`; an entry that holds nothing but a name
    changes nothing. Validation and export play the environment as it is.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    env: str
    algorithm: Algorithm = "apg"
    also: list[str] = Field(default_factory=list)
    seed: Annotated[int, Field(ge=0), NO_TEXT] = 0
    steps: Count = 600_000
    network: NetworkSection = NetworkSection()
    validation: ValidationSection = ValidationSection()
    apg: ApgSection = ApgSection()
    ppo: PpoSection = PpoSection()
    sac: SacSection = SacSection()
    bc: BcSection = BcSection()
    constants: dict[Corrected, dict[str, Annotated[float, NO_TEXT]]] = Field(default_factory=dict)
    variety: list[VarietySection] = Field(default_factory=list)

    @property
    def rates_first(self) -> float:
        """Share of the run that learns rates alone; see `ApgSection`."""
        return self.apg.rates_first if self.algorithm == "apg" else 0.0

    def architecture(self, scenario: Scenario) -> Architecture:
        """The policy network for an environment: it sees what policies see there."""
        return self.network.architecture(spans=scenario.sizes.sees_everything)

    @property
    def corrected(self) -> dict[str, dict[str, float]]:
        """`constants` by plain names; empty sections say nothing."""
        return {str(name): constants for name, constants in self.constants.items() if constants}

    def tuned(self, scenario: Scenario) -> Mapping[str, Mapping[str, float]]:
        """Constants of the policy: those of its environment, and over them its own."""
        theirs, ours = scenario.tuned, self.corrected
        return {key: {**theirs.get(key, {}), **ours.get(key, {})} for key in {**theirs, **ours}}

    def varied(self, scenario: Scenario) -> Scenario:
        """The scenario whose training episodes have the variety of the recipe."""
        shifts = tuple(Shift(**each.model_dump(exclude={"source"})) for each in self.variety)
        return replace(scenario, workload=replace(scenario.workload, variety=shifts))


def recipe_from(table: Mapping[str, Any], where: str) -> Recipe:
    """A checked recipe.

    Raises:
        RecipeError: A key is unknown or its value wrong; names it, and the nearest key.
        UnknownNameError: There is no such teacher.
    """
    try:
        recipe = validate(Recipe, dict(table), where)
        check_constants(recipe.corrected, where, "constants")
        return recipe
    except ScenarioError as error:
        raise RecipeError(str(error)) from None


def read_recipe(path: Path) -> Recipe:
    """The recipe in a file.

    Raises:
        RecipeError: The file cannot be read, is no TOML, or holds no recipe.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"{path}: cannot be read as a recipe ({error})."
        raise RecipeError(msg) from None
    return recipe_from(table, str(path))


def recipe_with(file: Path | None, where: str, **said: Any) -> Recipe:
    """The recipe of a file, or the plain one, with what was said besides; None says nothing.

    Args:
        file: None for the plain one.
        where: what to name in a message where there is no file.
        said: values by key.

    Raises:
        RecipeError: it is broken, or neither says which environment; names file, key and remedy.
    """
    known = read_recipe(file).model_dump(by_alias=True) if file else {}
    told = {key: value for key, value in said.items() if value is not None}
    if "env" not in known | told:
        msg = f"{where}: name an environment (bwalloc envs list), or a recipe (--recipe FILE)."
        raise RecipeError(msg)
    return recipe_from({**known, **told}, str(file or where))


def recipe_toml(recipe: Recipe) -> str:
    """The recipe as a file: the sections that its algorithm reads."""
    lines: list[str] = []
    section = ""
    for key, value in flat(recipe).items():
        table, name = _placed(key)
        if table != section:
            section = table
            lines += ["", "[[variety]]" if table.startswith("variety.") else f"[{table}]"]
        lines.append(f"{name} = {_literal(value)}")
    return "\n".join(lines) + "\n"


def _placed(key: str) -> tuple[str, str]:
    """Table and name of a dotted key; names of constants may hold dots themselves."""
    if key.startswith("constants."):
        _, section, name = key.split(".", 2)
        return f"constants.{section}", json.dumps(name)
    table, _, name = key.rpartition(".")
    return table, name


def flat(recipe: Recipe) -> dict[str, Any]:
    """Everything a run follows from by dotted key; sections of other algorithms are left out."""
    whole = recipe.model_dump(by_alias=True)
    if not recipe.also:
        del whole["also"]
    plain = (key for key in whole if key != "variety" and not isinstance(whole[key], dict))
    keys = {key: whole[key] for key in plain}
    for section in ("network", "validation", recipe.algorithm):
        keys |= {f"{section}.{key}": value for key, value in whole[section].items()}
    for name, constants in recipe.constants.items():
        keys |= {f"constants.{name}.{key}": value for key, value in constants.items()}
    for index, entry in enumerate(recipe.variety):
        changed = entry.model_dump(exclude_defaults=True)
        keys |= {f"variety.{index}.{key}": value for key, value in changed.items()}
    return {key: value for key, value in keys.items() if key.rpartition(".")[2] != "source"}


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | list) else repr(value)
