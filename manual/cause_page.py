"""The page of one cause; its links are those of a file in the repository's root."""

from collections.abc import Iterator
from inspect import cleandoc

from manual import tables
from manual.causes import Cause, Variant, causes
from manual.relations import explained, explaining, link
from manual.rights import told
from manual.tables import SECRETS
from scenarios.harness import Scenario

NEEDS = {
    "ᵏ": "needs kubelets ([`--kubelet`](docs/options.md#kubelets))",
    "ᵖ": "needs [`--probe`](docs/options.md#the-probe)",
    "ᵃ": "needs [`--probe`](docs/options.md#the-probe), or the API server's proxy",
}
"""What a variant needs that a plain run may not have, by the sign behind its name."""


def page(cause: Cause) -> str:
    """Return a cause's page."""
    only = f"`pytest checks/ -k {cause.module}` looks for nothing else."
    parts = [f"# {cause.name}", f"**{cause.title}**", only]
    for head, text in cause.sections.items():
        parts += [f"## {head}", text]
    parts.append("## Variants")
    for variant in cause.variants:
        parts += [f"### {variant.name}", _facts(cause, variant), variant.says]
    if cause.thresholds:
        given = f"`--threshold {cause.thresholds[0].name}=VALUE` gives another value. Durations are in seconds here."
        parts += ["## Thresholds", tables.of_thresholds(cause.thresholds), given]
    parts += ["## What it needs", *_needed(cause), "## What explains what", *_diagnosis(cause)]
    parts += ["## Scenarios", *_proofs(cause)]
    return "\n\n".join(parts) + "\n"


def _facts(cause: Cause, variant: Variant) -> str:
    """Return how bad it is, and what it needs that a plain run may not have."""
    facts = [" or ".join(f"**{severity}**" for severity in variant.severities)]
    needs = variant.needs
    facts += [NEEDS[needs.mark]] if needs.mark else []
    if needs.everywhere or needs.namespaces:
        spaces = (
            "all namespaces" if needs.everywhere else " and ".join(f"`{name}`" for name in sorted(needs.namespaces))
        )
        facts.append(f"needs {spaces} [among those that are looked at](docs/options.md#some-namespaces-only)")
    return f"`{cause.name}[{variant.name}]`: " + "; ".join(facts) + "."


def _needed(cause: Cause) -> Iterator[str]:
    rights = {right for variant in cause.variants for right in variant.needs.rights}
    yield f"Its requests take these rights: {told(rights - {SECRETS})}."
    if SECRETS in rights:
        yield (
            "With [`--secret-names`](docs/options.md#what-is-checked) they also take the right to list `secrets`; "
            "names alone are asked for."
        )
    yield "[Rights](docs/rights.md) tells who grants them. What is refused makes a check *not observed*."


def _diagnosis(cause: Cause) -> Iterator[str]:
    explains, by = list(explaining(cause.name)), list(explained(cause.name))
    yield "A finding on the left is the root of those on the right, if this holds:" if explains or by else ""
    if not explains and not by:
        yield "Nothing: its findings are always roots, and have no symptoms among those of other checks."
    yield "\n".join(f"- {line}" for line in [*explains, *by])


def _proofs(cause: Cause) -> Iterator[str]:
    """Yield how the cause's scenarios read: what is found in them, and what is not."""
    found = [scenario for scenario in cause.scenarios if scenario.finds]
    alike = [scenario for scenario in cause.scenarios if not scenario.finds]
    yield (
        "Made for real on a kind cluster, and replayed from its recording with every test run. The set of all findings "
        "must be exactly this."
    )
    for head, group in (("### What is found", found), ("### What only looks like it", alike)):
        if group:
            yield head
            yield "\n".join(_proof(scenario) for scenario in group)
    if elsewhere := _elsewhere(cause):
        yield f"Scenarios of {', '.join(elsewhere)} show it, too."


def _proof(scenario: Scenario) -> str:
    name = scenario.state.__name__.removeprefix("test_").replace("_", " ")
    says = " ".join(cleandoc(scenario.state.__doc__ or "").split())
    finds = "".join(f"\n    - `{line}`" for line in sorted(scenario.finds))
    later = " Looked at later." if scenario.later else ""
    return f"- **{name}**: {says}{later}{finds}"


def _elsewhere(cause: Cause) -> list[str]:
    return [
        link(other.name)
        for other in causes()
        if other is not cause
        and any(line.startswith(f"{cause.name}[") for scenario in other.scenarios for line in scenario.finds)
    ]
