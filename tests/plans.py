"""A plan as `bwalloc plan --json` writes it, with round numbers, for tests of what is shown."""

from copy import deepcopy


def interval(mean, width=0.1):
    return {"mean": mean, "lo": mean - width, "hi": mean + width}


def allocator(kind, net):
    return {
        "kind": kind,
        "net_usd_per_h": interval(net, 2.0),
        "regret": interval(0.5),
        "gain_over_best_classical_usd_per_h": interval(net - 40.0),
        "left": 0.1,
        "terms_usd_per_h": {"delivered": net + 4.0, "bandwidth": 4.0},
        "slo_attainment": {"inference": 0.9},
        "bill_usd_per_h": 4.0,
        "violations": 0,
        "decide_ms": {"p50": 0.1, "p99": 0.2},
    }


NETS = {"static-peak": 30.0, "forecast": 40.0, "clairvoyant": 45.0}
KINDS = dict.fromkeys(NETS, "classical") | {"clairvoyant": "reference"}
UPGRADE = {
    "span": "leased",
    "from_gbps": 10.0,
    "to_gbps": 11.0,
    "price_usd_per_h": 0.25,
    "worth_usd_per_h": interval(0.75),
    "net_usd_per_h": interval(0.5),
    "payback": 3.0,
    "pays": True,
}
FREE = UPGRADE | {"span": "owned", "price_usd_per_h": 0.0, "payback": None}
DEAR = UPGRADE | {
    "span": "dear",
    "net_usd_per_h": interval(-0.2, 0.05),
    "payback": 0.2,
    "pays": False,
}


def span(name, worth, price):
    return {
        "span": name,
        "capacity_gbps": 10.0,
        "usd_per_gbps_h": interval(worth),
        "price_usd_per_gbps_h": price,
        "usd_per_h": 2.5,
    }


def plan_of(**changes):
    """The document, with some of its keys replaced."""
    whole = {
        "schema": 1,
        "command": "bwalloc plan paper",
        "commit": "c" * 40,
        "versions": {"bwalloc": "0.1.0"},
        "env": "paper",
        "title": "On paper",
        "split": "test",
        "episodes": 6,
        "seeds": list(range(6)),
        "sells": False,
        "links": [],
        "spans": [span("leased", 0.75, 0.25), span("owned", 0.4, 0.0), span("dear", 0.05, 1.0)],
        "upgrades": [UPGRADE, FREE, DEAR],
        "advised": UPGRADE
        | {
            "overrides": {"network.capacity_gbps.leased": 11.0},
            "promised_net_usd_per_h": interval(0.5),
            "bound_net_usd_per_h": interval(0.4),
            "found_net_usd_per_h": {name: {"kind": KINDS[name], **interval(0.3)} for name in NETS},
        },
        "legacy": {
            "net_usd_per_h": interval(30.0),
            "costs_usd_per_h": {
                name: {"kind": KINDS[name], **interval(net - 30.0, 2.0)}
                for name, net in NETS.items()
                if name != "static-peak"
            },
        },
        "comparison": {
            "env": "paper",
            "split": "test",
            "input": {},
            "episodes": 6,
            "bound": {"net_usd_per_h": interval(46.0)},
            "best_classical": "forecast",
            "left_out": [],
            "interrupted": False,
            "allocators": {name: allocator(KINDS[name], net) for name, net in NETS.items()},
            "episode_results": [
                {"seed": seed, "bound": 46.0, "net_usd_per_h": NETS} for seed in range(6)
            ],
        },
    }
    return deepcopy(whole | changes)
