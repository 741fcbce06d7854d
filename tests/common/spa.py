"""The front end of tests/browser/spa, as a person uses it."""

import itertools
import json
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome

from jobtracker.local.aws import CONFIRMATION_CODE
from jobtracker.local.turnstile import DUMMY_TOKEN
from tests.common.browser import Page, downloaded
from tests.common.timeouts import http_request
from tests.common.user_pool import PASSWORD

_numbers = itertools.count()


class Spa(Page):
    """:param is_local_stack: whether the user pool refuses a wrong confirmation code; pictures are
    taken then, which take half a second each
    """

    def __init__(
        self, browser: Chrome, origin: str, api_url: str, folder: Path, *, is_local_stack: bool
    ) -> None:
        self.api_url, self.folder, self.is_local_stack = api_url, folder, is_local_stack
        super().__init__(browser, f"{origin}/?api={api_url}")
        self.wait_for("#sign-in")

    def go(self, page: str) -> None:
        """Follow a link of the navigation."""
        self.click(f"nav a[href='#{page}']")
        self.wait_for(f"#{page}")

    def fill(self, form: str, **fields: str) -> None:
        """Fill in a form, and submit it."""
        for name, text in fields.items():
            self.enter(f"{form} [name={name}]", text)
        self.click(f"{form} button:not([type=button])")

    def picture(self, name: str) -> None:
        if self.is_local_stack:
            self.screenshot(f"spa-{name}")

    def message(self, text: str, *, is_error: bool = False) -> str:
        return self.wait_for("#message.error" if is_error else "#message:not(.error)", text).text

    def new_address(self) -> str:
        return f"spa-{next(_numbers)}@example.com"

    def new_account(self) -> str:
        """Register, confirm the address and sign in; the e-mail address."""
        email = self.new_address()
        self.register(email)
        self.sign_in(email)
        return email

    def register(self, email: str) -> None:
        self.go("register")
        form = {"email": email, "password": PASSWORD, "name": "Ada"}
        self.fill("#register form", **form, turnstile_token=DUMMY_TOKEN)
        self.wait_for("#code")
        self.fill("#code form", code=CONFIRMATION_CODE)
        self.wait_for("#sign-in")

    def sign_in(self, email: str, password: str = PASSWORD) -> None:
        self.fill("#password-step", email=email, password=password)
        self.wait_for("#board")

    def add_job(self, company_name: str, job_title: str, **fields: str) -> None:
        self.fill("#add-job", company_name=company_name, job_title=job_title, **fields)
        self.wait_for("#columns a", f"{company_name}: {job_title}")

    def open_job(self, text: str) -> None:
        self.click("#columns a", text)
        self.wait_for("#job h1", text)
        self.wait_for("#activity li")

    def download(self, button: str, pattern: str) -> Path:
        """The file that a button downloads; the caller deletes it."""
        assert list(self.folder.glob(pattern)) == []
        self.click(button, "Download")
        return downloaded(self.folder, pattern)

    def new_tab(self) -> str:
        """Open the front end in another tab, signed in as in this one; the tab before."""
        before: str = self.browser.current_window_handle
        self.browser.switch_to.new_window("tab")
        self.browser.get(self.url)
        self.wait_for("#board")
        return before

    def switch_to(self, tab: str) -> str:
        """The tab before."""
        before: str = self.browser.current_window_handle
        self.browser.switch_to.window(tab)
        return before

    def api(self, path: str) -> Any:
        """The JSON of a GET with the tab's token."""
        tokens = json.loads(self.browser.execute_script("return localStorage.tokens"))
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        return http_request("GET", f"{self.api_url}{path}", headers=headers).json()

    def close(self) -> None:
        """Sign out by forgetting the tokens, and close all tabs but one."""
        self.browser.execute_script("localStorage.clear()")
        first, *others = self.browser.window_handles
        for each in others:
            self.browser.switch_to.window(each)
            self.browser.close()
        self.browser.switch_to.window(first)
        self.browser.get("about:blank")
