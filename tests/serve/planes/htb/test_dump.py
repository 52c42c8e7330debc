"""What `tc` and `ip` show is read as it is meant."""

import pytest

from bwalloc.serve.planes.htb.dump import ClassState, read_classes, read_filters, read_links

CLASSES = """class htb b000:10 parent b000:1 leaf 8001: prio 0 rate 50123Mbit ceil 50123Mbit burst 0b cburst 50123b 
 Sent 7532 bytes 5 pkt (dropped 3, overlimits 0 requeues 0) 
 backlog 302800b 200p requeues 0
 lended: 0 borrowed: 0 giants: 0
 tokens: 0 ctokens: 140

class htb b000:1 root rate 100Mbit ceil 1Gbit burst 62500b cburst 62500b 
 Sent 90 bytes 1 pkt (dropped 0, overlimits 0 requeues 0) 
 backlog 0b 0p requeues 0
 lended: 0 borrowed: 0 giants: 0
 tokens: 78125 ctokens: 78125

class htb b001:ffff parent b001:1 prio 7 rate 8bit ceil 14296bit burst 3028b cburst 62500b 
 Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) 
 backlog 12Kb 9p requeues 0
 lended: 0 borrowed: 0 giants: 0
 tokens: 3785000 ctokens: 78125

"""  # noqa: E501, W291 - as it is written
DETAILED = """class htb 1:10 parent 1:1 leaf 10: prio 1 quantum 3000 rate 10Mbit ceil 100Mbit linklayer ethernet burst 20Kb/1 mpu 0b cburst 20462b/1 mpu 0b level 0 
 Sent 1 bytes 2 pkt (dropped 0, overlimits 0 requeues 0) 
 backlog 0b 0p requeues 0
"""  # noqa: E501, W291
FILTERS = """filter protocol ip pref 1 u32 chain 0 
filter protocol ip pref 1 u32 chain 0 fh 800: ht divisor 1 
filter protocol ip pref 1 u32 chain 0 fh 800::800 order 2048 key ht 800 bkt 0 *flowid b000:10 not_in_hw 
  match 0a000000/ff000000 at 16
filter parent b001: protocol ip pref 1 u32 chain 0 fh 800::801 order 2049 key ht 800 bkt 0 flowid b001:11 not_in_hw 
  match 00b80000/00fc0000 at 0
filter protocol ip pref 1 u32 chain 0 fh 800::802 order 2050 key ht 800 bkt 0 *flowid b000:10 not_in_hw 
"""  # noqa: E501, W291


def test_classes_are_read_with_units_and_counters():
    assert {
        (0xB000, 0x10): ClassState("b000:1", 50_123_000_000, 50_123_000_000, 7532, 5, 3, 302_800),
        (0xB000, 1): ClassState(None, 100_000_000, 1_000_000_000, 90, 1, 0, 0),
        (0xB001, 0xFFFF): ClassState("b001:1", 8, 14_296, 0, 0, 0, 12 * 1024),
    } == read_classes(CLASSES)


def test_details_that_other_versions_show_do_not_disturb():
    (found,) = read_classes(DETAILED).values()

    assert (10_000_000, 100_000_000, 1) == (found.rate, found.ceil, found.sent_bytes)


@pytest.mark.parametrize("text", ["", "class fq_codel 1:1 parent 1:\n", "Cannot find device"])
def test_what_is_no_htb_class_is_left_out(text):
    assert {} == read_classes(text)


def test_filters_are_read_by_the_class_they_lead_to():
    assert {0xB000: [0x10, 0x10], 0xB001: [0x11]} == read_filters(FILTERS)


def test_an_interface_is_up_with_a_carrier_only():
    text = """[{"ifname": "a", "flags": ["UP", "LOWER_UP"]}, {"ifname": "b", "flags": ["UP"]},
    {"ifname": "c", "flags": ["NO-CARRIER", "UP"]}, {}]"""

    assert {"a": True, "b": False, "c": False} == read_links(text)
    assert {} == read_links("")
