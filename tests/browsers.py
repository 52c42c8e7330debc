"""Chromium for tests of pages, as wide or narrow, light or dark as they ask for.

Needs Chromium and its driver (Debian: chromium, chromium-driver).
"""

import shutil
from contextlib import contextmanager

import pytest

NEEDED = ("chromium", "chromedriver")
MISSING = [name for name in NEEDED if shutil.which(name) is None]
browsing = pytest.mark.skipif(bool(MISSING), reason=f"no {' and no '.join(MISSING)} installed")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


@contextmanager
def chromium():
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    try:
        yield made
    finally:
        made.quit()


def shape(browser, size, *, dark=False):
    width, height = SIZES[size]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})


def overhang(browser):
    """Pixels by which a page is wider than the screen."""
    return browser.execute_script("return document.documentElement.scrollWidth - innerWidth")


def is_dark(browser):
    brightness = browser.execute_script(
        "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    return sum(brightness) < 300
