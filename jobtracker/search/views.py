"""``/jobs/search``."""

from collections import Counter

from pyramid.request import Request

from jobtracker.board.resources import Board
from jobtracker.http.conditional import ETagStrategy, set_times_of_change
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission
from jobtracker.search.resources import SearchResource
from jobtracker.search.schemas import FoundOut, SearchQuery

search = ApiService("search", "/jobs/search", context=SearchResource)


@search.get(
    permission=Permission.READ,
    query=SearchQuery(),
    returns=FoundOut(),
    etag=ETagStrategy.BY_REVISION_UNTIL,
)
def get_search(request: Request) -> Board:
    """A board of your jobs that have all words of `q`, best first. Words are looked for in title
    and company, which weigh most, tags, location and notes; the last can be the beginning of one,
    and jobs that have it as a whole come first. Case, accents and other forms of letters do not
    count. `C++`, `C#` and `.NET` are words; words that are joined, as in `CI/CD` or `node.js`, are
    found by each of them and as a whole. Of a text without spaces (Chinese, Japanese, Thai and
    others), and of a Korean one, any part is found; so is a word in another script directly behind
    an Arabic or Hebrew particle. The first 8 words count. No words, no jobs.
    `highlight` is a piece of the text that was found, as HTML: `<mark>` and `</mark>` are around
    what was found, whole characters as users see them, and all else is escaped.
    """
    found = request.context.search(**request.validated)
    set_times_of_change(request, (hit["next_follow_up_at"] for hit in found))
    return Board.from_cards(found, Counter(hit["status"] for hit in found))
