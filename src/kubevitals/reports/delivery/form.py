"""The forms of a notification."""

from enum import StrEnum


class Form(StrEnum):
    """The values of --notify."""

    JSON = "json"
    SLACK = "slack"
    ALERTMANAGER = "alertmanager"
