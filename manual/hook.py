"""Passes the pages to ProperDocs; properdocs.yml refers to this file."""

import sys
from pathlib import Path

from properdocs.config.defaults import ProperDocsConfig
from properdocs.structure.files import File, Files

REPOSITORY = Path(__file__).parents[1]


def on_startup(**_: object) -> None:
    """Make the modules of the repository importable from every working directory."""
    sys.path.insert(0, str(REPOSITORY))


def on_config(config: ProperDocsConfig) -> ProperDocsConfig:
    """Set the navigation, and make `serve` watch the pages outside docs/."""
    from manual.pages import BORROWED, navigation

    config.nav = navigation()
    config.watch += [str(REPOSITORY / path) for path in BORROWED]
    return config


def on_files(files: Files, config: ProperDocsConfig) -> Files:
    """Replace each file by the page that is generated from it."""
    from manual.pages import pages

    for path, content in pages().items():
        if old := files.get_file_from_path(path):
            files.remove(old)
        files.append(File.generated(config, path, content=content))
    return files
