"""Chromium, driven as by a person: by clicks, typed text and what is displayed."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import pytest
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from jobtracker.local import CHECKOUT

SECONDS_TO_WAIT = 20

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")

# In one call: each costs some milliseconds.
VISIBLE = """
return [...document.querySelectorAll(arguments[0])].filter(
  (each) => each.checkVisibility() && each.innerText.includes(arguments[1]));
"""


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[Chrome]:
    """A browser whose profile and downloads are in a folder; skips the test if there is none."""
    if not (CHROMIUM and CHROMEDRIVER):
        pytest.skip("there is no chromium or no chromedriver here")
    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new",
        "--no-sandbox",  # which root has none of
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1280,1600",
        f"--user-data-dir={folder / 'chromium'}",
    ):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with (
        mock.patch.dict(os.environ, no_proxy="localhost"),  # chromedriver, for selenium
        Chrome(options, ChromeService(CHROMEDRIVER)) as browser,
    ):
        yield browser


class Page:
    """A tab of a browser."""

    def __init__(self, browser: Chrome, url: str) -> None:
        self.browser, self.url = browser, url
        browser.get(url)

    def wait_for(self, selector: str, text: str = "") -> WebElement:
        """A visible element that contains the text."""

        def found(_browser: Chrome) -> WebElement | None:
            return next(iter(self.visible(selector, text)), None)

        return self._wait(found, f"{selector} {text}")

    def wait_until_gone(self, selector: str, text: str = "") -> None:
        """Wait until no visible element contains the text."""
        self._wait(lambda _browser: not self.visible(selector, text), f"no {selector} {text}")

    def visible(self, selector: str, text: str = "") -> list[WebElement]:
        """The visible elements that contain the text."""
        return self.browser.execute_script(VISIBLE, selector, text)

    def _wait(self, condition: Any, message: str) -> Any:
        ignored = [StaleElementReferenceException]
        wait = WebDriverWait(self.browser, SECONDS_TO_WAIT, 0.1, ignored_exceptions=ignored)
        try:
            return wait.until(condition, message)
        except TimeoutException:
            self.screenshot(f"timeout {time.time():.0f}")
            raise

    def enter(self, selector: str, text: str) -> None:
        field = self.wait_for(selector)
        if field.tag_name == "select":
            Select(field).select_by_visible_text(text)
        elif field.get_attribute("type") == "file":
            field.send_keys(text)
        else:
            field.clear()
            field.send_keys(text)

    def click(self, selector: str, text: str = "") -> None:
        """Click the element with the text, again if the page replaces it meanwhile."""

        def clicked(_browser: Chrome) -> bool:
            self.wait_for(selector, text).click()
            return True

        self._wait(clicked, f"{selector} {text}")

    def screenshot(self, name: str) -> None:
        """Store a picture of the page in build/, to be looked at."""
        picture = CHECKOUT / "build" / f"{name}.png"
        picture.parent.mkdir(exist_ok=True)
        self.browser.save_screenshot(str(picture))

    def errors(self) -> list[str]:
        """Messages in the browser's console, with violations of the content security policy."""
        entries = self.browser.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] != "DEBUG"]

    def requests(self) -> list[tuple[str, str]]:
        """Methods and URLs of what the page has requested; with OPTIONS, of preflights."""
        found = []
        for entry in self.browser.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                requested = event["params"]["request"]
                if urlsplit(requested["url"]).scheme in ("http", "https", "ws", "wss"):
                    found.append((requested["method"], requested["url"]))
        return found


def downloaded(folder: Path, pattern: str) -> Path:
    """The file that a browser has downloaded into a folder."""
    deadline = time.monotonic() + SECONDS_TO_WAIT
    while not (found := list(folder.glob(pattern))):
        assert time.monotonic() < deadline, list(folder.iterdir())
        time.sleep(0.05)
    return found[0]
