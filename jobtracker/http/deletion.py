"""The query of every DELETE of what can be put into the trash."""

import colander

from jobtracker.fields import QueryBoolean, Schema


class DeletionQuery(Schema):
    # Without it, what is deleted can be restored.
    permanent = colander.SchemaNode(QueryBoolean(), title="parameter permanent", missing=False)
