"""The application alone."""

from tests.benchmarks.peers.base import Peer


class Bare(Peer):
    title = "bare"


peer = Bare()
