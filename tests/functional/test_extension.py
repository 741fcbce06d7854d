"""A new kind of child of a job: one class and its service, and no edit of what is there."""

from collections.abc import Iterator
from typing import Any

import pytest
from colander import SchemaNode
from cornice import service as cornice_service
from pyramid.config import Configurator
from pyramid.request import Request
from webtest import TestApp

import jobtracker
from jobtracker.fields import Schema, Text
from jobtracker.http.service import ApiService
from jobtracker.jobs.resources import JobResource
from jobtracker.permissions import Permission
from jobtracker.tree import Resource
from tests.common.api import Api
from tests.common.app import dispose_engines


def extend(config: Any) -> None:
    """What the package of a new kind of child is made of."""

    class SalaryOut(Schema):
        example = {"told_by": "Acme"}

        told_by = SchemaNode(Text())

    class SalaryResource(Resource, under=JobResource, name="salary"):
        __parent__: JobResource

        def read(self) -> dict[str, Any]:
            return {"told_by": self.__parent__.row.company_name}

    salary = ApiService("salary", "/jobs/{job_id}/salary", context=SalaryResource)

    @salary.get(permission=Permission.READ, returns=SalaryOut())
    def get_salary(request: Request) -> dict[str, Any]:
        """What the job pays."""
        return request.context.read()

    config.add_cornice_service(salary)


@pytest.fixture
def extended(
    app: Any, connection: Any, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestApp]:
    """The application with one package more, on this test's connection."""
    # All that is made known by being defined is forgotten again.
    monkeypatch.setattr(JobResource, "children", dict(JobResource.children))
    monkeypatch.setattr(cornice_service, "SERVICES", list(cornice_service.SERVICES))
    make_wsgi_app = Configurator.make_wsgi_app

    def make_extended(config: Any) -> Any:
        config.include(extend)
        return make_wsgi_app(config)

    monkeypatch.setattr(Configurator, "make_wsgi_app", make_extended)
    extended = jobtracker.main({}, **settings)
    for name in ("db_sessions", "db_autocommit"):
        extended.registry[name] = app.registry[name]
    yield TestApp(extended)
    dispose_engines(extended)


def test_a_new_kind_of_child(extended: TestApp, ada: Api, bob: Api):
    job_id = ada.post("/jobs", {"company_name": "Acme", "job_title": "x"}).json["id"]
    path = f"/jobs/{job_id}/salary"
    ada.refused(404, "GET", path)
    assert Api(extended, ada.token).get(path).json == {"told_by": "Acme"}
    Api(extended, bob.token).refused(404, "GET", path)
    Api(extended).refused(401, "GET", path)
    Api(extended, ada.token).refused(405, "POST", path, {})
    document = Api(extended).get("/openapi.json").json
    assert document["paths"]["/jobs/{job_id}/salary"]["get"]["summary"] == "What the job pays"
    assert "SalaryOut" in document["components"]["schemas"]
