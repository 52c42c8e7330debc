"""What the operator of a sidecar decides: who may reach it, and how much it takes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PORT = 8321


@dataclass(frozen=True, slots=True)
class Settings:
    """How a sidecar is reached and bounded.

    Attributes:
        host, port: address to listen on; port 0 takes a free one.
        token: what requests must carry as `Authorization: Bearer`; None asks for nothing.
        tls_cert, tls_key: PEM files; both or none.
        bundles: the only folder from which `/v1/swap` and `/v1/shadow` take bundles.
        key: public key (PEM) that every bundle must be signed with.
        max_body_bytes: largest telemetry; 10,000 demands with 24 slots each take 8 MB.
        max_command_bytes: largest body of every other route.
        max_waiting: decisions that may wait for their turn; the next one is answered with 503.
        body_s: how long a client may take to send its body.
        drain_s: after SIGTERM, how long requests are still taken while `ready` says no.
        finish_s: after that, how long running requests get to finish.
        max_connections: connections, or running requests, before the rest is answered with 503.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    token: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    bundles: Path | None = None
    key: Path | None = None
    max_body_bytes: int = 16 * 2**20
    max_command_bytes: int = 16 * 2**10
    max_waiting: int = 32
    body_s: float = 10.0
    drain_s: float = 1.0
    finish_s: float = 10.0
    max_connections: int = 512

    @property
    def scheme(self) -> str:
        """`https` where there is a certificate."""
        return "https" if self.tls_cert else "http"
