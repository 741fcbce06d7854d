"""The steps of a front end, of another origin than the API, each by clicks and typed text."""

import json

from tests.common import totp
from tests.common.browser import downloaded
from tests.common.spa import Spa
from tests.common.user_pool import PASSWORD

NEW_PASSWORD = "Lovelace-1852"
MARKUP = "<img src=x onerror=alert(1)> callback"


def test_user_registers_confirms_the_address_and_signs_in(spa: Spa):
    email = spa.new_address()
    account = {"email": f" {email.upper()} ", "password": PASSWORD, "name": "Grace"}
    spa.go("register")
    spa.fill("#register form", **account, turnstile_token="made-up")
    spa.message("that you are a person", is_error=True)
    spa.fill("#register form", password="short", turnstile_token="XXXX.DUMMY.TOKEN.XXXX")
    spa.message("password", is_error=True)
    spa.fill("#register form", **account)
    spa.message("code by e-mail")
    spa.picture("code")

    spa.go("sign-in")
    spa.fill("#password-step", email=account["email"], password=PASSWORD)
    spa.wait_for("#code")  # the address is not confirmed
    assert spa.wait_for("#code [name=email]").get_attribute("value") == email
    spa.click("#send-code")
    spa.message("new code")
    if spa.is_local_stack:
        spa.fill("#code form", code="999999")
        spa.message("code", is_error=True)
    spa.fill("#code form", code="123 456")
    spa.message("confirmed")

    spa.fill("#password-step", email=email, password="Not-My-Password-1")
    spa.message("not valid", is_error=True)
    spa.sign_in(email)
    assert spa.api("/users/me")["is_email_verified"] is True
    spa.picture("board-empty")
    spa.click("#sign-out")
    spa.message("Logged out")
    assert ("OPTIONS", f"{spa.api_url}/users/me") in spa.requests()


def test_jobs_are_added_filtered_searched_and_kept_as_views(spa: Spa):
    spa.new_account()
    spa.fill("#add-job", company_name="Acme", job_url="javascript:alert(1)")
    spa.message("title", is_error=True)
    assert spa.wait_for("#add-job [name=job_url]").get_attribute("title")
    spa.fill("#add-job", job_title="C++ Engineer", job_url="https://acme.example/1")
    spa.wait_for("#columns a", "Acme: C++ Engineer")
    job = {"company_name": "Zu\u0308rich AG", "job_title": "Dev", "location": "Bern"}
    spa.fill("#add-job", **job, tags="Remote, go, remote", status="saved")
    spa.wait_for("#columns a", "Z\u00fcrich AG: Dev")
    spa.wait_for("[data-status=saved] b", "saved 1")
    spa.wait_for("[data-status=saved] small", "Bern · go, remote")
    spa.enter("[data-status=saved] select", "offer")
    spa.wait_for("[data-status=offer] .card", "Z\u00fcrich AG: Dev")

    spa.fill("#filter", q="Z\u00dcRICH", tag="remote")
    spa.wait_for("#filtered li", "Z\u00fcrich AG")
    assert len(spa.visible("#filtered li")) == 1
    spa.enter("#filter [name=view_name]", "Stra\u00dfe")
    spa.click("#save-view")
    spa.message("Saved")
    spa.enter("#filter [name=view_name]", "STRASSE")
    spa.click("#save-view")
    spa.message("name", is_error=True)
    spa.fill("#filter", q="acme", tag="")
    spa.wait_for("#filtered li", "Acme")
    spa.click("#views button", "Stra\u00dfe")
    spa.wait_for("#filtered li", "Z\u00fcrich AG")
    spa.click("#views button", "✕")
    spa.wait_until_gone("#views li")

    spa.open_job("Z\u00fcrich AG")
    spa.fill("#add-note", body=MARKUP)
    spa.wait_for("#notes li", MARKUP)
    spa.go("board")
    spa.fill("#search", q="callback")
    spa.wait_for("#hits mark", "callback")
    spa.wait_for("#hits li", MARKUP)
    assert spa.visible("#hits img") == []
    spa.picture("board")


def test_job_page_keeps_notes_interviews_documents_and_what_was_done(spa: Spa):
    spa.new_account()
    spa.add_job("Acme", "Engineer", applied_date="2026-11-02")
    spa.open_job("Acme")
    spa.fill("#edit-job", status="interviewing", location="", next_action_title="Call them")
    spa.message("Saved.")
    spa.fill("#add-note", body="  ")
    spa.message("note", is_error=True)
    for body in ("They called back.", "Wrong note"):
        spa.fill("#add-note", body=body)
        spa.wait_for("#notes li", body)
    spa.click("#notes li:first-child button", "Delete")
    spa.wait_until_gone("#notes li", "Wrong note")

    spa.fill("#add-interview", scheduled_at="tomorrow")
    spa.message("time", is_error=True)
    spa.fill(
        "#add-interview", scheduled_at="2026-12-01T10:00:00+01:00", kind="Video", stage="first"
    )
    spa.wait_for("#interviews li", "2026-12-01T09:00:00Z first video")
    spa.click("#interviews button", "Completed")
    spa.wait_for("#interviews li", "completed")

    resume = spa.folder / "r\u00e9sum\u00e9 \u201c2026\u201d.txt"
    resume.write_bytes(b"My r\xc3\xa9sum\xc3\xa9")
    spa.fill("#upload", doc_type="resume", file=str(resume))
    spa.wait_for("#documents li", f"{resume.name} 11 uploaded")
    (spa.folder / "without-type").write_bytes(b"x")
    spa.fill("#upload", doc_type="thank_you", file=str(spa.folder / "without-type"))
    spa.wait_for("#documents li", "without-type 1 uploaded")
    (spa.folder / "empty.pdf").touch()
    spa.fill("#upload", doc_type="cover_letter", file=str(spa.folder / "empty.pdf"))
    spa.message("empty", is_error=True)
    resume.unlink()
    file = spa.download("#documents li:last-child button", "r\u00e9sum\u00e9*.txt")
    assert file.read_bytes() == b"My r\xc3\xa9sum\xc3\xa9"
    file.unlink()

    spa.wait_for("#history li", "interviewing")
    spa.wait_for("#history li", "2026-11-02")
    spa.wait_for("#activity li", "Document uploaded")
    spa.picture("job")
    spa.click("#delete-job")
    spa.wait_for("#board")
    spa.wait_until_gone(".card", "Acme")
    spa.go("trash")
    spa.wait_for("#trashed li", "job Acme: Engineer")
    spa.picture("trash")
    spa.click("#trashed li", "Acme")
    spa.click("#trashed button", "Restore")
    spa.wait_until_gone("#trashed li", "Acme")
    spa.click("#empty")
    spa.message("The trash is empty")
    spa.go("board")
    spa.open_job("Acme")
    spa.wait_for("#documents li", "uploaded")


def test_settings_password_and_second_factor(spa: Spa):
    email = spa.new_account()
    spa.go("settings")
    spa.wait_for("#mfa", "off")
    wanted = {
        "auto_refresh_seconds": "30",
        "theme": "light",
        "default_jobs_sort": "company_asc",
        "default_jobs_view": "needs_followup",
        "data_retention_days": "90",
    }
    spa.fill("#edit-settings", **wanted)
    spa.message("Settings updated")
    spa.fill("#edit-settings", data_retention_days="5000")
    spa.message("days", is_error=True)
    spa.browser.refresh()
    for name, value in wanted.items():
        spa.wait_for("#mfa", "off")
        assert spa.wait_for(f"#edit-settings [name={name}]").get_attribute("value") == value

    passwords = {"current_password": "Not-My-Password-1", "new_password": NEW_PASSWORD}
    spa.fill("#change-password", **passwords)
    spa.message("password", is_error=True)  # and the user stays signed in
    spa.fill("#change-password", current_password=PASSWORD)
    spa.message("Please sign in again")
    spa.sign_in(email, NEW_PASSWORD)

    spa.go("settings")
    spa.click("#begin-mfa")
    secret = spa.wait_for("#secret:not(:empty)").text
    spa.fill("#confirm-mfa", code="000 000" if totp.code(secret) != "000000" else "111111")
    spa.message("code", is_error=True)
    spa.fill("#confirm-mfa", code=totp.code(secret))
    spa.wait_for("#mfa", "on")
    spa.picture("settings")
    spa.click("#sign-out")
    spa.message("Logged out")
    spa.fill("#password-step", email=email, password=NEW_PASSWORD)
    spa.fill("#challenge-step", code=totp.code(secret))
    spa.wait_for("#board")
    spa.go("settings")
    spa.wait_for("#mfa", "on")
    spa.fill("#disable-mfa", password=NEW_PASSWORD)
    spa.wait_for("#mfa", "off")


def test_expired_access_token_is_refreshed_without_a_word(spa: Spa):
    spa.new_account()
    spa.add_job("Acme", "Engineer")
    tokens = json.loads(spa.browser.execute_script("return localStorage.tokens"))
    expired = json.dumps({**tokens, "access_token": "expired"})
    spa.browser.execute_script("localStorage.tokens = arguments[0]", expired)
    spa.browser.refresh()
    spa.wait_for("#columns a", "Acme")
    assert spa.visible("#message.error") == []
    kept = json.loads(spa.browser.execute_script("return localStorage.tokens"))
    assert kept["access_token"] not in ("expired", tokens["access_token"])


def test_csv_file_is_checked_imported_and_undone(spa: Spa):
    spa.new_account()
    spa.go("transfer")
    rows = "Firma;Stelle;Status;Beworben am\nAcme;Dev;Absage;03.04.2026\nNova;Ops;x;04.05.2026\n"
    spa.fill("#csv", text=rows)
    spa.wait_for("#csv-check p", "Firma → company_name, Stelle → job_title")
    spa.wait_for("#csv-check p", "Unknown statuses: x")
    spa.wait_for("#csv-check li", "Acme: Dev rejected 2026-04-03")
    spa.picture("csv")
    spa.fill("#csv", text=rows.replace("x;", "offer;"))
    spa.wait_for("#csv-check li", "Nova: Ops offer 2026-05-04")
    spa.click("#import-csv")
    spa.message("Created 2, skipped 0, failed 0.")
    spa.wait_for("#imports li", "done")
    spa.go("board")
    spa.wait_for("[data-status=rejected] .card", "Acme: Dev")
    spa.go("transfer")
    spa.click("#report")
    report = downloaded(spa.folder, "applications.csv")
    assert report.read_text().startswith("\ufeff")
    assert "2026-04-03,Acme,Dev" in report.read_text()
    report.unlink()
    spa.click("#imports button", "Undo")
    spa.wait_for("#imports li", "undone")
    spa.go("trash")
    spa.wait_for("#trashed li", "job Nova: Ops import")
    spa.go("board")
    spa.wait_for("[data-status=rejected] b", "rejected 0")
