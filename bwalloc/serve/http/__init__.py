"""The sidecar: decisions, operations, health, metrics and a page for operators over HTTP."""

from bwalloc.serve.http.app import create_app
from bwalloc.serve.http.security import read_token
from bwalloc.serve.http.server import Drain, Listener, listen, serve
from bwalloc.serve.http.settings import Settings

__all__ = ["Drain", "Listener", "Settings", "create_app", "listen", "read_token", "serve"]
