"""What is timed is the whole decision."""

from ordering import port_file

from bwalloc.allocate import make_rule
from bwalloc.bench.timing import decide_ms
from bwalloc.observe import measured
from bwalloc.scenario import draw_world, load_scenario


def test_a_decision_holds_its_orders(tmp_path, monkeypatch):
    scenario = load_scenario(port_file(tmp_path), {"time.intervals": 40})
    world = draw_world(scenario, "train", 0)
    rule = make_rule("two-bar", scenario.network, measured([world], 60.0), scenario.tuned)
    given, order = [], rule.order

    def noted(readings):
        given.append(order(readings))
        return given[-1]

    monkeypatch.setattr(rule, "order", noted)
    spent = decide_ms(scenario, rule, world, decisions=8)
    assert 8 == len(given)
    assert {"p50", "p99"} == set(spent)
