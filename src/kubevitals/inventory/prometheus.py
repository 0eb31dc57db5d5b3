"""Samples of a page of metrics in Prometheus' text format.

Only what checks read of it: no timestamps, no exemplars. prometheus-client's parser raises at the first line that it
does not understand, and a page comes from a pod that may say anything.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kubevitals.source.request import Answer

_SAMPLE = re.compile(r"([A-Za-z_:][\w:]{0,99})(?:\{(.{0,400})\})? (\d[\d.]{0,20}(?:e[+-]?\d{1,3})?)", re.ASCII)
_LABEL = re.compile(r'([A-Za-z_]\w{0,99})="([^"\\]{0,100})"', re.ASCII)

LARGEST = 1e18
"""Larger values are cut to this: no counter of a server gets there."""


class Sample(NamedTuple):
    """One line of a page of metrics: a value that is zero or greater."""

    name: str
    labels: Mapping[str, str]
    value: float


def samples(answer: Answer, right: str) -> Iterator[Sample]:
    """Yield the samples of a page of metrics; lines that are no sample are left out.

    Raises:
        NotObserved: the answer is no page; `right` may be missing.
    """
    for line in answer.expect(right).body.decode("utf-8", "replace").splitlines():
        if sample := _SAMPLE.fullmatch(line.strip()):
            name, labels, value = sample.groups()
            yield Sample(name, dict(_LABEL.findall(labels or "")), min(_number(value), LARGEST))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
