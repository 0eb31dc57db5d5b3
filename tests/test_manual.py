"""The documentation: what is made of the code has all of it, and what is written by hand leaves no option out."""

import re
from collections.abc import Iterator
from functools import cache

import pytest
from _pytest.config.argparsing import Parser

from kubevitals.findings.check_names import cause_in
from kubevitals.findings.explains import ANY
from kubevitals.plugin import options
from kubevitals.plugin.option_group import group_of
from manual import tables
from manual.causes import causes
from manual.links import FILES, REPOSITORY, Links
from manual.packages import of_packages
from manual.pages import navigation, pages
from manual.proofs import on_kind, with_built_objects
from manual.relations import declared
from manual.rights import grants
from scenarios.harness import CHECKS, rules, scenarios

SECTIONS = (
    "Meaning",
    "Impact",
    "Diagnosis",
    "Mitigation",
    "Variants",
    "What it needs",
    "What explains what",
    "Scenarios",
)
OPTIONS = "options.md"
BORROWED = {"--html", "--self-contained-html", "--junitxml"}
"""Options of pytest and its plugins that are told of beside ours."""


NAMES = list(dict.fromkeys(cause for cause, _ in rules()))

made = cache(pages)
"""All pages, made once."""


def text(path: str) -> str:
    page = made()[path]
    assert isinstance(page, str)
    return page


def page_of(cause: str) -> str:
    return text(f"causes/{cause}.md")


def declared_options() -> dict[str, str]:
    """Return the help of every option that the plugin declares."""
    parser = Parser(_ispytest=True)
    options.declare(group_of(parser))
    options.add_kubeconfig(group_of(parser))
    return {option.names()[0]: str(option.attrs().get("help")) for option in parser.getgroup("kubevitals").options}


def rows() -> Iterator[tuple[list[str], str]]:
    """Yield the options that each row of the documentation's tables names, and the row."""
    for row in text(OPTIONS).splitlines():
        if names := re.findall(r"`(--[\w-]+)", row.split("|")[1] if row.startswith("| `--") else ""):
            yield names, row


def test_every_check_has_a_page() -> None:
    assert {cause.file for cause in causes()} == {f"checks/{path.name}" for path in CHECKS.glob("test_*.py")}


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_all_sections_variants_and_scenarios(name: str) -> None:
    page = page_of(name)
    (cause,) = [cause for cause in causes() if cause.name == name]
    variants = [variant for of, variant in rules() if of == name]
    assert re.findall("^## (.*)", page.replace("## Thresholds\n", ""), re.MULTILINE) == list(SECTIONS)
    assert [head for head in re.findall("^### (.*)", page, re.MULTILINE) if head in variants] == variants
    assert all(cause.sections[part].split()[0] in page for part in SECTIONS[:4])
    assert all(
        f"`{threshold.name}` | {threshold.default:.10g} | {threshold.why}" in page for threshold in cause.thresholds
    )
    assert page.count("\n- **") == len(cause.scenarios) > 0


def test_every_scenario_is_on_one_page() -> None:
    assert sorted(s.name for cause in causes() for s in cause.scenarios) == sorted(s.name for s in scenarios())


def test_every_threshold_is_with_the_options_and_on_a_page() -> None:
    told = set(re.findall(r"^\| `([\w.-]+)` \| [\d.]+ \|", text(OPTIONS), re.MULTILINE))
    assert told == {threshold.name for cause in causes() for threshold in cause.thresholds}
    assert {"pod.stuck", "nodes.sample", "cluster-dns.answers", "memory-limit.past"} <= told


def test_every_rule_of_diagnosis_is_on_the_pages_of_roots_and_symptoms() -> None:
    for rule in declared():
        names = [name for name in (*rule.roots, *rule.symptoms) if name != ANY]
        for name in names:
            assert any(
                all(f"[`{other}`]" in line for other in names) for line in page_of(cause_in(name)).splitlines()
            ), (name, rule)


@pytest.mark.parametrize(
    ("cause", "fact"),
    [
        ("volume-claim", "`volume-claim[unbound]`: **error**. [Proven on kind](#scenarios) by "),
        ("conntrack", "### Proven with built objects"),
        ("memory-limit", "`memory-limit[near-limit]`: **warning**; needs kubelets ([`--kubelet`]"),
        ("conntrack", "`conntrack[table-full]`: **error** or **warning**; needs [`--probe`]"),
        (
            "cluster-dns",
            "`cluster-dns[failing]`: **error** or **warning**; needs [`--probe`](../options.md#the-probe), or ",
        ),
        ("cluster-dns", "`cluster-dns[no-endpoints]`: **error**; needs `kube-system` [among"),
        ("cni-daemonset", "`cni-daemonset[not-running]`: **error**; needs all namespaces [among"),
        ("volume-claim", "list `configmaps`, `cronjobs.batch`, `csidrivers.storage.k8s.io`"),
        ("volume-claim", "if both are about the same object."),
        ("cni-daemonset", "if both are on the same node, and the symptom says `cni|network ?plugin`."),
    ],
)
def test_a_page_says_how_bad_it_is_what_it_needs_and_what_explains_what(cause: str, fact: str) -> None:
    assert fact in page_of(cause)


def test_every_option_is_documented_with_its_default_and_none_that_does_not_exist() -> None:
    ours = declared_options()
    told = {name: row for names, row in rows() for name in names}
    assert ours.keys() <= told.keys()
    assert told.keys() <= ours.keys() | BORROWED
    for name, help_ in ours.items():
        if default := re.search(r"\(default: ([^\s),]+)", help_):
            assert default[1] in told[name], name


def test_the_page_of_rights_says_where_each_overlay_grants_them() -> None:
    places = [line.strip("| ").rpartition(" | ")[2] for line in grants().splitlines()[2:]]
    base = "namespace `kube-system`, the cluster"
    assert places == [
        base,
        "the cluster",
        "namespace `kubevitals-probe`",
        "its own namespace",
        "namespace `kubevitals`",
    ]


def test_the_table_of_causes_in_the_readme_is_the_one_made_of_the_checks() -> None:
    assert tables.of_causes() in (REPOSITORY / "README.md").read_text(), (
        f"put this into README.md:\n{tables.of_causes()}"
    )


def test_the_table_of_packages_in_contributing_is_the_one_made_of_their_docstrings() -> None:
    assert of_packages() in (REPOSITORY / "CONTRIBUTING.md").read_text(), (
        f"put this into CONTRIBUTING.md:\n{of_packages()}"
    )


def test_every_package_is_in_the_table_and_says_what_it_contains_and_what_it_must_not_do() -> None:
    folders = (REPOSITORY / "src" / "kubevitals").rglob("__init__.py")
    listed = re.findall(r"^\| `([\w/]+)/` \| .+ \| .*[^ ] *\|$", of_packages(), re.MULTILINE)
    packages = {str(path.parent.relative_to(REPOSITORY / "src" / "kubevitals")) for path in folders}
    assert packages - {"."} <= set(listed), packages - set(listed)


def test_every_variant_is_proven_and_the_page_says_how() -> None:
    for cause in causes():
        for variant in cause.variants:
            assert on_kind(cause.name, variant.name) or with_built_objects(cause.name, variant.name), variant
            assert page_of(cause.name).count("Proven ") >= len(cause.variants)


def test_a_test_counts_for_a_rule_that_it_uses_through_a_helper() -> None:
    tests = with_built_objects("storage-full", "node-disk")
    assert tests == {"tests/test_storage_full.py": [*tests["tests/test_storage_full.py"]]}
    assert len(tests["tests/test_storage_full.py"]) > 1


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r"'([\w/-]+\.md)'", str(navigation()))
    assert sorted(listed) == sorted(path for path in made() if path.endswith(".md"))


@pytest.mark.parametrize(
    ("source", "page", "written", "published"),
    [
        ("README.md", "index.md", "[a](docs/reports.md#json)", "[a](reports.md#json)"),
        ("README.md", "index.md", "[a](checks/test_conntrack.py)", "[a](causes/conntrack.md)"),
        ("docs/reports.md", "reports.md", "[a](../checks) [b](#json)", "[a](causes/index.md) [b](#json)"),
        ("docs/reports.md", "reports.md", "![a](screenshots/root.png)", "![a](screenshots/root.png)"),
        ("deploy/README.md", "scheduled-runs.md", "[a](ci/github.yaml)", f"[a]({FILES}/deploy/ci/github.yaml)"),
        ("README.md", "causes/conntrack.md", "[a](docs/reports.md)", "[a](../reports.md)"),
        ("README.md", "index.md", "[a](https://kind.sigs.k8s.io)", "[a](https://kind.sigs.k8s.io)"),
        ("README.md", "index.md", "[a](docs/gone.md)", "[a](docs/gone.md)"),
        ("README.md", "index.md", "```\n[a](docs/reports.md)\n```\n", "```\n[a](docs/reports.md)\n```\n"),
    ],
)
def test_links_lead_to_the_same_in_the_site(source: str, page: str, written: str, published: str) -> None:
    known = {
        "README.md": "index.md",
        "docs/reports.md": "reports.md",
        "checks": "causes/index.md",
        "checks/test_conntrack.py": "causes/conntrack.md",
    }
    assert Links(known).rewrite(written, source, page) == published


def test_files_that_pages_link_to_are_published_as_they_are() -> None:
    published = {path.removeprefix(f"{FILES}/"): content for path, content in made().items() if path.startswith(FILES)}
    assert published["deploy/base/rbac.yaml"] == (REPOSITORY / "deploy/base/rbac.yaml").read_bytes()
    assert not [path for path in published if path.endswith(".md")]
