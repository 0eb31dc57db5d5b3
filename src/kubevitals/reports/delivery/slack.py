"""What is told about a run or a roll-up as a message of Slack.

Texts of the cluster are plain text, in which Slack reads no markup and no mentions, and are escaped as well. Slack
refuses a message with more than 50 blocks, and a text with more than 3,000 characters:
https://docs.slack.dev/reference/block-kit/blocks
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from kubevitals.reports.delivery.notification import Change, Notification
from kubevitals.reports.delivery.post import JSON, Address, send
from kubevitals.reports.wording import SIGNS, replicas_line
from kubevitals.text import plural

SHOWN = 20
"""How many changes a message has: two blocks each, so that it stays below 50 blocks."""

TEXT, HEADER = 3000, 150
"""Characters of a text, and of a header, that Slack accepts."""

_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_RESOLVED = "✅"

Block = dict[str, Any]


def post_slack(told: Notification, address: Address) -> None:
    """Post what is told, if there is anything to tell.

    Raises:
        Undelivered: it could not be delivered.
    """
    if told.is_news:
        send("POST", address.url, msgspec.json.encode(message(told)), JSON | address.credentials)


def message(told: Notification) -> Block:
    """Return the message; `text` is what notifications on a desktop and Slack's imitators show."""
    title = f"{told.cluster}: {told.verdict}"
    return {"text": escape(title, TEXT), "blocks": list(_blocks(told, title))}


def _blocks(told: Notification, title: str) -> Iterator[Block]:
    yield {"type": "header", "text": _plain(title, HEADER)}
    for change in told.changes[:SHOWN]:
        yield {"type": "section", "text": _plain("\n".join(_lines(change)), TEXT)}
        yield {"type": "context", "elements": [_facts(change)]}
    if left := len(told.changes[SHOWN:]) + told.left_out:
        yield {"type": "section", "text": _plain(f"and {plural(left, 'more change')}", TEXT)}


def _lines(change: Change) -> Iterator[str]:
    sign = _RESOLVED if change.change == "resolved" else SIGNS[change.severity]
    yield f"{sign} {change.change}: {change.object}: {change.says}"
    if change.remedy:
        yield f"remedy: {change.remedy}"
    if change.look:
        yield f"look: {change.look}"


def _facts(change: Change) -> Block:
    """Return the check, which links to its page, and what the root costs."""
    check = escape(change.check, HEADER)
    linked = f"<{escape(change.link.replace('|', '%7C'), TEXT // 2)}|{check}>" if change.link else check
    symptoms = plural(change.symptoms, "symptom") if change.symptoms else ""
    text = ", ".join(filter(None, (linked, replicas_line(change.replicas), symptoms)))
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": escape(text, limit), "emoji": False}


def escape(text: str, limit: int) -> str:
    """Return a text in which nothing acts as a link, a mention or a command, with so many characters at most."""
    escaped = [_ESCAPED.get(character, character) for character in text]
    if sum(map(len, escaped)) <= limit:
        return "".join(escaped)
    room, kept = limit - 1, ""
    for character in escaped:
        if len(kept) + len(character) > room:
            break
        kept += character
    return f"{kept}…"
