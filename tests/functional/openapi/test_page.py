"""/docs: its files, and in a browser that signs in and runs calls."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.remote.webelement import WebElement
from sqlalchemy import text
from webtest.http import StopableWSGIServer

from jobtracker.openapi.views import FILES
from tests.common import totp
from tests.common.api import Api
from tests.common.browser import Page, chromium
from tests.common.user_pool import PASSWORD, MotoUserPool


class TestFiles:
    def test_docs_page_has_a_strict_content_security_policy(self, anonymous: Api):
        page = anonymous.get("/docs", status=200)
        assert page.content_type == "text/html"
        policy = page.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "unsafe" not in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert anonymous.get("/docs/").body == page.body

    @pytest.mark.parametrize("name", FILES)
    def test_docs_file_has_an_etag_and_answers_304(self, anonymous: Api, name: str):
        file = anonymous.get(f"/docs/{name}", status=200)
        known = {"If-None-Match": file.headers["ETag"]}
        assert anonymous.get(f"/docs/{name}", headers=known, status=304).body == b""
        assert name.encode() in anonymous.get("/docs").body

    @pytest.mark.parametrize("name", ["docs.html", "index.html", "swagger-ui.css.map", "..", "x/y"])
    def test_unknown_docs_file_answers_404(self, anonymous: Api, name: str):
        anonymous.refused(404, "GET", f"/docs/{name}")

    def test_docs_page_answers_405_to_writes(self, anonymous: Api):
        anonymous.refused(405, "POST", "/docs", {})
        anonymous.refused(405, "DELETE", "/docs/docs.js")


@pytest.fixture(scope="module")
def url(committing_app: Any) -> Iterator[str]:
    """The URL of a server with several threads."""
    server = StopableWSGIServer.create(committing_app, host="127.0.0.1")
    yield server.application_url.rstrip("/")
    server.shutdown()
    with committing_app.registry["db_engine"].begin() as connection:
        connection.execute(text("TRUNCATE users, identities CASCADE"))


class DocsPage(Page):
    """/docs, open in a browser."""

    def __init__(self, browser: Chrome, url: str) -> None:
        super().__init__(browser, f"{url}/docs")
        self.wait_for("#sign-in button:enabled")

    def sign_in(self, email: str, password: str) -> None:
        self.enter("#sign-in [name=email]", email)
        self.enter("#sign-in [name=password]", password)
        self.click("#sign-in button")

    def execute(self, operation: str, body: Any = None) -> None:
        """Run a call in Swagger UI."""
        block = f"#operations-{operation}"
        self.click(f"{block} .opblock-summary-control")
        if body is not None:
            self.enter(f"{block} textarea", json.dumps(body))
        self.click(f"{block} .execute")

    def assert_answer(self, operation: str, status: int, text: str) -> WebElement:
        answer = f"#operations-{operation} .live-responses-table"
        self.wait_for(f"{answer} .response-col_status", str(status))
        return self.wait_for(f"{answer} .highlight-code", text)

    def hosts(self) -> set[str]:
        """The hosts that the page has requested."""
        return {urlsplit(requested).netloc for _method, requested in self.requests()}


@pytest.fixture
def page(url: str, tmp_path: Path) -> Iterator[DocsPage]:
    with chromium(tmp_path) as browser:
        yield DocsPage(browser, url)


def test_docs_page_signs_in_and_runs_calls(page: DocsPage, user_pool: MotoUserPool):
    user_pool.user("ada@example.com", "Ada")
    page.sign_in("ada@example.com", PASSWORD)
    page.wait_for("#sign-in output", "Signed in as ada@example.com.")

    page.execute("jobs-post_job", {"company_name": "Analytical Engines", "job_title": "Engineer"})
    page.assert_answer("jobs-post_job", 201, "Analytical Engines")
    page.execute("jobs-get_jobs")
    answer = page.assert_answer("jobs-get_jobs", 200, "Analytical Engines")
    page.browser.execute_script("arguments[0].scrollIntoView({block: 'end'})", answer)

    page.screenshot("docs")
    assert page.errors() == []
    assert page.hosts() == {urlsplit(page.url).netloc}


def test_docs_page_signs_in_with_a_totp_code(page: DocsPage, user_pool: MotoUserPool):
    account = user_pool.user("grace@example.com", "Grace")
    token = account.access_token
    secret = user_pool.client.associate_software_token(AccessToken=token)["SecretCode"]
    user_pool.client.verify_software_token(AccessToken=token, UserCode=totp.code(secret))
    user_pool.client.set_user_mfa_preference(
        AccessToken=token, SoftwareTokenMfaSettings={"Enabled": True, "PreferredMfa": True}
    )

    page.sign_in("grace@example.com", "Not-My-Password-1")
    page.wait_for("#sign-in output.error", "not valid")
    page.sign_in("grace@example.com", PASSWORD)
    page.enter("#sign-in [name=code]", totp.code(secret))
    page.click("#sign-in button")
    page.wait_for("#sign-in output", "Signed in as grace@example.com.")
    page.execute("users-get_me")
    page.assert_answer("users-get_me", 200, "grace@example.com")
