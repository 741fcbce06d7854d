"""The JSON of searches."""

from colander import SchemaNode

from jobtracker.board.schemas import BoardOut, CardOut
from jobtracker.fields import ListOf, QueryInteger, Schema, Text
from jobtracker.jobs.models import MAX_NAME
from jobtracker.search.resources import DEFAULT_LIMIT, MAX_LIMIT


class SearchQuery(Schema):
    q = SchemaNode(Text(max=MAX_NAME), title="search text", missing=None, nullable=True)
    limit = SchemaNode(QueryInteger(1, MAX_LIMIT, clamp=True), missing=DEFAULT_LIMIT)


class HitOut(CardOut):
    """A job that was found."""

    example = {**CardOut.example, "highlight": "They <mark>called</mark> back."}

    highlight = SchemaNode(Text(), nullable=True)


class FoundOut(BoardOut):
    """What was found, as a board of its own: the SPA shows both in the same way."""

    example = {**BoardOut.example, "jobs": [HitOut.example]}

    jobs = SchemaNode(ListOf(HitOut()))
