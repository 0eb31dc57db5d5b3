"""How the workers of pytest-xdist share the tests."""

from xdist.scheduler.loadfile import LoadFileScheduling


class ByFile(LoadFileScheduling):  # type: ignore[misc]
    """Gives each worker whole files, in their order, and all scenarios to one, which judges each recording once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "scenarios" if file.startswith("scenarios/") and file != "scenarios/test_rights.py" else file
