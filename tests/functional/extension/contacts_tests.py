"""Tests of the new kind of child, in the copy of the project that has it."""

from typing import Any

from pyramid.scripting import prepare

from jobtracker.pshell import setup
from tests.common.api import Api


def test_contact_is_created_listed_deleted_and_restored_with_activity_and_etags(
    ada: Api, bob: Api
) -> None:
    job = "/jobs/{id}".format_map(
        ada.post("/jobs", {"company_name": "Acme", "job_title": "x"}).json
    )
    assert ada.get(f"{job}/contacts").json == []
    etag = ada.get(f"{job}/contacts").headers["ETag"]
    grace = ada.post(f"{job}/contacts", {"name": " Grace Hopper "})
    ada.post(f"{job}/contacts", {"name": "Ada Lovelace"})
    listed = ada.get(f"{job}/contacts", headers={"If-None-Match": etag}).json
    assert [contact["name"] for contact in listed] == ["Ada Lovelace", "Grace Hopper"]
    assert ada.get(grace.headers["Location"]).json == grace.json
    page = ada.get(f"{job}/contacts?limit=1")
    assert page.headers["Link"].endswith('rel="next"')
    assert ada.field_errors("POST", f"{job}/contacts", {"name": " "}) == {"name": "missing"}
    bob.refused(404, "GET", grace.headers["Location"])
    ada.delete(grace.headers["Location"])
    ada.refused(404, "GET", grace.headers["Location"])
    types = [event["type"] for event in ada.get(f"{job}/activity").json]
    assert types == ["contact_deleted", "contact_added", "contact_added", "job_created"]
    counts = ada.get("/jobs/metrics/activity").json["per_type"]
    assert counts["contact_added"] == 2
    (trashed,) = ada.get("/trash?kind=contact").json
    assert (trashed["title"], trashed["reason"]) == ("Grace Hopper", "user")
    assert ada.post(f"/trash/contact/{trashed['id']}/restore").json == grace.json
    assert ada.get(f"{job}/activity").json[0]["type"] == "contact_added"
    ada.delete(grace.headers["Location"])
    ada.delete("/trash/contact/{id}".format_map(trashed), status=204)
    assert ada.get("/trash").json == []
    ada.delete(job)


def test_prompt_and_server_know_the_new_child(app: Any, connection: object) -> None:
    env = prepare(registry=app.registry)
    prompt = setup(env)
    next(prompt)
    assert env["models"].Contact.__tablename__ == "contacts"
    next(prompt, None)
    env["closer"]()
    assert app.registry["find_operation"]("POST", "/jobs/7/contacts").thread_pool == "write"
    paths = app.registry["openapi_document"]["paths"]
    assert paths["/jobs/{job_id}/contacts/{contact_id}"]["get"]["tags"] == ["contacts"]
