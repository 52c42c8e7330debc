"""The stable words of reasons. A reason is `word` or `word: detail`; only the words are stable."""

from __future__ import annotations

REASONS: dict[str, str] = {
    "telemetry-missing": "no telemetry came, or what came is no record",
    "telemetry-unreadable": "the record cannot be read: columns of other sizes, senseless times",
    "telemetry-stale": "it is older than `stale_after_s`",
    "telemetry-out-of-order": "it is older than what was decided upon before",
    "telemetry-future": "it ends more than `future_s` ahead of this clock",
    "telemetry-interval": "its interval is not the network's, by a factor of 2 or more",
    "telemetry-foreign": "it holds none of the network's demands, or none of its links",
    "telemetry-capacity-unit": "most capacities are absurdly above or below what was built",
    "telemetry-load-unit": "most loads are negative or absurd, or all moved 100-fold at once",
    "clock-jump": "the time of day jumped; telemetry is judged by both clocks",
    "demand-unknown": "rows of demands that the network has not; ignored",
    "demand-missing": "demands without a row; their last load stands in, then the static table",
    "demand-unmeasured": "demands whose load is null, negative or absurd; as missing ones",
    "link-unknown": "rows of links that the network has not; ignored",
    "link-missing": "links without a row; last capacity for `last_good_s`, then they carry nothing",
    "link-unmeasured": "links whose capacity is null, negative or absurd; last or built capacity",
    "link-down": "links that are down or have no capacity",
    "span-missing": "spans that are sold without a sound row; nothing is ordered on them",
    "maintenance": "links whose announced maintenance falls into the coming interval",
    "policy-late": "the policy did not answer within `decide_within_s`; its answer is dropped",
    "policy-busy": "the policy still works on an earlier decision; it was not asked",
    "policy-raised": "the policy raised an error",
    "policy-not-finite": "the policy answered NaN or infinity",
    "policy-negative": "the policy answered a negative rate",
    "policy-wrong-shape": "the policy's answer does not fit the demands and tunnels",
    "policy-off-tunnel": "the policy put a rate where no tunnel is",
    "max-min-failed": "the fallback rule raised an error",
    "over-capacity": "rates were scaled down to what links, or a tenant's cap, allow",
    "floors-raised": "demands were raised to their floors",
    "floors-infeasible": "the floors do not fit together; each gets its fair part",
    "step-limited": "changes were cut to `largest_step_gbps`",
    "kept": "rates whose change was below `least_change` and stayed as they were",
    "kill-switch": "an operator switched the policy off",
    "override": "rates of tenants were set by an operator",
    "closed": "the supervisor was closed",
    "order-withheld": "orders are placed by a policy with fresh telemetry only",
    "order-invalid": "a tier that is negative or no number, or a span ordered twice at once",
    "order-unknown-span": "no such span in the network",
    "order-not-for-sale": "the network offers nothing on the span",
    "order-not-on-menu": "the span is not offered at that tier",
    "order-pending": "an order for the span is under way",
    "order-no-change": "the span has that tier",
    "order-over-rate": "`max_orders_per_h` is reached",
    "order-over-hourly-cap": "the bill would exceed `max_usd_per_h`",
    "order-over-monthly-cap": "the month's bill would exceed `max_usd_per_month`",
    "order-waits": "the order waits for approval",
    "order-approved": "an approved order was placed",
    "order-rejected": "an operator rejected it; it may come again after `approval_waits_s`",
    "order-lapsed": "an order was not approved in time",
    "internal-error": "a fault of the supervisor itself; the last resort decided",
}
"""What each word means, for people."""


def reason(word: str, detail: object = "") -> str:
    """A reason with its detail; the word must be known."""
    assert word in REASONS, word
    return f"{word}: {detail}" if detail != "" else word


def word_of(text: str) -> str:
    """The stable word of a reason."""
    return text.partition(":")[0]
