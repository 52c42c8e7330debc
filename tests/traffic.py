"""Real packets between two namespaces: senders that fill what they are given, marked by DSCP."""

import socket
import threading
import time

from namespaces import inside

BLOCK = bytes(16384)
DATAGRAM = bytes(1400)
SO_SNDBUFFORCE = 32


class Flow:
    """One sender in a thread, `dscp` on its packets; `received` counts payload at the other end."""

    def __init__(self, street, dscp, *, udp_mbps=None, to="10.9.1.2"):
        self.received = 0
        self._ending = threading.Event()
        kind = socket.SOCK_STREAM if udp_mbps is None else socket.SOCK_DGRAM
        with inside(street.b):
            self._sink = socket.socket(socket.AF_INET, kind)
        self._sink.bind((to, 0))
        self._sink.settimeout(5)
        self._address = self._sink.getsockname()
        with inside(street.a):
            self._source = socket.socket(socket.AF_INET, kind)
        self._source.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
        self._source.settimeout(5)
        runs = [self._sends_udp, self._receives] if udp_mbps else [self._sends_tcp, self._accepts]
        self._udp_mbps = udp_mbps
        if udp_mbps is not None:  # else the sender waits for the queue, and nothing is dropped
            self._source.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 2**22)
        if udp_mbps is None:
            self._source.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
            self._sink.listen(1)
        self._threads = [threading.Thread(target=run, daemon=True) for run in runs]
        for thread in self._threads:
            thread.start()

    def close(self):
        self._ending.set()
        for thread in self._threads:
            thread.join(10)
        self._source.close()
        self._sink.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _sends_tcp(self):
        try:
            self._source.connect(self._address)
            while not self._ending.is_set():
                self._source.send(BLOCK)
        except OSError:
            pass

    def _sends_udp(self):
        gap_s, due_s = len(DATAGRAM) * 8 / self._udp_mbps / 1e6, time.monotonic()
        while not self._ending.is_set():
            try:
                self._source.sendto(DATAGRAM, self._address)
            except OSError:
                return
            due_s = max(due_s + gap_s, time.monotonic() - 0.05)
            time.sleep(max(0.0, due_s - time.monotonic()))

    def _accepts(self):
        try:
            accepted, _ = self._sink.accept()
        except OSError:
            return
        accepted.settimeout(0.2)
        with accepted:
            self._drain(accepted)

    def _receives(self):
        self._sink.settimeout(0.2)
        self._drain(self._sink)

    def _drain(self, sink):
        while not self._ending.is_set():
            try:
                data = sink.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data and self._udp_mbps is None:
                return
            self.received += len(data)
