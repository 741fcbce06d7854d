"""Documents of a job: resume, cover letter. The browser uploads them straight to S3."""

from collections.abc import Mapping
from typing import Any

from jobtracker.aws import Timeouts
from jobtracker.documents.malware_scans import LookThrottle
from jobtracker.documents.storage import Bucket
from jobtracker.http.service import registry_property

# Of transfers of whole files by tasks, which no request waits for. An attempt is repeated, since
# otherwise all of the transfer is.
TRANSFERS = {"timeouts": Timeouts(connect=5, read=20), "max_attempts": 4}


def make_bucket(settings: Mapping[str, Any], **options: Any) -> Bucket:
    """The bucket of the settings.

    :param options: in place of those for requests, as TRANSFERS
    """
    return Bucket(
        settings["s3.bucket"],
        region=settings["s3.region"],
        endpoint_url=settings["s3.endpoint_url"],
        aws_access_key_id=settings["s3.access_key_id"],
        aws_secret_access_key=settings["s3.secret_access_key"],
        upload_seconds=settings["documents.upload_seconds"],
        download_seconds=settings["documents.download_seconds"],
        **{"timeouts": Timeouts.from_settings(settings), **options},
    )


def includeme(config: Any) -> None:
    config.registry["bucket"] = make_bucket(config.registry.settings)
    config.registry["scan_look_throttle"] = LookThrottle()
    config.add_request_method(registry_property("bucket"), "bucket", property=True)
