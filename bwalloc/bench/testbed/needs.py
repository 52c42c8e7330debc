"""What the kernel allows: each need is tried in a namespace of its own, and explained."""

from __future__ import annotations

import os
import shutil
import socket
import sys

from bwalloc.bench.testbed.spaces import made_spaces
from bwalloc.errors import PlaneError
from bwalloc.serve.planes.htb import tc

PROBES = (
    ("virtual Ethernet pairs (CONFIG_VETH)", "ip -n {0} link add o0 type veth peer i0 netns {1}"),
    ("", "ip -n {0} link set o0 up"),
    ("the HTB scheduler (CONFIG_NET_SCH_HTB)", "tc -n {0} qdisc add dev o0 root handle 1: htb"),
    ("", "tc -n {0} class add dev o0 parent 1: classid 1:1 htb rate 1mbit"),
    ("pfifo queues", "tc -n {0} qdisc add dev o0 parent 1:1 pfifo limit 10"),
    (
        "the u32 classifier (CONFIG_NET_CLS_U32)",
        "tc -n {0} filter add dev o0 parent 1: protocol ip pref 1 u32 match ip dst 10.0.0.1/32 "
        "flowid 1:1",
    ),
)


def missing() -> list[str]:
    """What is not there, each with what to do; empty where a testbed can be built."""
    if not sys.platform.startswith("linux"):
        return [f"Linux (this is {sys.platform}); run it there"]
    found: list[str] = []
    if os.geteuid() != 0:
        found.append("root, for network namespaces and traffic control; start it with sudo")
    found += [
        f"the command '{command}'; install iproute2"
        for command in ("ip", "tc")
        if not (shutil.which(command) or shutil.which(command, path="/usr/sbin:/sbin"))
    ]
    found += _missing_of_tcp()
    return found or _missing_inside()


def require() -> None:
    """Find out before any work.

    Raises:
        PlaneError: Names everything that is missing, and what to do.
    """
    found = missing()
    if found:
        each = "; ".join(found)
        msg = f"A testbed cannot be built here. It needs {each}. Nothing was left behind."
        raise PlaneError(msg)


def _missing_inside() -> list[str]:
    try:
        with made_spaces(2) as spaces:
            for what, words in PROBES:
                said = tc.run(words.format(*spaces.names).split())
                if not said.is_good:
                    return [f"{what or words} ({said.complaint.strip()}); use another kernel"]
    except PlaneError as error:
        return [f"network namespaces (CONFIG_NET_NS, CAP_SYS_ADMIN): {error}"]
    return []


def _missing_of_tcp() -> list[str]:
    """A namespace allows few congestion controls; who may administer networks sets any."""
    with socket.socket() as made:
        try:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
        except PermissionError:
            return ["CAP_NET_ADMIN; give it to the process (a container: --cap-add)"]
        except OSError:
            return ["TCP's congestion control 'cubic' (CONFIG_TCP_CONG_CUBIC); use another kernel"]
    return []
