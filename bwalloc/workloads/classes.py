"""The catalogue of traffic classes: what each is, what it is worth, and who says so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, TypeAlias

from bwalloc.errors import unknown_name

Elasticity: TypeAlias = Literal["inelastic", "adaptive", "semi_elastic", "elastic"]
"""What a class does with less than it wants: lose it, shrink, fall back, or wait."""

ECONOMICS = (
    "value_usd_per_gbit",
    "value_until",
    "expiry_usd_per_gbit",
    "late_usd_per_gbit_s",
    "settle_usd_per_gbit",
    "deadline_s",
    "budget_ms",
    "borrow_weight",
)
"""Fields of `TrafficClass` that an environment may set otherwise; each has a source."""

_OURS = "our choice"
_NONE = "our choice: none by default"


@dataclass(frozen=True, slots=True)
class TrafficClass:
    """A class of traffic and its default economics.

    Attributes:
        id: Name in environment files and results.
        elasticity: What the class does with less than it wants.
        description: One sentence for people.
        value_usd_per_gbit: Worth of a Gbit served, by piece of a concave value; falling.
        value_until: Share of what arrived in a substep at which each piece ends; rising, the last
            `inf`.
        expiry_usd_per_gbit: Fee for a Gbit that expires unserved, besides its lost value.
        late_usd_per_gbit_s: Cost of a Gbit for each second it waits.
        settle_usd_per_gbit: Cost of a Gbit still queued at the end of an episode; None: as
            `expiry_usd_per_gbit`.
        deadline_s: Seconds after which unserved work expires; `inf`: never.
        budget_ms: Largest delay of a path that serves the class; `inf`: any.
        borrow_weight: Share of unused rate it borrows, relative to the other classes.
        sources: Where each field of `ECONOMICS` comes from.
        value_at_gpu_hour_usd: GPU price in $/h at which the value holds, where it grows with that
            price; None where it does not.
        value_at_stall_usd_per_s: Cost of the demand's group while it waits, in $/s, at which value
            and settlement hold, where they grow with that cost; None where they do not.
    """

    id: str
    elasticity: Elasticity
    description: str
    value_usd_per_gbit: tuple[float, ...]
    value_until: tuple[float, ...]
    expiry_usd_per_gbit: float
    late_usd_per_gbit_s: float
    settle_usd_per_gbit: float | None
    deadline_s: float
    budget_ms: float
    borrow_weight: float
    sources: Mapping[str, str]
    value_at_gpu_hour_usd: float | None = None
    value_at_stall_usd_per_s: float | None = None

    def value_at(self, gpu_hour_usd: float) -> tuple[float, ...]:
        """`value_usd_per_gbit` where a GPU costs `gpu_hour_usd` $/h."""
        if self.value_at_gpu_hour_usd is None:
            return self.value_usd_per_gbit
        factor = gpu_hour_usd / self.value_at_gpu_hour_usd
        return tuple(value * factor for value in self.value_usd_per_gbit)

    def in_group(self, stall_usd_per_s: float) -> TrafficClass:
        """The class where the GPUs that wait for it cost `stall_usd_per_s`."""
        if self.value_at_stall_usd_per_s is None:
            return self
        factor = stall_usd_per_s / self.value_at_stall_usd_per_s
        settle = self.settle_usd_per_gbit
        return replace(
            self,
            value_usd_per_gbit=tuple(value * factor for value in self.value_usd_per_gbit),
            settle_usd_per_gbit=None if settle is None else settle * factor,
        )


def traffic_class(class_id: str) -> TrafficClass:
    """The class called `class_id`.

    Raises:
        UnknownNameError: If there is none; names the closest.
    """
    if class_id not in TRAFFIC_CLASSES:
        raise unknown_name(
            kind="traffic class", name=class_id, known=TRAFFIC_CLASSES, remedy="Use one of them."
        )
    return TRAFFIC_CLASSES[class_id]


def _sources(**said: str) -> Mapping[str, str]:
    """A source for every field of `ECONOMICS`; those not said are fees that are off."""
    fees = ("expiry_usd_per_gbit", "late_usd_per_gbit_s", "settle_usd_per_gbit")
    return MappingProxyType({**dict.fromkeys(fees, _NONE), "value_until": "one piece", **said})


_INFERENCE = TrafficClass(
    id="inference",
    elasticity="inelastic",
    description="Text of interactive LLM requests: prompts up, streamed answers down.",
    value_usd_per_gbit=(0.8,),
    value_until=(math.inf,),
    expiry_usd_per_gbit=0.0,
    late_usd_per_gbit_s=0.0,
    settle_usd_per_gbit=None,
    deadline_s=1.0,
    budget_ms=100.0,
    borrow_weight=100.0,
    sources=_sources(
        value_usd_per_gbit="derived: 0.00036 $ (market token price of a 70 B model, 2026) per "
        "0.00047 Gbit of a request of 1,155 + 211 tokens (Azure LLM inference trace 2023)",
        deadline_s=f"{_OURS}: a stalled answer is abandoned within a second",
        budget_ms="a fifth to a quarter of 450 ms, the TTFT target of Llama-2-70B interactive "
        "(MLPerf Inference rules, 2026-07)",
        borrow_weight=f"{_OURS}: interactive work borrows first",
    ),
)
_KV_TRANSFER = TrafficClass(
    id="kv_transfer",
    elasticity="semi_elastic",
    description="KV caches of prompts read at one site and continued at another, else recomputed.",
    value_usd_per_gbit=(3.9e-4,),
    value_until=(math.inf,),
    expiry_usd_per_gbit=0.0,
    late_usd_per_gbit_s=0.0,
    settle_usd_per_gbit=None,
    deadline_s=2.0,
    budget_ms=2000.0,
    borrow_weight=10.0,
    sources=_sources(
        value_usd_per_gbit="derived: 0.0026 $ of GPU time to recompute a 12 K-token prompt at 2.5 "
        "$/GPU-h, per 6.8 Gbit of its cache (68.6 KiB per token); grows with the GPU price",
        deadline_s="TTFT targets of MLPerf Inference, 0.45 to 6 s; then the site recomputes",
        budget_ms=f"{_OURS}: the deadline; caches are bound by rate, not by delay",
        borrow_weight=f"{_OURS}: between interactive work and background",
    ),
    value_at_gpu_hour_usd=2.5,
)
_VIDEO_UPLINK = TrafficClass(
    id="video_uplink",
    elasticity="adaptive",
    description="Cameras of a site for analytics, which step down a ladder of bit rates.",
    value_usd_per_gbit=(0.018, 0.0044, 0.0018, 0.0006),
    value_until=(0.125, 0.25, 0.5, math.inf),
    expiry_usd_per_gbit=0.0,
    late_usd_per_gbit_s=0.0,
    settle_usd_per_gbit=None,
    deadline_s=1.0,
    budget_ms=300.0,
    borrow_weight=100.0,
    sources=_sources(
        value_usd_per_gbit=f"{_OURS}: 0.05 $ per camera-hour (sweep 0.02 to 0.10) over accuracies "
        ".6/.75/.87/.95 of the ladder .5/1/2/4 Mbit/s",
        value_until="rungs of the ladder over its wanted 4 Mbit/s",
        deadline_s=f"{_OURS}: live frames older than a second are dropped",
        budget_ms=f"{_OURS}: what live analytics tolerates",
        borrow_weight=f"{_OURS}: interactive work borrows first",
    ),
)
_BACKGROUND = TrafficClass(
    id="background",
    elasticity="elastic",
    description="The rest of an enterprise's traffic, best effort.",
    value_usd_per_gbit=(1e-5,),
    value_until=(math.inf,),
    expiry_usd_per_gbit=0.0,
    late_usd_per_gbit_s=0.0,
    settle_usd_per_gbit=None,
    deadline_s=1.0,
    budget_ms=math.inf,
    borrow_weight=1.0,
    sources=_sources(
        value_usd_per_gbit=f"{_OURS}: a tenth of committed bandwidth (1e-4 $/Gbit)",
        deadline_s=f"{_OURS}: senders back off, so what is not served at once is not queued",
        budget_ms=_NONE,
        borrow_weight=f"{_OURS}: the unit",
    ),
)
_BULK_INGEST = TrafficClass(
    id="bulk_ingest",
    elasticity="elastic",
    description="Data sets and backups, few and huge, each due at a time of its own.",
    value_usd_per_gbit=(2e-4,),
    value_until=(math.inf,),
    expiry_usd_per_gbit=2e-4,
    late_usd_per_gbit_s=0.0,
    settle_usd_per_gbit=None,
    deadline_s=3600.0,
    budget_ms=math.inf,
    borrow_weight=3.0,
    sources=_sources(
        value_usd_per_gbit=f"{_OURS}: twice the cost of committed bandwidth (0.25 $/Gbit/s-h at "
        "70 % use, 1e-4 $/Gbit), so that it pays to carry it but not to buy on demand for it",
        expiry_usd_per_gbit=f"{_OURS}: a missed deadline costs the value once more, as an SLA fee",
        deadline_s=f"{_OURS}: an hour where a transfer brings none of its own (`Jobs.due_s`)",
        budget_ms=_NONE,
        borrow_weight=f"{_OURS}: between caches and background",
    ),
)

_TRAIN_SYNC = TrafficClass(
    id="train_sync",
    elasticity="elastic",
    description="Weights that the sites of a training job exchange in rounds; GPUs wait for all.",
    value_usd_per_gbit=(0.0036,),
    value_until=(math.inf,),
    expiry_usd_per_gbit=0.0,
    late_usd_per_gbit_s=0.0,
    settle_usd_per_gbit=0.0036,
    deadline_s=math.inf,
    budget_ms=math.inf,
    borrow_weight=10.0,
    sources=_sources(
        value_usd_per_gbit="derived: 512 GPUs at 2.5 $/GPU-h wait 0.356 $ a second, which is what "
        "is at stake per Gbit at 100 Gbit/s; the same for all that is served in the end, so it "
        "tells rules what to carry first, and the stall of the group is charged besides",
        settle_usd_per_gbit="as the value: a round that is cut off has still to be carried",
        deadline_s="a barrier: the next round cannot do without it",
        budget_ms=_NONE,
        borrow_weight=f"{_OURS}: as caches; GPUs wait for both",
    ),
)
_CHECKPOINT = TrafficClass(
    id="checkpoint",
    elasticity="elastic",
    description="States of training jobs copied to another site, due when the next is taken.",
    value_usd_per_gbit=(4.5e-4,),
    value_until=(math.inf,),
    expiry_usd_per_gbit=0.0,
    late_usd_per_gbit_s=5.0e-7,
    settle_usd_per_gbit=None,
    deadline_s=1800.0,
    budget_ms=math.inf,
    borrow_weight=3.0,
    sources=_sources(
        value_usd_per_gbit="derived: 512 GPUs fail once in 98 h (50,000 h per GPU, MLPerf Storage "
        "v2.0); with a copy 30 min older a failure costs 512 GPUs x 0.5 h x 2.5 $/h more, for the "
        "30 min until the next copy: 3.28 $ per 7,296 Gbit (912 GB, 70 B parameters)",
        late_usd_per_gbit_s="derived: the same 3.28 $ where a copy takes the whole 30 min, half "
        "of its bytes waiting in the mean",
        deadline_s="the next checkpoint, 15 to 30 min for 70 B parameters (NVIDIA, 2026), where a "
        "copy brings none of its own (`Jobs.due_s`)",
        budget_ms=_NONE,
        borrow_weight=f"{_OURS}: as other transfers",
    ),
)
_RESTORE = replace(
    _TRAIN_SYNC,
    id="checkpoint/restore",
    description="Checkpoints that a failed site of a training job reads back; GPUs wait for it.",
    sources=_sources(
        value_usd_per_gbit=_TRAIN_SYNC.sources["value_usd_per_gbit"],
        settle_usd_per_gbit="as the value: a restore that is cut off has still to be carried",
        deadline_s="the job cannot do without it",
        budget_ms=_NONE,
        borrow_weight=f"{_OURS}: as caches; GPUs wait for both",
    ),
)
_DATA_FEED = TrafficClass(
    id="data_feed",
    elasticity="adaptive",
    description="Samples that GPUs read from far away while they train; what is late idles them.",
    value_usd_per_gbit=(4.2e-4,),
    value_until=(math.inf,),
    expiry_usd_per_gbit=0.0,
    late_usd_per_gbit_s=0.0,
    settle_usd_per_gbit=None,
    deadline_s=10.0,
    budget_ms=math.inf,
    borrow_weight=10.0,
    sources=_sources(
        value_usd_per_gbit="derived: a GPU-second at 2.5 $/GPU-h per 1.64 Gbit of ResNet-50 on an "
        "H100 (MLPerf Storage); each demand has that of its workload, GPU price and cache misses",
        deadline_s=f"{_OURS}: ten seconds of prefetched samples",
        budget_ms=_NONE,
        borrow_weight=f"{_OURS}: as caches; GPUs wait for both",
    ),
)
_MODEL_PUSH = replace(
    _BULK_INGEST,
    id="model_push",
    description="Weights rolled out to many sites at once, each copy with a deadline.",
    sources=_sources(
        value_usd_per_gbit=f"{_OURS}: as bulk transfers, twice the cost of committed bandwidth",
        expiry_usd_per_gbit=f"{_OURS}: a site left on the old model costs the value once more",
        deadline_s=f"{_OURS}: an hour where a release brings none of its own (`Jobs.due_s`)",
        budget_ms=_NONE,
        borrow_weight=f"{_OURS}: as other transfers",
    ),
)
_COLD_START = TrafficClass(
    id="model_push/cold_start",
    elasticity="elastic",
    description="Weights for one more replica of a service that surges; requests wait for it.",
    value_usd_per_gbit=(6.7e-3,),
    value_until=(math.inf,),
    expiry_usd_per_gbit=0.0,
    late_usd_per_gbit_s=1.5e-5,
    settle_usd_per_gbit=None,
    deadline_s=60.0,
    budget_ms=math.inf,
    borrow_weight=10.0,
    sources=_sources(
        value_usd_per_gbit="derived: half of 5.53 requests/s at 0.00036 $ (as `inference`) lost "
        "over 15 min of a surge (ServeGen m-large), 0.90 $ per 134 Gbit (16 GB, 8 B parameters)",
        late_usd_per_gbit_s="derived: the same requests while the weights are under way, half of "
        "their bytes waiting in the mean",
        deadline_s=f"{_OURS}: a cold start of more than a minute comes too late",
        budget_ms=_NONE,
        borrow_weight=f"{_OURS}: as caches; requests wait for both",
    ),
)

_ALL = (
    _INFERENCE,
    _KV_TRANSFER,
    _VIDEO_UPLINK,
    _BACKGROUND,
    _BULK_INGEST,
    _TRAIN_SYNC,
    _CHECKPOINT,
    _DATA_FEED,
    _MODEL_PUSH,
)
TRAFFIC_CLASSES: Mapping[str, TrafficClass] = MappingProxyType({each.id: each for each in _ALL})
"""Every traffic class by its id, in the order of results."""

VARIETIES: Mapping[str, TrafficClass] = MappingProxyType(
    {each.id: each for each in (_RESTORE, _COLD_START)}
)
"""Demands of a class with economics of their own, as `class/variety`."""
