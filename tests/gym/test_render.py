import gc
import re
import subprocess
import sys
import weakref
from dataclasses import replace

import gymnasium
import numpy as np
import pytest

import bwalloc
from bwalloc.errors import BwallocError
from bwalloc.gym.render import Frame, Renderer, SpanTier, palette, window
from bwalloc.gym.render.geometry import curves, label_places
from bwalloc.gym.render.network_view import NetworkView
from bwalloc.gym.render.panels import ago, round_up, shortened, tick_s, usd
from bwalloc.gym.render.picture import clock, new_figure
from bwalloc.network.build import SiteRow, SpanRow, build_topology

pytest.importorskip("matplotlib")

IDS = sorted(key for key in gymnasium.registry if key.startswith("bwalloc/"))
TINY = "bwalloc/TinyEdge-v1"
SHORT = {"time.intervals": 40}


def make(env_id=TINY, **options):
    return gymnasium.make(env_id, overrides=SHORT, render_mode="rgb_array", **options)


def play(env, intervals):
    for _ in range(intervals):
        env.step(np.zeros(env.action_space.shape, np.float32))


def frame(scenario, **changes):
    topology = scenario.network.topology
    plain = Frame(
        caption="Seed 0, test split",
        interval=3,
        hour_of_week=25.0,
        utilisation=np.full(len(topology.links.name), 0.3),
        queued_gbit=np.zeros(len(topology.sites.name)),
        offered_gbps=np.array([4.0, 6.0, 5.0]),
        served_gbps=np.array([4.0, 5.0, 5.0]),
        net_usd=1.0,
        reward_usd=0.5,
        terms_usd={"delivered": 1.5, "bandwidth": 0.5},
    )
    return replace(plain, **changes)


@pytest.fixture(scope="module")
def scenario():
    return bwalloc.load_scenario("tiny-edge")


@pytest.fixture(scope="module")
def renderer(scenario):
    return Renderer(scenario)


@pytest.mark.parametrize("env_id", IDS)
def test_every_environment_is_drawn_before_and_after_an_interval(env_id):
    env = make(env_id)
    env.reset(seed=1)
    before = env.render()
    play(env, 2)
    after = env.render()
    env.close()

    for picture in (before, after):
        assert (600, 960, 3) == picture.shape
        assert np.uint8 == picture.dtype
    assert (before != after).any()


def test_same_state_is_the_same_picture_however_often_it_is_drawn():
    often, once = make(), make()
    for env in (often, once):
        env.reset(seed=5)
    for _ in range(3):
        play(often, 1)
        often.render()
    play(once, 3)

    np.testing.assert_array_equal(once.render(), often.render())
    np.testing.assert_array_equal(once.render(), often.render())


def test_picture_belongs_to_the_episode_and_not_to_the_one_before():
    env, fresh = make(), make()
    env.reset(seed=5)
    play(env, 4)
    env.render()
    env.reset(seed=6)
    fresh.reset(seed=6)

    np.testing.assert_array_equal(fresh.render(), env.render())


def test_restored_state_is_drawn_as_it_was():
    env = make()
    env.reset(seed=2)
    play(env, 3)
    before, state = env.render(), env.unwrapped.get_state()
    play(env, 3)
    env.unwrapped.set_state(state)

    np.testing.assert_array_equal(before, env.render())


def test_settings_of_the_user_do_not_change_the_picture(scenario):
    import matplotlib as mpl

    plain = Renderer(scenario).draw(frame(scenario))
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red", "lines.linewidth": 9}):
        styled = Renderer(scenario).draw(frame(scenario))

    np.testing.assert_array_equal(plain, styled)


@pytest.mark.parametrize(
    "change",
    [
        {"utilisation": np.array([0.9, 0.3, 0.3, 0.3, 0.3, 0.3])},
        {"utilisation": np.array([np.nan, 0.3, 0.3, 0.3, 0.3, 0.3])},
        {"queued_gbit": np.array([20.0, 0.0, 0.0, 0.0])},
        {"offered_gbps": np.array([4.0, 7.0, 5.0])},
        {"served_gbps": np.array([4.0, 4.0, 5.0])},
        {"net_usd": 2.0},
        {"reward_usd": -0.5},
        {"terms_usd": {"delivered": 1.5, "stall": 0.5}},
        {"interval": 4},
        {"hour_of_week": 26.0},
        {"caption": "Seed 1, test split"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_everything_in_a_frame_is_seen(scenario, renderer, change):
    plain = renderer.draw(frame(scenario))

    assert (renderer.draw(frame(scenario, **change)) != plain).any()
    np.testing.assert_array_equal(plain, renderer.draw(frame(scenario)))


def test_orders_get_room_when_there_are_spans(scenario):
    renderer = Renderer(scenario)
    without = renderer.draw(frame(scenario))
    tiers = renderer.draw(frame(scenario, spans=(SpanTier("hub--cloud", 10.0),)))
    ordered = renderer.draw(frame(scenario, spans=(SpanTier("hub--cloud", 10.0, 25.0),)))

    assert (without != tiers).any()
    assert (tiers != ordered).any()
    assert "10 \N{RIGHTWARDS ARROW} 25" == renderer.orders.texts[0].get_text()
    assert "hub--cloud" == renderer.orders.names[0].get_text()


def test_span_with_an_order_stands_before_larger_ones(scenario):
    renderer = Renderer(scenario)
    spans = [SpanTier(f"span-{row}", 10.0 * row) for row in range(1, 9)]
    renderer.draw(frame(scenario, spans=(*spans, SpanTier("waits", 1.0, 2.0))))

    names = [text.get_text() for text in renderer.orders.names]
    assert ["waits", "span-8", "span-7", "span-6", "span-5"] == names


def test_busy_link_is_wider_and_darker_and_drawn_last(scenario):
    topology = scenario.network.topology
    axes = new_figure(600, 450).add_axes((0, 0, 1, 1))
    view = NetworkView(axes, topology, 100.0, (600, 450))
    used = np.array([0.05, 0.99, 0.3, 0.6, 0.8, 0.2])
    view.update(used, np.zeros(4))

    widths = view.links.get_linewidth()
    assert sorted(widths) == list(widths)
    np.testing.assert_array_equal(view.lines[1], view.links.get_segments()[-1])
    from matplotlib.colors import to_hex

    assert list(palette.LEVELS) == [to_hex(colour) for colour in view.links.get_color()]


def test_colours_of_utilisation_grow_darker_from_yellow_and_from_pale(scenario):
    def lightness(colour):
        return sum(w * int(colour[i : i + 2], 16) for w, i in ((0.3, 1), (0.6, 3), (0.1, 5)))

    pale, busy = palette.LEVELS[:3], palette.LEVELS[3:]
    for ramp in (pale, busy):
        values = [lightness(colour) for colour in ramp]
        assert sorted(values, reverse=True) == values


def crossed(count):
    """A line of sites with a span from its first to its last: it must pass the others."""
    sites = [SiteRow(f"site-{row}", x=float(row), y=0.0) for row in range(count)]
    ends = dict.fromkeys([*((row, row + 1) for row in range(count - 1)), (0, count - 1)])
    spans = [SpanRow(f"s{a}-{b}", (f"site-{a}", f"site-{b}"), (1.0, 1.0)) for a, b in ends]
    return build_topology("line", sites, spans)


def test_link_bends_around_sites_between_its_ends():
    links = crossed(4).links
    points = np.column_stack([np.arange(4) * 150.0, np.zeros(4)])
    lines = curves(points, links.source, links.target, 6.0, 12.0)

    for row in np.flatnonzero(np.abs(links.source - links.target) == 3):
        for site in (1, 2):
            assert np.linalg.norm(lines[row] - points[site], axis=1).min() > 8


def test_both_directions_keep_to_their_right():
    links = crossed(2).links
    points = np.array([[0.0, 0.0], [100.0, 0.0]])
    lines = curves(points, links.source[:2], links.target[:2], 6.0, 12.0)

    np.testing.assert_allclose(lines[0][:, 1], -3.0)
    np.testing.assert_allclose(lines[1][:, 1], 3.0)


def test_labels_of_fifty_sites_do_not_cover_each_other():
    rng = np.random.default_rng(0)
    points = rng.uniform(40, 500, (50, 2))
    sizes = np.tile([[60.0, 12.0]], (50, 1))
    middles = label_places(points, sizes, [points], 8.0, (540, 540))
    shown = middles[~np.isnan(middles[:, 0])]
    apart = np.abs(shown[:, None] - shown) / [60.0, 12.0]

    assert len(shown) > 40
    assert (apart.max(2)[np.triu_indices(len(shown), 1)] >= 1).all()
    assert ((shown > [30, 6]) & (shown < [510, 534])).all()


def test_closed_environment_frees_its_figure():
    import matplotlib.pyplot as plt

    env = make()
    env.reset(seed=0)
    env.render()
    figure = weakref.ref(env.unwrapped._renderer.figure)
    env.close()
    gc.collect()

    assert figure() is None
    assert [] == plt.get_fignums()


def test_render_before_reset_says_what_to_do():
    with pytest.raises(BwallocError, match=r"call reset\(\)"):
        make().unwrapped.render()


def test_human_mode_without_a_display_is_one_clear_error():
    import matplotlib as mpl

    env = gymnasium.make(TINY, overrides=SHORT, render_mode="human")

    refused = pytest.raises(BwallocError, match=r"cannot open a window: .*'agg'.*rgb_array")
    with mpl.rc_context({"backend": "agg"}), refused:
        env.reset(seed=0)


def test_toolkit_that_cannot_be_loaded_is_the_same_error():
    code = (
        "import gymnasium, bwalloc\n"
        f"env = gymnasium.make({TINY!r}, render_mode='human')\n"
        "try:\n    env.reset(seed=0)\n"
        "except bwalloc.BwallocError as error:\n    print(error)\n"
    )
    bare = {"PATH": "", "MPLBACKEND": "TkAgg"}
    done = subprocess.run([sys.executable, "-c", code], env=bare, capture_output=True, text=True)

    assert 0 == done.returncode, done.stderr
    assert re.search("cannot open a window: .*rgb_array", done.stdout, re.DOTALL)


def test_human_mode_keeps_one_window_and_closes_it(monkeypatch):
    import matplotlib.pyplot as plt

    opened = []

    def open_figure():
        opened.append(plt.figure(figsize=(9.6, 6.0), dpi=100))
        return opened[-1]

    monkeypatch.setattr(window, "open_figure", open_figure)
    env = gymnasium.make(TINY, overrides=SHORT, render_mode="human")
    for seed in (0, 1):
        env.reset(seed=seed)
        play(env, 2)

    assert 1 == len(opened)
    assert env.unwrapped._renderer.renderer.count.get_text() == "interval 2 of 40"
    assert env.render() is None
    env.close()
    assert [] == plt.get_fignums()


def test_missing_matplotlib_names_the_install_line(monkeypatch):
    env = make()
    env.reset(seed=0)
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(BwallocError, match=re.escape("pip install 'bwalloc[plot]'")):
        env.render()


def test_rooms_of_the_picture_load_no_matplotlib():
    code = (
        "import sys, gymnasium, bwalloc, bwalloc.gym.render\n"
        f"env = gymnasium.make({TINY!r}, render_mode='rgb_array'); env.reset(seed=0)\n"
        "env.step(env.action_space.sample())\n"
        "print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "False" == done.stdout.strip()


@pytest.mark.slow
def test_record_video_writes_a_film(tmp_path):
    pytest.importorskip("moviepy")
    from gymnasium.wrappers import RecordVideo

    env = RecordVideo(make(), str(tmp_path / "films"), disable_logger=True, name_prefix="tiny")
    env.reset(seed=0)
    play(env, 40)
    env.close()

    (film,) = tmp_path.glob("films/*.mp4")
    assert film.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("value", "rounded"), [(0.0, 1.0), (0.9, 1.0), (1.1, 1.2), (130.0, 160.0), (8.1, 10.0)]
)
def test_axis_ends_at_a_number_with_round_quarters(value, rounded):
    assert rounded == pytest.approx(round_up(value))


def test_texts_of_the_panels():
    assert "Tue 01:30:00 UTC" == clock(25.5)
    assert "Mon 00:00:00 UTC" == clock(168.0)
    assert ["+$1.50", "-$1.50", "$1,200.00"] == [usd(1.5, "+"), usd(-1.5), usd(1200.0)]
    assert ["now", "-90 s", "-9 min", "-3 h"] == [ago(s) for s in (0, 90, 540, 10_800)]
    assert [180, 1200, 1] == [tick_s(s) for s in (600, 3600, 2)]
    assert "abc\N{HORIZONTAL ELLIPSIS}" == shortened("abcdef", 4)
