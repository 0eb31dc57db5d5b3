"""Makes one result of all findings files."""

from collections import Counter
from collections.abc import Sequence

from kubevitals.fleet.clusters import Seen, When
from kubevitals.fleet.compare import Earlier
from kubevitals.fleet.faults import faults
from kubevitals.fleet.groups import groups, parts
from kubevitals.fleet.result import SCHEMA, Rollup, State
from kubevitals.version import __version__


def rollup(seen: Sequence[Seen], when: When, earlier: Earlier, remarks: Sequence[str] = ()) -> Rollup:
    """Return the result of these clusters."""
    found = faults(seen, earlier)
    states = Counter(each.cluster.state for each in seen)
    return Rollup(
        schema=SCHEMA,
        kubevitals=__version__,
        taken=when.now,
        states={state: states[state] for state in State if states[state]},
        clusters=[each.cluster for each in seen],
        faults=found,
        groups=groups(seen, found),
        owners=parts(seen, found, lambda cluster: cluster.owner),
        changes=earlier.changes(seen, found),
        remarks=list(remarks),
    )
