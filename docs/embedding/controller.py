"""The loop of a controller: once an interval measure, decide, program rates, place orders.

Give it functions of your own; tests/serve/test_embedding.py gives it those of a simulated network.
"""

from collections.abc import Callable, Iterable

from bwalloc import Telemetry
from bwalloc.serve import Supervisor


def control(
    supervisor: Supervisor,
    measured: Iterable[Telemetry | None],
    program: Callable[[str, int, float], None],
    order: Callable[[str, float], None],
) -> None:
    """Run until `measured` ends.

    Args:
        supervisor: `bwalloc.load_bundle(AGENT, key=KEY).bind(network, limits)`.
        measured: one record at the end of each interval, None where nothing came in time.
        program: sets the rate of a demand's tunnel, in Gbit/s.
        order: buys a tier for a span, in Gbit/s.
    """
    held: dict[tuple[str, int], float] = {}
    try:
        for telemetry in measured:
            decision = supervisor.decide(telemetry)
            wanted = {
                (demand, tunnel): float(rate)
                for demand, row in zip(decision.demands, decision.rates_gbps, strict=True)
                for tunnel, rate in enumerate(row)
            }
            moves = {key: rate - held.get(key, 0.0) for key, rate in wanted.items()}
            for key, move in sorted(moves.items(), key=lambda item: item[1]):
                if move:  # what falls comes first: it makes room for what rises
                    program(*key, wanted[key])
            held = wanted
            for each in decision.orders:
                order(each.span, each.tier_gbps)
    finally:
        supervisor.close()
