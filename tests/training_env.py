"""A small environment of every class of training traffic, for tests."""

from bwalloc.scenario import load_scenario

TEXT = """
schema = 1
id = "tests/Training-v1"
title = "Three GPU sites and a cloud around a hub"

[time]
intervals = 120
interval_s = 30.0

[network]
name = "training"

[network.span_groups.leased]
enforcement = "policed"
why = "Leased waves."

[network.sites]
gpu-1 = { kind = "gpu", region = "eu", x = 0.0, y = 0.0 }
gpu-2 = { kind = "gpu", region = "eu", x = 1.0, y = 0.0, scale = 2.0 }
gpu-3 = { kind = "gpu", region = "eu", x = 1.0, y = 1.0 }
hub = { kind = "hub", region = "eu", x = 0.5, y = 0.5 }
cloud = { kind = "cloud", region = "eu", x = 0.5, y = 0.6 }

[network.spans]
a = { group = "leased", ends = ["gpu-1", "hub"], capacity_gbps = 100.0, delay_ms = 5.0 }
b = { group = "leased", ends = ["gpu-2", "hub"], capacity_gbps = 100.0, delay_ms = 5.0 }
c = { group = "leased", ends = ["gpu-3", "hub"], capacity_gbps = 100.0, delay_ms = 5.0 }
d = { group = "leased", ends = ["cloud", "hub"], capacity_gbps = 100.0, delay_ms = 5.0 }

[tunnels]
per_demand = 1

[services.chat]
sites = "gpu-*"
burst = "chat"
rate_rps = 5.53

[surge]
per_day = 48.0

[groups.job]
members = "*-job/*"
gpus = 512
gpu_hour_usd = 2.5

[demands.sync-job]
class = "train_sync"
from = "gpu-*"
to = "gpu-*"
parameters_billion = 70.0

[demands.restore-job]
class = "checkpoint"
direction = "restore"
from = "cloud"
to = "gpu-*"
failure_factor = 100.0

[demands.save]
class = "checkpoint"
from = "gpu-*"
to = "cloud"
parameters_billion = 8.0
every_s = 900.0
remote_every = 1

[demands.feed]
class = "data_feed"
from = "cloud"
to = "gpu-*"

[demands.release]
class = "model_push"
from = "cloud"
to = "gpu-*"
releases_per_day = 48.0
season = "flat"

[demands.start]
class = "model_push"
event = "cold_start"
from = "cloud"
to = "gpu-*"
"""


def training_file(folder, text=TEXT):
    """The environment as a file in `folder`."""
    path = folder / "training.toml"
    path.write_text(text)
    return path


def training_scenario(folder, overrides=None, text=TEXT):
    """The environment, with overrides."""
    return load_scenario(training_file(folder, text), overrides)
