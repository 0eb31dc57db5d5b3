"""Numbers that decide, each standing beside the check that uses it and each an option."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kubevitals.errors import Unusable
from kubevitals.text import clean, near_name, parse_duration


@dataclass(frozen=True)
class Threshold:
    """A number that decides whether a state is a fault.

    Attributes:
        name: ``cause.what``, as in ``--threshold volume-claim.attach=5m``.
        default: the number used unless the user gives another; seconds where it is a duration.
        why: what it means and where the default comes from.
    """

    name: str
    default: float
    why: str


def declared(modules: Iterable[object]) -> dict[str, Threshold]:
    """Return the thresholds that modules declare, by name.

    Raises:
        Unusable: two have one name.
    """
    found: dict[str, Threshold] = {}
    for value in (value for module in modules for value in vars(module).values()):
        if isinstance(value, Threshold) and found.setdefault(value.name, value) != value:
            raise Unusable(f"two thresholds are called {clean(value.name)}: rename one")
    return found


def parse_thresholds(settings: Iterable[str], known: Mapping[str, Threshold]) -> dict[Threshold, float]:
    """Return the numbers that ``NAME=VALUE`` settings give.

    Raises:
        Unusable: a setting has no such form, or names a threshold that is not known.
    """
    values = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in known:
            near = near_name(clean(name), known)
            raise Unusable(
                f"--threshold {clean(setting)}: no such threshold{near}; there are: {', '.join(sorted(known))}"
            )
        values[known[name]] = seconds(f"--threshold {clean(setting)}", value)
    return values


def seconds(option: str, text: str) -> float:
    """Return an option's duration in seconds.

    Raises:
        Unusable: it is none.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Unusable(f"{option}: {error}") from error
