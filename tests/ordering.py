"""Small environments in which capacity is ordered, and worlds whose load and fates are given."""

from dataclasses import replace

import numpy as np

from bwalloc.scenario import draw_world, load_scenario
from bwalloc.scenario.draw_orders import OrderFates

PORT = """
schema = 1
id = "test/{name}-v1"
title = "Ports whose tier is ordered"

[time]
intervals = 240
interval_s = 60.0
substeps = 2
warmup_intervals = 0

[network.span_groups.port]
enforcement = "work_conserving"
why = "Our own shaper in front of a port that is sold by the tier."

[network.span_groups.core]
enforcement = "work_conserving"
why = "Owned."
usd_per_gbps_h = 0.0

[network.sites]
branch-1 = {{ kind = "edge" }}
branch-2 = {{ kind = "edge", scale = 2.0 }}
hub = {{ kind = "hub" }}
cloud = {{ kind = "cloud" }}

[network.spans]
"branch-1--hub" = {{ group = "port", ends = ["branch-1", "hub"], capacity_gbps = 2, delay_ms = 1 }}
"branch-2--hub" = {{ group = "port", ends = ["branch-2", "hub"], capacity_gbps = 2, delay_ms = 1 }}
"hub--cloud" = {{ group = "core", ends = ["hub", "cloud"], capacity_gbps = {core}, delay_ms = 2 }}

[tunnels]
per_demand = 1

[services]
office = {{ sites = "branch-*", burst = "chat", season = "b2b", rate_rps = 2, gpu_hour_usd = 2.5 }}

[offers.carrier]
spans = "branch-*"
provider = "carrier"
tiers_gbps = [1, 2, 5, 10]
usd_per_h_at_1_gbps = 4.0
volume_exponent = 0.63
delay_median_s = {delay}
{offers}

[classes.kv_transfer]
deadline_s = 30.0
value_usd_per_gbit = 2e-3

[classes.bulk_ingest]
value_usd_per_gbit = 5e-4
expiry_usd_per_gbit = 1e-4

[demands.interactive]
class = "kv_transfer"
from = "branch-*"
to = "cloud"
mean_gbps = 1.5

[demands.bulk]
class = "bulk_ingest"
from = "branch-*"
to = "cloud"
mean_gbps = 0.7
jobs_per_day = 48.0
sigma = 0.8
median_gb = 90.0
cap_gb = 400.0
season = "flat"
night_share = 0.0
slack_low = 2.0
slack_high = 6.0
ideal_gbps = 2.0
"""


def port_file(folder, *, name="ports", core=20.0, delay=300.0, offers=""):
    """The file of an environment with two ports; `offers` are more lines behind the offer."""
    path = folder / f"{name}.toml"
    text = PORT.format(name=name.title(), core=core, delay=delay, offers=offers)
    path.write_text(text, encoding="utf-8")
    return path


def ports(folder, overrides=None, **file):
    """The scenario of `port_file`."""
    return load_scenario(port_file(folder, **file), overrides)


def forked(folder, *, dear=4.0, core=4.0):
    """The file of a branch with a port to each of two sites, each with a port to the cloud.

    Prices of 1 Gbit/s: `dear` by the other site, else 4 on the access; `core` on both ramps.
    """
    site = '{ group = "port", ends = ["branch-1", "other"], capacity_gbps = 2, delay_ms = 1 }'
    ramp = '{ group = "core", ends = ["other", "cloud"], capacity_gbps = 20, delay_ms = 2 }'
    text = PORT.format(name="Forked", core=20.0, delay=0.0, offers="")
    text = text.replace(
        'hub = { kind = "hub" }', 'hub = { kind = "hub" }\nother = { kind = "hub" }'
    )
    text = text.replace('branch-2 = { kind = "edge", scale = 2.0 }\n', "")
    spans = "[network.spans]"
    text = text.replace(spans, f'{spans}\n"branch-1--other" = {site}\n"other--cloud" = {ramp}')
    text = "\n".join(row for row in text.splitlines() if not row.startswith('"branch-2'))
    text = text.replace("per_demand = 1", "per_demand = 2")
    text = text.replace('spans = "branch-*"', 'spans = "branch-*--hub"')
    for name, spans, price in (("other", "branch-*--other", dear), ("ramps", "*--cloud", core)):
        if price:
            text += (
                f'\n[offers.{name}]\nspans = "{spans}"\ntiers_gbps = [1, 2, 5, 10]\n'
                f"usd_per_h_at_1_gbps = {price}\nvolume_exponent = 0.63\nfirst_tier_gbps = 2\n"
                "delay_median_s = 0.0\n"
            )
    path = folder / "forked.toml"
    path.write_text(text, encoding="utf-8")
    return path


def steady_world(scenario, gbps, *, wait=1, refused=False):
    """A world in which each demand offers the same all the time, or what each interval says.

    Args:
        scenario: of `ports`.
        gbps: a number, or one per interval; bulk offers nothing.
        wait: intervals an order takes, a number or an array (intervals, offered, tiers).
        refused: whether orders come to nothing.
    """
    world = draw_world(scenario, "train", 0)
    timing, offers = scenario.timing, scenario.network.offers
    world.arrivals_gbit[:] = 0.0
    load = np.broadcast_to(np.asarray(gbps, float), (timing.intervals,))
    rows = scenario.network.demands.rows_of("kv_transfer")
    world.arrivals_gbit[:, :, rows] = (load * timing.substep_s)[:, None, None]
    shape = (timing.intervals, *offers.tier_gbps.shape)
    fates = OrderFates(
        np.broadcast_to(np.asarray(wait), shape).astype(np.int64), np.full(shape, refused)
    )
    jobs = None if world.jobs_gbit is None else np.zeros_like(world.jobs_gbit)
    return replace(world, jobs_gbit=jobs, fates=fates)
