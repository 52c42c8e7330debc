"""Orders on torch: hard they are the simulator's, soft they carry gradients."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")

import numpy as np  # noqa: E402
from ordering import ports  # noqa: E402

from bwalloc.allocate.policy.corrected import CorrectedForecast  # noqa: E402
from bwalloc.allocate.policy.learned import Policy  # noqa: E402
from bwalloc.errors import RecipeError  # noqa: E402
from bwalloc.learn.apg import ApgTrainer  # noqa: E402
from bwalloc.learn.network import PolicyNetwork  # noqa: E402
from bwalloc.learn.recipe import recipe_from  # noqa: E402
from bwalloc.learn.train import make_trainer  # noqa: E402
from bwalloc.learn.unroll import Unroll  # noqa: E402
from bwalloc.learn.validation import Validation  # noqa: E402
from bwalloc.money import net_usd  # noqa: E402
from bwalloc.observe import usual_day  # noqa: E402
from bwalloc.scenario import draw_world  # noqa: E402
from bwalloc.scenario.draw_orders import OrderFates  # noqa: E402
from bwalloc.sim import Episodes, Simulator  # noqa: E402

WAIT = 3
SEED = 2_000_000


def certain(scenario, seed):
    """A world in which every order lands after `WAIT` intervals."""
    world = draw_world(scenario, "train", seed)
    shape = (scenario.timing.intervals, *scenario.network.offers.tier_gbps.shape)
    return replace(world, fates=OrderFates(np.full(shape, WAIT), np.zeros(shape, bool)))


@pytest.mark.parametrize("works", [{}, {"failures.maintenance.per_week": 300.0}])
def test_whole_tiers_and_a_constant_delay_are_the_simulator(tmp_path, works):
    """Interval by interval: tiers, paid time, orders on their way, capacities and money."""
    scenario = ports(tmp_path, {"time.intervals": 150, **works})
    intervals = scenario.timing.intervals
    unroll = Unroll(scenario, 1, cut=intervals, seeds=count(SEED), steepness=None, wait=WAIT)
    simulator = Simulator(scenario, compiled=False)
    episodes = Episodes([certain(scenario, SEED)])
    corrected = CorrectedForecast(
        scenario.network, scenario.tuned, compiled=False, usual=usual_day(scenario), spans=True
    )
    state = simulator.start(1)
    corrected.start(simulator.first_readings(state, episodes))
    rng, changes = np.random.default_rng(0), 0
    nothing = np.zeros((4, 4, 1), np.float32)
    for _ in range(intervals):
        mine, other = unroll.features(), corrected.features(state.rates_gbps)
        for kind, rows in other.items():
            np.testing.assert_allclose(mine[kind], rows, rtol=0, atol=2e-3, err_msg=kind)
        about = rng.uniform(-1, 1, (2, 2, 1)).astype(np.float32)
        orders = corrected.orders(about)
        step = simulator.step(state, corrected.rates_gbps(nothing), episodes, orders)
        usd = unroll.step(torch.as_tensor(nothing), torch.as_tensor(about))
        corrected.push(step.readings)
        state = step.state
        changes += int(step.ports.is_activated.sum())
        for name in ("tier_gbps", "pending_gbps", "paid_left_s", "capacity_gbps", "announced_gbps"):
            seen = getattr(unroll.corrected.readings, name)
            np.testing.assert_allclose(seen, getattr(step.readings, name), rtol=1e-5, err_msg=name)
        assert float(usd[0]) == pytest.approx(net_usd(step.terms)[0], abs=2e-3)

    assert changes > 3


def trainer_of(scenario, **apg):
    section = {"batch": 4, "cut": 40, "cut_value": 0.8, **apg}
    table = {"env": "ports", "algorithm": "apg", "network": {"hidden": 8}, "apg": section}
    return ApgTrainer(scenario, recipe_from(table, "test"))


def test_gradients_of_money_reach_the_answers_about_spans(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 160})
    unroll = Unroll(scenario, 3, cut=80, seeds=count(SEED))
    batch = 3
    nothing = torch.zeros((4, 4, batch))
    about = torch.zeros((2, 2, batch), requires_grad=True)
    money = sum(unroll.step(nothing, about).sum() for _ in range(80))
    money.backward()

    assert torch.isfinite(about.grad).all()
    assert (about.grad.abs() > 0).all()


def test_an_update_moves_the_weights_of_spans_and_keeps_them_finite(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 160})
    trainer = trainer_of(scenario)
    before = trainer.network.numpy()
    for _ in range(5):  # over the end of an episode
        trainer.update(0.0)
    after = trainer.network.numpy()

    assert 0 == trainer.skipped
    assert 0 == np.abs(before["span.out.weight"]).max()
    assert np.abs(after["span.out.weight"]).max() > 0
    assert all(np.isfinite(values).all() for values in after.values())


def test_a_new_network_answers_nothing_about_spans(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 40})
    trainer = trainer_of(scenario, cut=20)
    features = trainer.unroll.features()
    _, about = trainer.network.both(features, trainer.grounds.here.graph)

    assert isinstance(trainer.network, PolicyNetwork)
    assert (2, 2, 4) == tuple(about.shape)
    assert 0 == about.abs().max()


def test_weights_of_a_network_that_knows_no_spans_are_refused(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 40})
    recipe = recipe_from({"env": "ports", "network": {"hidden": 8}}, "test")
    blind = PolicyNetwork(recipe.network.architecture(spans=False)).numpy()

    with pytest.raises(
        RecipeError, match="ports sees spans and rhythms, and the weights are of an agent"
    ):
        make_trainer(scenario, recipe, "cpu", blind)


def test_a_larger_tier_than_the_load_earns_nothing_more(tmp_path):
    """The gradient of money by capacity ends at the load: outcomes are worked out tier by tier."""
    scenario = ports(tmp_path, {"time.intervals": 40})
    unroll = Unroll(scenario, 1, cut=40, seeds=count(SEED))
    soft = unroll.ports
    soft.held = torch.tensor([0.0, 0.0, 0.0, 1.0])[None, :, None].repeat(2, 1, 1)
    little = soft.room(np.full((4, 1), 0.1))
    much = soft.room(np.full((4, 1), 50.0))
    sold = soft.is_sold[soft.crossing.any(1)]  # nothing is sent the other way

    assert (little[sold] < 0.1).all()
    torch.testing.assert_close(much[sold], torch.ones_like(much[sold]))
    torch.testing.assert_close(soft.scale()[sold], torch.ones_like(much[sold]))


@pytest.mark.slow
def test_the_first_hundred_updates_never_fall_three_percent_below_action_zero(tmp_path):
    """What nearly every failed recipe of the reference trials would not have passed."""
    scenario = ports(tmp_path, {"time.intervals": 240, "time.warmup_intervals": 0})
    trainer = trainer_of(scenario, batch=4, cut=120)
    validation = Validation(scenario, 32)
    lowest, last = np.inf, 0.0
    for update in range(100):
        trainer.update(update / 100)
        if update % 10 == 9:
            architecture = trainer.network.architecture
            policy = Policy(architecture, trainer.network.numpy(), scenario.tuned)
            last = validation(policy).usd_per_h
            lowest = min(lowest, last)

    start = validation.rival_usd_per_h.mean()
    assert lowest > 0.97 * start
    assert last > start
    assert 0 == trainer.skipped
