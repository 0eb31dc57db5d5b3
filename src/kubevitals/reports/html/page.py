"""What pytest-html's page lacks to be read by everyone, and to be safe: it is put in when the page is written."""

import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

_TEMPLATES = files("kubevitals.reports.html") / "templates"
STYLE = (_TEMPLATES / "style.css").read_text("utf-8")
SCRIPT = (_TEMPLATES / "script.js").read_text("utf-8")


def finish(html: str) -> str:
    """Return the page with its language, a width that suits phones, names for its boxes, and a policy on scripts.

    A finished page has nothing to wait for: the button that loads it again loses the script that the policy forbids.
    """
    own = html[html.rindex("<script>") + len("<script>") : html.rindex("</script>")]
    head = '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
    if "<link href=" not in html:
        head = f'<meta http-equiv="Content-Security-Policy" content="{_policy(SCRIPT, own)}"/>{head}'
    html = html.replace(' onclick="location.reload()"', "", 1)
    html = html.replace("<html>", '<html lang="en">', 1).replace("<head>", f"<head>{head}", 1)
    return re.sub(r'(<input [^>]*data-test-result="(\w+)")', r'\1 aria-label="show \2"', html)


def _policy(*scripts: str) -> str:
    """Return a policy under which nothing is loaded, and only these scripts run: nothing that a cluster might say."""
    digests = (b64encode(sha256(script.encode()).digest()).decode() for script in scripts)
    run = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {run}; style-src 'unsafe-inline'; img-src data:; media-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
