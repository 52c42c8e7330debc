import math
from dataclasses import FrozenInstanceError

import pytest

from bwalloc.errors import UnknownNameError
from bwalloc.workloads import ECONOMICS, TRAFFIC_CLASSES, traffic_class

ALL = list(TRAFFIC_CLASSES.values())


def test_the_catalogue():
    known = ["inference", "kv_transfer", "video_uplink", "background", "bulk_ingest"]
    assert known == list(TRAFFIC_CLASSES)
    assert known == [each.id for each in ALL]


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.id)
def test_every_number_has_a_source_and_the_value_is_concave(each):
    assert set(ECONOMICS) == set(each.sources)
    assert all(each.sources.values())
    assert len(each.value_usd_per_gbit) == len(each.value_until)
    assert sorted(each.value_usd_per_gbit, reverse=True) == list(each.value_usd_per_gbit)
    assert sorted(each.value_until) == list(each.value_until)
    assert math.inf == each.value_until[-1]
    assert each.deadline_s > 0
    assert each.budget_ms > 0
    assert each.description.endswith(".")


def test_only_caches_grow_with_the_price_of_a_gpu():
    assert TRAFFIC_CLASSES["kv_transfer"].value_at(5.0) == pytest.approx((7.8e-4,))
    assert (0.8,) == TRAFFIC_CLASSES["inference"].value_at(5.0)


def test_the_catalogue_cannot_be_changed():
    with pytest.raises(TypeError):
        TRAFFIC_CLASSES["new"] = ALL[0]
    with pytest.raises(FrozenInstanceError):
        ALL[0].deadline_s = 3.0


def test_an_unknown_class_is_refused_with_the_closest():
    assert traffic_class("inference") is ALL[0]
    with pytest.raises(UnknownNameError, match="'kv_transfer'"):
        traffic_class("kv_transfers")
