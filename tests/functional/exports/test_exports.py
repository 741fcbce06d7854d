from typing import Any

from tests.common.api import Api
from tests.common.documents import CONTENT, Documents
from tests.common.exports import export


def test_all_that_a_user_has_is_exported(committing_app: Any, client: Api, s3: Any, bucket: str):
    documents = Documents(client, s3, bucket)
    first, second = documents.uploaded(), documents.uploaded(filename="a/b:c.pdf")
    documents.presign("thank_you")
    client.post(f"{documents.job_path}/notes", {"body": 'Hi\u2028there\n"x"'})
    client.put("/users/me/settings", {"theme": "light"})
    archive = export(committing_app, client)
    print(archive.names)
    print(archive.manifest)
    for name in archive.names[:-1]:
        print(name, archive.files[name][:400])
    assert False
