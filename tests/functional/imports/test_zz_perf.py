import datetime, random, time, os
import psutil
import uuid, cProfile, pstats
from typing import Any
from tests.common.api import Api
from tests.common.imports import archive_of, ndjson, upload, run_uploaded

JOBS, NOTES = 5000, 10
WORDS = [("w%x" % random.Random(i).getrandbits(28)) for i in range(4000)]

def make():
    rnd = random.Random(1)
    t = lambda n: (datetime.datetime(2025,1,1,tzinfo=datetime.UTC)+datetime.timedelta(seconds=n)).isoformat().replace("+00:00","Z")
    jobs, notes, steps, events = [], [], [], []
    nid = sid = eid = 0
    for j in range(1, JOBS+1):
        jobs.append(dict(id=j, company_name=f"Company {j}", job_title="Engineer", location="Vienna", status="offer", applied_date="2025-01-02", job_url=None, tags=["remote","x"], priority="normal", next_action_at=None, next_action_title=None, last_action_at=None, created_at=t(j), updated_at=t(j+5), version=3, last_activity_at=t(j+9), restored_at=None, trashed_at=None, trash_reason=None))
        for s in ("applied","interviewing","offer"):
            sid += 1
            steps.append(dict(id=sid, application_id=j, status=s, at=t(j+sid), created_at=t(j+sid), origin="status"))
        for n in range(NOTES):
            nid += 1
            notes.append(dict(id=nid, application_id=j, body=" ".join(rnd.choices(WORDS,k=30)), created_at=t(j+n), previous_activity_at=None, trashed_at=None, trash_reason=None))
            eid += 1
            events.append(dict(id=eid, application_id=j, type="note_added", message="Note added", data={"note_id": nid}, created_at=t(j+n)))
    return archive_of({"jobs.ndjson": ndjson(*jobs), "history.ndjson": ndjson(*steps), "activity.ndjson": ndjson(*events), "notes.ndjson": ndjson(*notes)})

def cpu(pg_pid):
    me = psutil.Process()
    pg = psutil.Process(pg_pid)
    total = 0
    for p in [pg, *pg.children(recursive=True)]:
        try:
            c = p.cpu_times(); total += c.user+c.system
        except psutil.Error: pass
    m = me.cpu_times()
    return m.user+m.system, total

def test_perf(committing_app: Any, client: Api, postgres):
    data = make()
    print("archive", len(data))
    with committing_app.registry["db_engine"].connect() as c:
        pid = psutil.Process(c.exec_driver_sql("select pg_backend_pid()").scalar()).ppid()
    path = upload(client, data)
    prof = cProfile.Profile() if os.environ.get("PROF") else None
    a = cpu(pid); t0 = time.monotonic()
    if prof: prof.enable()
    row = run_uploaded(committing_app, client, path)
    while row["state"] == "running":
        from tests.common.tasks import run_tasks
        run_tasks(committing_app, expected=tuple(__import__("jobtracker.tasks.runner").tasks.runner.Outcome))
        row = client.get(path).json
    if prof: prof.disable(); pstats.Stats(prof).sort_stats("tottime").print_stats(30)
    b = cpu(pid)
    print(row["state"], row["report"])
    print("seconds", time.monotonic()-t0, "cpu worker", b[0]-a[0], "cpu pg", b[1]-a[1])
    assert 0
