import math
import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from bwalloc.errors import UnknownNameError
from bwalloc.workloads import ECONOMICS, TRAFFIC_CLASSES, VARIETIES, traffic_class

MODEL = Path(__file__).parents[2] / "docs" / "model.md"
ALL = [*TRAFFIC_CLASSES.values(), *VARIETIES.values()]


def test_the_catalogue():
    known = ["inference", "kv_transfer", "video_uplink", "background", "bulk_ingest"]
    known += ["train_sync", "checkpoint", "data_feed", "model_push"]
    assert known == list(TRAFFIC_CLASSES)
    assert ["checkpoint/restore", "model_push/cold_start"] == list(VARIETIES)
    assert [*known, *VARIETIES] == [each.id for each in ALL]
    assert {name.split("/")[0] for name in VARIETIES} <= set(TRAFFIC_CLASSES)


def test_derived_numbers_are_what_their_sources_say():
    """512 GPUs at 2.5 $/h; a 70 B checkpoint of 7,296 Gbit each 30 min; a surge of 15 min."""
    usd_per_s = 512 * 2.5 / 3600
    copy_usd = 512 / 50_000 * 0.5 * 512 * 2.5 * 0.5
    surge_usd_per_s = 0.5 * 5.53 * 0.00036
    assert TRAFFIC_CLASSES["train_sync"].value_usd_per_gbit[0] == pytest.approx(
        usd_per_s / 100, 0.02
    )
    save = TRAFFIC_CLASSES["checkpoint"]
    assert save.value_usd_per_gbit[0] == pytest.approx(copy_usd / 7296, 0.02)
    assert save.late_usd_per_gbit_s == pytest.approx(copy_usd / 1800 / (7296 / 2), 0.02)
    feed = TRAFFIC_CLASSES["data_feed"]
    assert feed.value_usd_per_gbit[0] == pytest.approx(2.5 / 3600 / 1.64, 0.02)
    start, gbit = VARIETIES["model_push/cold_start"], 16 * 8 * 1.05
    assert start.value_usd_per_gbit[0] == pytest.approx(900 * surge_usd_per_s / gbit, 0.02)
    assert start.late_usd_per_gbit_s == pytest.approx(surge_usd_per_s / (gbit / 2), 0.02)


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


@pytest.mark.parametrize("each", VARIETIES.values(), ids=lambda each: each.id)
def test_what_gpus_or_requests_wait_for_outweighs_bulk(each):
    assert each.value_usd_per_gbit[0] > 10 * TRAFFIC_CLASSES["bulk_ingest"].value_usd_per_gbit[0]


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.id)
def test_the_page_of_the_model_tells_deadline_and_worth(each):
    (row,) = [
        line for line in MODEL.read_text().splitlines() if line.startswith(f"| `{each.id}` |")
    ]
    _, _, _, deadline, worth, besides, _ = (cell.strip() for cell in row.split("|"))
    value = [f"{worth:g}" for worth in each.value_usd_per_gbit]

    expected = "none" if math.isinf(each.deadline_s) else f"{each.deadline_s:g} s"
    assert deadline in ("its own", expected)
    assert {float(value[0]), float(value[-1])} <= numbers(worth) | numbers(besides)
    assert not each.late_usd_per_gbit_s or each.late_usd_per_gbit_s in numbers(besides)


def numbers(text):
    return {float(number) for number in re.findall(r"\d[\d.]*(?:e-\d+)?", text)}


def test_an_unknown_class_is_refused_with_the_closest():
    assert traffic_class("inference") is ALL[0]
    with pytest.raises(UnknownNameError, match="'kv_transfer'"):
        traffic_class("kv_transfers")
