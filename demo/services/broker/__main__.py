"""Run the broker; its ready line carries the address."""

from demo.messaging import topics
from demo.runtime.lifecycle import ready, stop_requested
from demo.services.broker.cluster import Cluster

if __name__ == "__main__":
    stop = stop_requested()
    cluster = Cluster(topics.ALL)
    ready(cluster.bootstrap_servers)
    stop.wait()
    cluster.close()
