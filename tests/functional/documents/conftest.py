"""A job with documents, and its objects in S3."""

from typing import Any

import pytest

from tests.common.api import Api
from tests.common.documents import Documents


@pytest.fixture
def documents(ada: Api, s3: Any, bucket: str) -> Documents:
    documents = Documents(ada, s3, bucket)
    documents.clear()
    return documents
