"""Programs that go from user to user."""

import psycopg
import pytest

from jobtracker.db.batches import sum_over


def test_results_are_added_up():
    assert sum_over([1, 2, 3], lambda item: item * 10) == 60


def test_statement_that_fails_for_one_item_does_not_keep_the_others_waiting():
    done = []

    def work(item: int) -> int:
        if item == 1:
            raise psycopg.errors.QueryCanceled
        done.append(item)
        return 1

    with pytest.raises(psycopg.errors.QueryCanceled):
        sum_over([1, 2, 3], work)
    assert done == [2, 3]


def test_lost_connection_ends_it_at_once():
    def work(item: int) -> int:
        if item == 2:
            raise AssertionError
        raise psycopg.OperationalError

    with pytest.raises(psycopg.OperationalError):
        sum_over([1, 2], work)
