"""``/jobs/board``."""

from pyramid.request import Request

from jobtracker.board.resources import Board, BoardResource
from jobtracker.board.schemas import BoardOut
from jobtracker.http.conditional import ETagStrategy
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission

board = ApiService("board", "/jobs/board", context=BoardResource)


@board.get(permission=Permission.READ, returns=BoardOut(), etag=ETagStrategy.BY_BODY)
def get_board(request: Request) -> Board:
    """All your jobs as cards, in the order of their statuses, then latest activity first. A job
    needs a follow-up when its next action is due, or when it is open (neither accepted nor closed)
    and nothing has happened for five days."""
    return request.context.read()
