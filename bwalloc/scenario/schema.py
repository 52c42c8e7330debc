"""Schema of an environment file (`envs/*.toml`): one frozen model, checked at the door."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from bwalloc.scenario.fields import LATER, NO_TEXT, Duration, Finite, NonNegative, Positive, Section
from bwalloc.scenario.schema_credits import CreditSection
from bwalloc.scenario.schema_demands import DemandSection
from bwalloc.scenario.schema_enforcement import EnforcementSection
from bwalloc.scenario.schema_failures import FailureSection
from bwalloc.scenario.schema_network import NetworkSection, TunnelSection
from bwalloc.scenario.schema_offers import OfferSection
from bwalloc.scenario.schema_random import RandomSection
from bwalloc.scenario.schema_requests import RequestSection, ServiceSection, SurgeSection


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, int | float | str) else value


class TimeSection(Section):
    """The clock of an episode."""

    intervals: Annotated[int, Field(ge=1, le=1_000_000), NO_TEXT]
    interval_s: Positive
    substeps: Annotated[int, Field(ge=1, le=1_000), NO_TEXT] = 10
    warmup_intervals: Annotated[int, Field(ge=0), NO_TEXT] = 30

    @model_validator(mode="after")
    def _counts_something(self) -> Self:
        if self.warmup_intervals >= self.intervals:
            msg = f"warmup_intervals ({self.warmup_intervals}) below intervals ({self.intervals})"
            raise ValueError(msg)
        return self


class MoneySection(Section):
    """Prices that hold everywhere, and the scale of the reward."""

    reward_scale_usd: Positive = 1.0
    churn_usd_per_gbps: NonNegative = 0.0
    usd_per_gbps_h: NonNegative = 0.25
    volume_exponent: Positive = 1.0


class ClassSection(Section):
    """Economics of one traffic class, where they differ from the defaults of the class.

    `value_usd_per_gbit` is one number, or one per piece of a concave ladder whose pieces end at
    the shares `value_until` of the work offered, the last at `inf`. With `value_at_gpu_hour_usd`,
    value grows with the GPU price of the demand's service, and holds at that price. With
    `value_at_stall_usd_per_s`, value and settlement grow with what the GPUs of the demand's group
    cost while they wait, and hold at that cost.
    """

    deadline_s: Duration | None = None
    budget_ms: Duration | None = None
    value_usd_per_gbit: Annotated[list[NonNegative], BeforeValidator(_listed)] | None = None
    value_until: list[Annotated[float, Field(gt=0), NO_TEXT]] | None = None
    value_at_gpu_hour_usd: Positive | None = None
    value_at_stall_usd_per_s: Annotated[Positive | None, LATER] = None
    expiry_usd_per_gbit: NonNegative | None = None
    late_usd_per_gbit_s: NonNegative | None = None
    settle_usd_per_gbit: NonNegative | None = None
    borrow_weight: Positive | None = None


class GroupSection(Section):
    """Demands (a pattern of their names) that block the same GPUs."""

    members: str
    gpus: Positive
    gpu_hour_usd: Positive
    grace_s: NonNegative = 0.0


class ShiftSection(Section):
    """One shift of the out-of-distribution split; episode `seed` gets shift `seed % count`."""

    name: str
    surge_scale: NonNegative | None = None
    surges_per_day: NonNegative | None = None
    capacity_factor: Positive = 1.0
    demand_factor: Positive = 1.0
    burst: Literal["chat", "code", "poisson"] | None = None
    absent_class: str | None = None
    order_delay_factor: Annotated[NonNegative, LATER] = 1.0
    price_factor: Annotated[NonNegative, LATER] = 1.0
    failure_factor: Annotated[Positive, LATER] = 1.0


class RivalSection(Section):
    """The best classical allocator of the published comparison, and what an episode earned it.

    `mean_return` is the reward of a whole test episode, warm-up included: `reward_threshold` of
    the Gymnasium id.
    """

    allocator: str = "forecast"
    mean_return: Finite | None = None


class EnvFile(Section):
    """One environment. `history` says what changed with each version of its id: `{"1" = "..."}`.

    With `random`, the file is a template: sites, spans, services and demands are drawn.
    """

    schema_version: Literal[1] = Field(alias="schema")
    id: Annotated[str, Field(pattern=r"^[\w.-]+/[A-Za-z][\w.-]*-v\d+$")]
    title: str
    description: str = ""
    history: dict[str, str] = Field(default_factory=dict)
    time: TimeSection
    money: MoneySection = MoneySection()
    network: NetworkSection
    random: RandomSection | None = None
    tunnels: TunnelSection = TunnelSection()
    enforcement: Annotated[EnforcementSection, LATER] = EnforcementSection()
    failures: Annotated[FailureSection, LATER] = FailureSection()
    credits: Annotated[CreditSection, LATER] = CreditSection()
    offers: Annotated[dict[str, OfferSection], LATER] = Field(default_factory=dict)
    classes: dict[str, ClassSection] = Field(default_factory=dict)
    requests: RequestSection = RequestSection()
    surge: SurgeSection = SurgeSection()
    services: dict[str, ServiceSection] = Field(default_factory=dict)
    demands: Annotated[dict[str, DemandSection], Field(min_length=1)]
    groups: dict[str, GroupSection] = Field(default_factory=dict)
    allocators: dict[str, dict[str, Finite]] = Field(default_factory=dict)
    action: dict[str, Finite] = Field(default_factory=dict)
    rival: RivalSection = RivalSection()
    ood: list[ShiftSection] = Field(default_factory=list)
