"""What is kept between the tasks of one process."""

from bwalloc.bench import tasks
from bwalloc.bench.tasks import Setting, history_of, template_of
from bwalloc.scenario import load_scenario

SHORT = {"time.intervals": 40}


def test_records_are_kept_up_to_a_size(monkeypatch):
    monkeypatch.setattr(tasks, "_HISTORIES", {})
    scenarios = [load_scenario("random-edge", {**SHORT, "random.seed": n}) for n in range(4)]
    first = history_of(scenarios[0])
    assert first is history_of(scenarios[0])

    monkeypatch.setattr(tasks, "KEPT_BYTES", first.log.load_gbps.nbytes)
    for scenario in scenarios[1:]:
        last = history_of(scenario)
        kept = list(tasks._HISTORIES.values())

        assert all(one is not first for one in kept)
        assert last is kept[-1]
        size = sum(one.log.load_gbps.nbytes for one in kept)
        assert size <= tasks.KEPT_BYTES or 1 == len(kept)


def test_a_record_larger_than_the_room_is_kept_while_it_is_used(monkeypatch):
    monkeypatch.setattr(tasks, "_HISTORIES", {})
    monkeypatch.setattr(tasks, "KEPT_BYTES", 1)
    scenario = load_scenario("tiny-edge", SHORT)

    assert history_of(scenario) is history_of(scenario)


def test_few_environments_are_kept(monkeypatch):
    monkeypatch.setattr(tasks, "_TEMPLATES", {})
    monkeypatch.setattr(tasks, "KEPT", 2)
    settings = [Setting("tiny-edge", overrides={"time.intervals": 40 + n}) for n in range(3)]
    first = template_of(settings[0])
    for setting in settings:
        template_of(setting)

    assert [one.key() for one in settings[1:]] == list(tasks._TEMPLATES)
    assert first is not template_of(settings[0])
