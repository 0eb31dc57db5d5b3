"""What a list says that it is: its apiVersion and its kind."""

from typing import NamedTuple

from kubevitals.text import clean


class ListType(NamedTuple):
    """The apiVersion and the kind that every list of the API server has (kubernetes/apimachinery meta/v1 TypeMeta)."""

    api_version: str
    kind: str

    def require(self, *said: "ListType") -> None:
        """Require one of these types.

        Raises:
            ValueError: it is another one, such as a Status, or it says nothing.
        """
        if self not in said:
            what = f"a {clean(self.kind, 100)} of {clean(self.api_version, 100)}" if self.kind else "of no kind"
            raise ValueError(f"it is {what}")


ANY_LIST = ListType("v1", "List")
"""The list of whatever kubectl prints several objects as; dumps that are served as an API have it."""
