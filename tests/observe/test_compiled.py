import numpy as np
import pytest
from ordering import ports

from bwalloc.gym.engine import Engine
from bwalloc.observe import Observer, Window
from bwalloc.scenario import draw_world, load_scenario

pytest.importorskip("numba")


@pytest.mark.parametrize("name", ["tiny-edge", "metro-inference"])
@pytest.mark.parametrize("batch", [1, 5])
def test_the_compiled_twin_sees_what_the_array_form_sees(name, batch):
    scenario = load_scenario(name, {"intervals": 40})
    engine = Engine(scenario, batch)
    engine.restart(np.arange(batch), [draw_world(scenario, "train", n) for n in range(batch)])
    forms = [Observer(scenario.network, compiled=compiled) for compiled in (False, True)]
    memories = [form.start(batch) for form in forms]
    rng = np.random.default_rng(0)

    for _ in range(12):
        asked = (engine.readings, engine.base.want_gbps, engine.state.rates_gbps)
        plain, twin = (form(memory, *asked) for form, memory in zip(forms, memories, strict=True))
        assert plain.keys() == twin.keys()
        for kind in plain:
            assert plain[kind].dtype == twin[kind].dtype
            np.testing.assert_allclose(plain[kind], twin[kind], rtol=0, atol=3e-6)
        actions = rng.uniform(-1, 1, (batch, engine_actions(engine))).astype(np.float32)
        engine.step(actions)
        memories = [
            form.update(memory, engine.readings)
            for form, memory in zip(forms, memories, strict=True)
        ]
        for name_ in ("seen", "means", "square", "excess"):
            plain, twin = (getattr(memory, name_) for memory in memories)
            np.testing.assert_allclose(plain, twin, rtol=1e-5, atol=1e-7)


def engine_actions(engine):
    sizes = engine.scenario.sizes
    return sizes.demands * (3 + sizes.tunnels)


def test_a_batch_sees_what_its_episodes_see_one_by_one():
    scenario = load_scenario("metro-inference", {"intervals": 40})
    worlds = [draw_world(scenario, "train", n) for n in range(3)]
    together, alone = Engine(scenario, 3), Engine(scenario, 1)
    together.restart(np.arange(3), worlds)
    alone.restart(np.arange(1), worlds[1:2])
    actions = np.full((3, engine_actions(together)), 0.2, np.float32)

    for _ in range(6):
        together.step(actions)
        alone.step(actions[:1])

    for name, rows in alone.observe().items():
        np.testing.assert_allclose(rows[0], together.observe()[name][1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 7, 30])
def test_the_compiled_window_gives_the_same_numbers_bit_for_bit(length):
    rng = np.random.default_rng(0)
    plain, twin = (Window(length, compiled=compiled) for compiled in (False, True))

    for push in range(2 * length + 1):
        reading = FakeReadings(rng.integers(0, 9, (3, 70)).astype(np.float32))
        for window in (plain, twin):
            window.push(reading)
            if push == length:
                window.restart(np.array([4, 66]), reading)
        np.testing.assert_array_equal(plain.ewma(0.3), twin.ewma(0.3))
        for level in (0.0, 0.2, 0.5, 0.9, 1.0):
            np.testing.assert_array_equal(plain.quantile(level), twin.quantile(level))


class FakeReadings:
    def __init__(self, offered_gbps):
        self.offered_gbps = offered_gbps


def test_the_compiled_twin_leaves_tunnels_that_do_not_exist_at_zero():
    scenario = load_scenario("random-edge", {"intervals": 40})
    network = scenario.network
    assert not network.tunnels.exists.all()
    engine = Engine(scenario, 2)
    engine.restart(np.arange(2), [draw_world(scenario, "train", n) for n in range(2)])
    asked = (engine.readings, engine.base.want_gbps, engine.state.rates_gbps)

    plain, twin = (
        form(form.start(2), *asked)
        for form in (Observer(network, compiled=False), Observer(network, compiled=True))
    )

    for kind in plain:
        np.testing.assert_allclose(plain[kind], twin[kind], rtol=0, atol=3e-6)
    assert 0 == abs(twin["tunnels"][0][~network.tunnels.exists.ravel()]).max()


def test_the_compiled_twin_sees_announced_works_where_capacity_is_sold(tmp_path):
    scenario = ports(tmp_path, {"failures.maintenance.per_week": 300.0, "time.intervals": 120})
    engine = Engine(scenario, 2)
    worlds = [draw_world(scenario, "train", n, start_h=0.5) for n in range(2)]
    engine.restart(np.arange(2), worlds)
    plain, twin = (
        Observer(scenario.network, spans=True, compiled=compiled) for compiled in (False, True)
    )
    most = 0.0
    for _ in range(119):
        engine.step(np.zeros((2, 20), np.float32))
        asked = (engine.readings, engine.base.want_gbps, engine.state.rates_gbps)
        seen = [form(form.start(2), *asked)["links"] for form in (plain, twin)]
        np.testing.assert_array_equal(seen[0][3], seen[1][3])
        np.testing.assert_allclose(seen[0], seen[1], rtol=0, atol=3e-6)
        most = max(most, seen[0][3].max())

    assert most > 0.9
    assert 0 == seen[0][3].min()
