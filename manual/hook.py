"""Hands the pages to ProperDocs; properdocs.yml names this file."""

import sys
from pathlib import Path

from properdocs.config.defaults import ProperDocsConfig
from properdocs.structure.files import File, Files

REPOSITORY = Path(__file__).parents[1]


def on_startup(**_: object) -> None:
    """Let the repository's own modules be found, from wherever this is started."""
    sys.path.insert(0, str(REPOSITORY))


def on_config(config: ProperDocsConfig) -> ProperDocsConfig:
    """Set the navigation, and have `serve` watch the files that are pages though they are not in docs/."""
    from manual.pages import BORROWED, navigation

    config.nav = navigation()
    config.watch += [str(REPOSITORY / path) for path in BORROWED]
    return config


def on_files(files: Files, config: ProperDocsConfig) -> Files:
    """Put each page in the place of the file that it is made of."""
    from manual.pages import pages

    for path, content in pages().items():
        if old := files.get_file_from_path(path):
            files.remove(old)
        files.append(File.generated(config, path, content=content))
    return files
