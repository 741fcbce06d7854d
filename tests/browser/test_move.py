"""An account that is exported, deleted, made anew and imported: in a browser, by its own file."""

from typing import Any

from tests.common.spa import Spa
from tests.common.user_pool import PASSWORD

CONTENT = b"%PDF-1.7 r\xc3\xa9sum\xc3\xa9"


def fill_account(spa: Spa) -> None:
    spa.add_job("Acme", "Engineer", status="saved", tags="remote, go", location="Vienna")
    spa.add_job("Nova", "Ops", applied_date="2026-10-05", job_url="https://nova.example/1")
    spa.add_job("Z\u00fcrich AG", "C++ <b>Dev</b>", tags="\u00dcbung")
    spa.add_job("Gone", "Temp")
    spa.enter("[data-status=saved] select", "interviewing")
    spa.wait_for("[data-status=interviewing] .card", "Acme")
    spa.enter("#filter [name=q]", "acme")
    spa.enter("#filter [name=view_name]", "Mine")
    spa.click("#save-view")
    spa.message("Saved Mine.")

    spa.open_job("Gone")
    spa.click("#delete-job")
    spa.wait_for("#board")
    spa.open_job("Acme")
    for body in ("They called back.", "Line 1 \u2014 \U0001f642", "Into the trash"):
        spa.fill("#add-note", body=body)
        spa.wait_for("#notes li", body)
    spa.click("#notes li:first-child button", "Delete")
    spa.wait_until_gone("#notes li", "Into the trash")
    spa.fill("#add-interview", scheduled_at="2026-12-01T09:00:00Z", kind="video")
    spa.wait_for("#interviews li", "video")
    resume = spa.folder / "r\u00e9sum\u00e9.pdf"
    for content in (b"A first version", CONTENT):
        resume.write_bytes(content)
        spa.fill("#upload", doc_type="resume", file=str(resume))
        spa.wait_for("#documents li", f"{len(content)} uploaded")
    resume.unlink()
    spa.go("settings")
    spa.fill("#edit-settings", theme="light", data_retention_days="90")
    spa.message("Settings updated")


def without_ids(value: Any) -> Any:
    """JSON without the ids of rows, at any depth."""
    if isinstance(value, list):
        return [without_ids(each) for each in value]
    if isinstance(value, dict):
        own = value.items()
        return {name: without_ids(each) for name, each in own if not name.endswith("id")}
    return value


def shown(spa: Spa) -> dict[str, Any]:
    """What the front end shows of an account, and what the API says of it."""
    found: dict[str, Any] = {}
    spa.go("board")
    spa.wait_for(".card", "Acme")
    spa.wait_for("#views li")
    found["board"] = spa.wait_for("#board").text
    spa.open_job("Acme")
    for each in ("#notes", "#interviews", "#documents", "#history"):
        spa.wait_for(f"{each} li")
        found[each] = spa.wait_for(each).text
    found["job"] = spa.browser.execute_script(
        "return [...document.querySelectorAll('#edit-job [name]')].map((each) => each.value)"
    )
    file = spa.download("#documents button", "r\u00e9sum\u00e9.pdf")
    found["document"] = file.read_bytes()
    file.unlink()
    spa.go("trash")
    spa.wait_for("#trashed li", "job Gone: Temp")
    found["trash"] = spa.wait_for("#trashed").text
    for path in ("/jobs/board", "/jobs", "/saved-views", "/users/me/settings", "/users/me/usage"):
        found[path] = without_ids(spa.api(path))
    del found["/users/me/usage"]["idempotency_keys"]
    return found


def test_exported_account_is_the_same_after_it_was_deleted_and_imported(spa: Spa):
    email = spa.new_account()
    fill_account(spa)
    before = shown(spa)
    spa.picture("move-trash")
    assert before["document"] == CONTENT

    spa.go("transfer")
    spa.fill("#export")
    spa.wait_for("#exports li", "done")
    archive = spa.download("#exports button", "jobtracker-*.zip")
    spa.picture("export")

    other = spa.new_tab()
    spa.go("account")
    spa.wait_for("#content li", "jobs: 4")
    spa.fill("#delete-account", password="Not-My-Password-1")
    spa.message("password", is_error=True)
    spa.fill("#delete-account", password=PASSWORD)
    spa.message("Your account is deleted")
    spa.switch_to(other)
    spa.wait_for("#sign-in")
    spa.wait_for("#message.error")
    spa.picture("deleted")

    spa.register(email)
    spa.sign_in(email)
    assert spa.api("/jobs") == []
    spa.go("transfer")
    spa.fill("#import", file=str(archive))
    spa.wait_for("#imports li", "checked")
    spa.picture("import")
    spa.click("#imports button", "Import")
    spa.wait_for("#imports li", "done")
    archive.unlink()
    assert shown(spa) == before
    spa.picture("moved")
