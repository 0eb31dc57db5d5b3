"""A headless Chromium, of the system's packages: nothing is downloaded."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

PHONE, TABLET, DESKTOP = 390, 768, 1400
"""Widths in pixels."""


def missing() -> str:
    """Return why there is no browser to use, or nothing."""
    absent = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    return f"{' and '.join(absent)} not installed" if absent else ""


needs_browser = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


@contextmanager
def chromium() -> Iterator[Chrome]:
    """Open a browser."""
    with TemporaryDirectory(prefix="kubevitals-chromium-") as profile:
        options = ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars"):
            options.add_argument(f"--{argument}")
        options.add_argument(f"--user-data-dir={profile}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        browser = Chrome(options, Service(str(shutil.which("chromedriver"))))
        try:
            yield browser
        finally:
            browser.quit()


def show(browser: Chrome, width: int, height: int = 900, *, dark: bool = False) -> None:
    """Give the browser a screen."""
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


@contextmanager
def scripting(browser: Chrome, *, enabled: bool) -> Iterator[None]:
    """Let pages run scripts or not."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not enabled})
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": enabled})
