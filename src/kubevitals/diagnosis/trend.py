"""What --history says of the last runs in a result: how many root causes each had, and which found a finding."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from kubevitals.diagnosis.verdict import Outcome

Time = Annotated[datetime, Meta(tz=True)]


class Occurrences(Struct, frozen=True):
    """In how many of the last runs a finding was found.

    Attributes:
        found: the number of runs that found it, this one included.
        of: the number of runs whose check saw everything it needs or found it, this one included.
        returned: how often a run found it after one that had not.
        first: the time of the first of these runs that found it.
    """

    found: int
    of: int
    returned: int
    first: Time


class PastRun(Struct, frozen=True):
    """One of the last runs.

    Attributes:
        taken: the time of the cluster's state.
        roots: the number of root causes.
    """

    taken: Time
    outcome: Outcome
    roots: int
