"""``/jobs/board``."""

from pyramid.request import Request

from jobtracker.board.resources import Board, BoardResource
from jobtracker.board.schemas import META_BYTES, BoardOut, CardOut
from jobtracker.db.keyset import MAX_BYTES
from jobtracker.fields import Rendered
from jobtracker.http.conditional import ETagStrategy, set_times_of_change
from jobtracker.http.pagination import PageQuery, link_to_next, read_page, render_page
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission

CARD_OUT = CardOut()

board = ApiService("board", "/jobs/board", context=BoardResource)


@board.get(
    permission=Permission.READ,
    query=PageQuery(),
    returns=BoardOut(),
    etag=ETagStrategy.BY_REVISION_UNTIL,
)
def get_board(request: Request) -> Board:
    """All your jobs as cards, in the order of their statuses, then latest activity first. A job
    needs a follow-up when its next action is due, or when it is open (neither accepted nor
    closed), no time of a next action is set, and nothing has happened for five days. Beyond
    10,000 jobs or 8 MiB the header `Link` leads to the rest; `meta` counts all jobs."""
    board = request.context
    page = read_page(request, board.page, **request.validated)
    cards, page = render_page(page, CARD_OUT, MAX_BYTES - META_BYTES)
    set_times_of_change(request, (card.next_follow_up_at for card in page.rows))
    link_to_next(request, page)
    is_whole = request.validated["cursor"] is None and page.next_sort_keys is None
    return Board.from_cards(Rendered(cards), board.counts(page.rows if is_whole else None))
