"""The page of one cause. Its links are relative to the root of the repository."""

from collections.abc import Iterator
from inspect import cleandoc

from kubevitals.text import plural
from manual import tables
from manual.causes import Cause, Variant, causes
from manual.proofs import in_words, is_recorded, on_kind, with_built_objects
from manual.relations import explained, explaining, link
from manual.rights import listed
from manual.tables import SECRETS
from scenarios.harness import Scenario

NEEDS = {
    "ᵏ": "needs kubelets ([`--kubelet`](docs/options.md#kubelets))",
    "ᵖ": "needs [`--probe`](docs/options.md#the-probe)",
    "ᵃ": "needs [`--probe`](docs/options.md#the-probe), or the API server's proxy",
}
"""What a variant needs besides the API server, by the sign after its name."""


def page(cause: Cause) -> str:
    """Return the page of a cause."""
    parts = [f"# {cause.name}", f"**{cause.title}**", f"To run only this check: `pytest checks/ -k {cause.module}`"]
    for head, text in cause.sections.items():
        parts += [f"## {head}", text]
    parts.append("## Variants")
    for variant in cause.variants:
        parts += [f"### {variant.name}", _facts(cause, variant), variant.says]
    if cause.thresholds:
        example = f"To change one: `--threshold {cause.thresholds[0].name}=VALUE`. Durations are in seconds."
        parts += ["## Thresholds", tables.of_thresholds(cause.thresholds), example]
    parts += ["## What it needs", *_needed(cause), "## What explains what", *_diagnosis(cause)]
    parts += ["## Scenarios", *_scenarios(cause), *_tests(cause)]
    return "\n\n".join(parts) + "\n"


def _facts(cause: Cause, variant: Variant) -> str:
    """Return how grave a variant is, what it needs besides the API server, and how it is proven."""
    facts = [" or ".join(f"**{severity}**" for severity in variant.severities)]
    needs = variant.needs
    facts += [NEEDS[needs.mark]] if needs.mark else []
    if needs.everywhere or needs.namespaces:
        names = " and ".join(f"`{name}`" for name in sorted(needs.namespaces))
        spaces = "all namespaces" if needs.everywhere else names
        facts.append(f"needs {spaces} [among the selected ones](docs/options.md#some-namespaces-only)")
    return f"`{cause.name}[{variant.name}]`: {'; '.join(facts)}. {_proven(cause, variant)}"


def _proven(cause: Cause, variant: Variant) -> str:
    """Return where the variant is proven: on kind, with built objects, or both."""
    if count := len(on_kind(cause.name, variant.name)):
        return f"[Proven on kind](#scenarios) by {plural(count, 'scenario')}."
    tests = ", ".join(f"[{path}]({path})" for path in with_built_objects(cause.name, variant.name))
    return f"Proven with built objects only: {tests}."


def _needed(cause: Cause) -> Iterator[str]:
    rights = {right for variant in cause.variants for right in variant.needs.rights}
    yield f"Its requests need these rights: {listed(rights - {SECRETS})}."
    if SECRETS in rights:
        yield (
            "With [`--secret-names`](docs/options.md#what-is-checked) they also need the right to list `secrets`; "
            "only their names are requested."
        )
    yield "[Rights](docs/rights.md) says which role grants them. If one is refused, the check is *not observed*."


def _diagnosis(cause: Cause) -> Iterator[str]:
    rules = [*explaining(cause.name), *explained(cause.name)]
    if not rules:
        yield "No rule mentions this cause: its findings are always root causes, and explain no others."
        return
    yield "A finding on the left explains those on the right under this condition:"
    yield "\n".join(f"- {rule}" for rule in rules)


def _scenarios(cause: Cause) -> Iterator[str]:
    """Yield the scenarios of a cause: what is found in each, or that nothing is."""
    faults = [scenario for scenario in cause.scenarios if scenario.finds]
    look_alikes = [scenario for scenario in cause.scenarios if not scenario.finds]
    yield (
        "These scenarios run on a real kind cluster, and every test run replays their recordings. The set of all "
        "findings must be exactly the one that is listed."
    )
    for head, group in (("### Faults", faults), ("### Look-alikes: nothing is found", look_alikes)):
        if group:
            yield head
            yield "\n".join(map(_scenario, group))
    if elsewhere := _elsewhere(cause):
        yield f"Scenarios of {', '.join(elsewhere)} find it as well."


def _scenario(scenario: Scenario) -> str:
    state = " ".join(cleandoc(scenario.state.__doc__ or "").split())
    if callable(scenario.later):
        later = " Judged while it is young."
    else:
        later = " Judged at a later time." if scenario.later else ""
    addon = f" In a cluster with {scenario.addon}." if scenario.addon else ""
    unrecorded = "" if is_recorded(scenario) else " Not recorded on kind yet."
    finds = "".join(f"\n    - `{line}`" for line in sorted(scenario.finds))
    return f"- **{in_words(scenario.state.__name__)}**: {state}{later}{addon}{unrecorded}{finds}"


def _elsewhere(cause: Cause) -> list[str]:
    return [
        link(other.name)
        for other in causes()
        if other is not cause
        and any(line.startswith(f"{cause.name}[") for scenario in other.scenarios for line in scenario.finds)
    ]


def _tests(cause: Cause) -> Iterator[str]:
    """Yield the cases that are proven with built objects: they cannot be made on kind, or they take too long there."""
    tests = with_built_objects(cause.name, *(variant.name for variant in cause.variants))
    if not tests:
        return
    yield "### Proven with built objects"
    yield "Tests apply the rules to built objects where kind cannot show a case, or where many cases are compared."
    yield "\n".join(
        f"- [{path}]({path})" + "".join(f"\n    - {in_words(test)}" for test in functions)
        for path, functions in tests.items()
    )
