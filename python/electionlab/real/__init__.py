"""Real etcd and ZooKeeper beside the simulated ones: clusters, elections, and a comparison.

Nothing here runs at import; the servers are looked for when a cluster is made.
"""

from electionlab.real.calibration import Calibration, Formula, Measured
from electionlab.real.calibrations import calibrate
from electionlab.real.children import ServerError
from electionlab.real.contest import Contest, Storage, Write
from electionlab.real.ensemble import RealCluster, RealLeader
from electionlab.real.etcd import EtcdCluster
from electionlab.real.install import NotInstalledError
from electionlab.real.observed import ObservedTrace
from electionlab.real.zookeeper import ZooKeeperEnsemble

__all__ = [
    "Calibration",
    "Contest",
    "EtcdCluster",
    "Formula",
    "Measured",
    "NotInstalledError",
    "ObservedTrace",
    "RealCluster",
    "RealLeader",
    "ServerError",
    "Storage",
    "Write",
    "ZooKeeperEnsemble",
    "calibrate",
]
