"""An account whose things are created, changed, put into the trash, restored and purged, and what
it should be by a model in Python."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pyramid.scripting import prepare
from sqlalchemy import Connection, text

from jobtracker.archive.kinds import ARCHIVE_KINDS
from jobtracker.archive.queries import rows
from jobtracker.db.recording import recording_disabled
from jobtracker.jobs.resources import JobResource
from jobtracker.pshell import setup
from tests.common.api import Api

#: The collections below a job, with the body of a POST, and the name in the activity.
CHILDREN = {
    "notes": ({"body": "They called back"}, "note"),
    "interviews": ({"scheduled_at": "2026-11-30T13:00:00Z"}, "interview"),
    "documents": ({"doc_type": "thank_you", "filename": "x", "size_bytes": 7}, "document"),
}


@contextmanager
def tree(app: Any, email: str) -> Iterator[dict[str, Any]]:
    """The variables of pshell; each operation of ``root`` is to be followed by ``commit()``."""
    env = prepare(registry=app.registry)
    manager = setup(env)
    next(manager)
    env["act_as"](email)
    yield env
    next(manager, None)
    env["closer"]()


@dataclass
class Thing:
    """A child of a job, or a saved view."""

    path: str
    id: int
    kind: str
    job: "ModelJob | None" = None
    is_live: bool = True


@dataclass
class ModelJob:
    path: str
    id: int
    is_live: bool = True
    #: What happened, in this order: the activity, and the deletion that is taken back with a thing.
    events: list[tuple[str, Thing | None]] = field(default_factory=list)


class Account:
    """An account by the API and by the tree, and its model."""

    def __init__(self, api: Api, connection: Connection, env: dict[str, Any]) -> None:
        self.api, self.connection, self.env = api, connection, env
        self.jobs: list[ModelJob] = []
        self.things: list[Thing] = []
        #: last_activity_at of the job after each of its events.
        self.times: dict[int, list[str]] = {}
        self.number = 0

    # ---------------------------------------------------------------------------- what a user does

    def add_job(self, _n: int = 0) -> None:
        self.number += 1
        body = {"company_name": f"Acme {self.number}", "job_title": "Engineer", "tags": ["x"]}
        row = self.api.post("/jobs", body).json
        job = ModelJob(f"/jobs/{row['id']}", row["id"])
        self.jobs.append(job)
        self._happened(job, "job_created")

    def change_job(self, n: int) -> None:
        if job := self._pick(self.live_jobs(), n):
            self.number += 1
            self.api.patch(job.path, {"job_title": f"Engineer {self.number}"})
            self._happened(job, "job_updated")

    def add_child(self, n: int) -> None:
        if job := self._pick(self.live_jobs(), n):
            name = list(CHILDREN)[n % 3]
            body, kind = CHILDREN[name]
            presign = "/presign-upload" * (name == "documents")
            row = self.api.post(f"{job.path}/{name}{presign}", body).json
            row = row.get("document", row)
            if kind == "document":  # pending ones are not exported
                driver: Any = self.connection.connection.dbapi_connection
                with driver.transaction(), recording_disabled(driver):
                    driver.execute(
                        "UPDATE documents SET status = 'uploaded' WHERE status = 'pending'"
                    )
            self.things.append(Thing(f"{job.path}/{name}/{row['id']}", row["id"], kind, job))
            self._happened(job, f"{kind}_added")

    def add_view(self, _n: int) -> None:
        self.number += 1
        row = self.api.post("/saved-views", {"name": f"View {self.number}", "data": {}}).json
        self.things.append(Thing(f"/saved-views/{row['id']}", row["id"], "saved_view"))

    def trash_job(self, n: int) -> None:
        if job := self._pick(self.live_jobs(), n):
            self.trash(job)

    def trash_thing(self, n: int) -> None:
        if thing := self._pick(self.live_things(), n):
            self.trash(thing)

    def trash(self, what: "ModelJob | Thing") -> None:
        self.api.delete(what.path, status=204)
        what.is_live = False
        if isinstance(what, Thing) and what.job:
            self._happened(what.job, f"{what.kind}_deleted", what)

    def delete_thing(self, n: int) -> None:
        if thing := self._pick(self.live_things(), n):
            self.api.delete(f"{thing.path}?permanent=true", status=204)
            self.things.remove(thing)
            if thing.job:
                self._happened(thing.job, f"{thing.kind}_deleted")

    def delete_job(self, n: int) -> None:
        if job := self._pick(self.live_jobs(), n):
            self.api.delete(f"{job.path}?permanent=true", status=204)
            self._forget(job)

    def restore_job(self, n: int) -> None:
        if job := self._pick([each for each in self.jobs if not each.is_live], n):
            self.restore(job)

    def restore_thing(self, n: int) -> None:
        trashed = [each for each in self.things if not each.is_live]
        trashed = [each for each in trashed if each.job is None or each.job.is_live]
        if thing := self._pick(trashed, n):
            self.restore(thing)

    def restore(self, what: "ModelJob | Thing") -> None:
        is_job = isinstance(what, ModelJob)
        collection = self.env["root"]["jobs"] if is_job else self._collection(what)
        collection.restore(what.id)
        self.env["commit"]()
        what.is_live = True
        if isinstance(what, Thing) and what.job:
            at = [each for _, each in what.job.events].index(what)
            del what.job.events[at], self.times[what.job.id][at]

    def purge_job(self, n: int) -> None:
        if job := self._pick([each for each in self.jobs if not each.is_live], n):
            self.env["root"]["jobs"].purge(job.id)
            self.env["commit"]()
            self._forget(job)

    def purge_thing(self, n: int) -> None:
        if thing := self._pick([each for each in self.things if not each.is_live], n):
            self._collection(thing).purge(thing.id)
            self.env["commit"]()
            self.things.remove(thing)
            if thing.job:
                events = thing.job.events
                at = [each for _, each in events].index(thing)
                events[at] = (events[at][0], None)  # for good

    # --------------------------------------------------------------------------------- the account

    def check(self) -> None:
        """The account is as the model has it."""
        get = self._get
        jobs = sorted(self.live_jobs(), key=lambda job: self.times[job.id][-1], reverse=True)
        listed = get("/jobs")
        assert [each["id"] for each in listed] == [job.id for job in jobs]
        last = {job.id: self.times[job.id][-1] for job in jobs}
        assert {each["id"]: each["last_activity_at"] for each in listed} == last
        assert get("/jobs/board")["meta"]["total"] == len(jobs)
        assert get("/jobs/stats/funnel")["total"] == len(jobs)
        found = {each["id"] for each in get("/jobs/search?q=acme&limit=50")["jobs"]}
        assert found == {job.id for job in jobs}
        of_notes = {id(each.job) for each in self.live_things() if each.kind == "note"}
        found = {each["id"] for each in get("/jobs/search?q=called&limit=50")["jobs"]}
        assert found == {job.id for job in jobs if id(job) in of_notes}
        events = [event for job in jobs for event, _ in job.events]
        metrics = get("/jobs/metrics/activity")
        assert metrics["per_type"] == {name: events.count(name) for name in set(events)}
        usage = get("/users/me/usage")
        trashed = [each.is_live for each in self.jobs] + [each.is_live for each in self.things]
        assert usage.pop("trash")["count"] == trashed.count(False)
        usage = {name: quota["used"] for name, quota in usage.items()}
        live = [each.kind for each in self.live_things()]
        assert usage["jobs"] == len(jobs)
        assert usage["documents"] == live.count("document")
        assert usage["saved_views"] == live.count("saved_view") == len(get("/saved-views"))
        for job in jobs:
            for name, (_, kind) in CHILDREN.items():
                ids = {
                    each.id for each in self.live_things() if (each.job, each.kind) == (job, kind)
                }
                assert {each["id"] for each in get(f"{job.path}/{name}")} == ids
            activity = [each["type"] for each in get(f"{job.path}/activity")]
            assert activity[::-1] == [event for event, _ in job.events]
        for gone in (each for each in self.jobs if not each.is_live):
            self.api.refused(404, "GET", f"{gone.path}/details")

    def everything(self) -> dict[str, Any]:
        """All that the user can read."""
        paths = ["/jobs", "/jobs/board", "/jobs/stats/funnel", "/jobs/metrics/activity"]
        paths += [f"/jobs/search?q={q}&limit=50" for q in ("acme", "called", "eng", "they back")]
        paths += ["/saved-views", "/users/me/usage", "/jobs?q=acme&tag=x", "/users/me"]
        for job in self.live_jobs():
            names = ("details", "notes", "interviews", "documents", "activity", "history")
            paths += [job.path, *(f"{job.path}/{name}" for name in names)]
        return {**{path: self._get(path) for path in paths}, **self._exported()}

    def _exported(self) -> dict[str, list[bytes]]:
        """The lines of an export, but for the time at which a job was last restored."""
        user_id, left_out = self._get("/users/me")["id"], {"restored_at": None, "file": None}
        with self.env["registry"]["db_sessions"]() as session:
            return {
                kind.name: [
                    kind.encode({**row, **left_out}) for row in rows(session, kind, user_id)
                ]
                for kind in ARCHIVE_KINDS
            }

    def live_things(self) -> list[Thing]:
        return [each for each in self.things if each.is_live and (not each.job or each.job.is_live)]

    def _get(self, path: str) -> Any:
        return self.api.get(path).json

    def live_jobs(self) -> list[ModelJob]:
        return [job for job in self.jobs if job.is_live]

    def _pick(self, things: list[Any], n: int) -> Any:
        return things[n % len(things)] if things else None

    def _happened(self, job: ModelJob, event: str, thing: Thing | None = None) -> None:
        job.events.append((event, thing))
        self.times.setdefault(job.id, []).append(self._get(job.path)["last_activity_at"])

    def _forget(self, job: ModelJob) -> None:
        self.jobs.remove(job)
        self.things = [each for each in self.things if each.job is not job]

    def _collection(self, thing: Any) -> Any:
        root = self.env["root"]
        if thing.job is None:
            return root["saved-views"]
        name = thing.path.split("/")[3]
        collection: Any = JobResource.children[name]
        return root["jobs"].find_of_trashed(collection.repository, thing.id)[name]


def purge_marked(connection: Connection) -> None:
    """What the task does."""
    connection.execute(text("DELETE FROM jobs WHERE trash_reason = 'purge'"))
