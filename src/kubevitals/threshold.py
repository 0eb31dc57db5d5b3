"""The numbers that decide whether a state is a fault. Each is declared beside its check, and --threshold changes it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kubevitals.errors import Unusable
from kubevitals.text import clean, near_name, parse_duration


@dataclass(frozen=True)
class Threshold:
    """A number that decides whether a state is a fault.

    Attributes:
        name: ``cause.what``, as in ``--threshold volume-claim.attach=5m``.
        default: the number that is used unless the user gives another; a duration is in seconds.
        why: what the number means, and where the default comes from.
    """

    name: str
    default: float
    why: str


def declared(modules: Iterable[object]) -> dict[str, Threshold]:
    """Return the thresholds that modules declare, by name.

    Raises:
        Unusable: two have the same name.
    """
    thresholds: dict[str, Threshold] = {}
    for value in (value for module in modules for value in vars(module).values()):
        if isinstance(value, Threshold) and thresholds.setdefault(value.name, value) != value:
            raise Unusable(f"two thresholds have the name {clean(value.name)}: rename one")
    return thresholds


def parse_thresholds(settings: Iterable[str], known: Mapping[str, Threshold]) -> dict[Threshold, float]:
    """Return the numbers of ``NAME=VALUE`` settings.

    Raises:
        Unusable: a setting does not have this form, there is no threshold of this name, or one is set twice.
    """
    values: dict[Threshold, float] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in known:
            near = near_name(clean(name), known)
            raise Unusable(
                f"--threshold {clean(setting)}: no such threshold{near}; there are: {', '.join(sorted(known))}"
            )
        if known[name] in values:
            raise Unusable(f"--threshold {clean(setting)}: {name} is set twice: give one value")
        values[known[name]] = _number(known[name], value)
    return values


def _number(threshold: Threshold, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        wanted = f"a number such as {threshold.default:g}, or a duration such as 90s, 5m, 2h or 1d"
        raise Unusable(f"--threshold {threshold.name}={clean(text, 40)}: give {wanted}") from error


def seconds(option: str, text: str) -> float:
    """Return an option's duration in seconds.

    Raises:
        Unusable: the text is not a duration.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Unusable(f"{option}: {error}") from error
