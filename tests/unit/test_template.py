"""deploy/aws.yaml: what no checker of policies knows."""

from typing import Any

import pytest

from jobtracker.exports.models import KEPT
from jobtracker.local import CHECKOUT

TAG = "GuardDutyMalwareScanStatus"


@pytest.fixture(scope="module")
def template() -> Any:
    # Here, as the import takes seconds, in each process of xdist.
    from cfnlint.decode import cfn_yaml

    return cfn_yaml.load(str(CHECKOUT / "deploy" / "aws.yaml"))


@pytest.fixture(scope="module")
def resources(template: Any) -> Any:
    return template["Resources"]


def statements(resource: Any) -> dict[str, Any]:
    """The statements of a policy by Sid, those of a condition too."""
    found = {}
    for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
        if "Fn::If" in statement:
            _condition, statement, _otherwise = statement["Fn::If"]
        found[statement["Sid"]] = statement
    return found


@pytest.mark.parametrize("name", ["UserPool", "Bucket", "BucketPolicy"])
def test_data_outlives_the_stack(resources: Any, name: str):
    assert resources[name]["DeletionPolicy"] == "Retain"
    assert resources[name]["UpdateReplacePolicy"] == "Retain"


def test_user_pool_is_protected_against_deletion(resources: Any):
    assert resources["UserPool"]["Properties"]["DeletionProtection"] == "ACTIVE"


def test_refresh_tokens_are_rotated_and_access_tokens_are_short_lived(resources: Any):
    client = resources["AppClient"]["Properties"]
    assert client["RefreshTokenRotation"]["Feature"] == "ENABLED"
    # Cognito accepts no other way to refresh then.
    assert "ALLOW_REFRESH_TOKEN_AUTH" not in client["ExplicitAuthFlows"]
    assert client["AccessTokenValidity"] == 15
    assert client["TokenValidityUnits"]["AccessToken"] == "minutes"


@pytest.mark.parametrize(
    ("sid", "condition"),
    [
        ("OnlyTls", {"Bool": {"aws:SecureTransport": "false"}}),
        ("OnlyTls12", {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
    ],
)
def test_bucket_refuses_connections_without_tls(resources: Any, sid: str, condition: Any):
    statement = statements(resources["BucketPolicy"])[sid]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Action"] == "s3:*"
    assert len(statement["Resource"]) == 2
    assert statement["Condition"] == condition


def test_old_versions_expire(resources: Any):
    bucket = resources["Bucket"]["Properties"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert rules["expire-old-versions"]["NoncurrentVersionExpiration"]["NoncurrentDays"]
    assert "Prefix" not in rules["expire-old-versions"]
    assert rules["expire-unconfirmed-uploads"]["Prefix"] == "incoming/"


def test_exports_and_their_incomplete_uploads_expire(resources: Any):
    rules = resources["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    (rule,) = (rule for rule in rules if rule.get("Prefix") == "exports/")
    assert rule["ExpirationInDays"] == KEPT.days
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_objects_without_a_clean_result_are_refused_to_all_but_server_and_guardduty(resources: Any):
    statement = statements(resources["BucketPolicy"])["OnlyCleanObjects"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Action"] == ["s3:GetObject", "s3:GetObjectVersion"]
    assert statement["Condition"] == {
        "StringNotEquals": {f"s3:ExistingObjectTag/{TAG}": "NO_THREATS_FOUND"},
        "ArnNotEquals": {
            "aws:PrincipalArn": [
                {"Ref": "ServerRoleArn"},
                {"Fn::GetAtt": ["MalwareScanRole", "Arn"]},
            ]
        },
    }


def test_only_guardduty_sets_its_tag(resources: Any):
    statement = statements(resources["BucketPolicy"])["OnlyGuardDutySetsItsTag"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {
        "ForAnyValue:StringEquals": {"s3:RequestObjectTagKeys": TAG},
        "ArnNotEquals": {"aws:PrincipalArn": {"Fn::GetAtt": ["MalwareScanRole", "Arn"]}},
    }
    actions = {
        action
        for allowed in statements(resources["ServerPolicy"]).values()
        for action in [allowed["Action"]]
        for action in ([action] if isinstance(action, str) else action)
    }
    assert actions == {
        *("s3:GetObject", "s3:GetObjectTagging", "s3:PutObject", "s3:DeleteObject"),
        *("s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:AbortMultipartUpload"),
        *("cognito-idp:AdminDeleteUser", "cognito-idp:AdminDisableUser"),
        "cognito-idp:AdminEnableUser",
    }
    of_accounts = statements(resources["ServerPolicy"])["DeleteAccounts"]
    assert of_accounts["Resource"] == {"Fn::GetAtt": ["UserPool", "Arn"]}


def test_everything_that_costs_or_needs_more_is_off_by_default(template: Any):
    parameters = template["Parameters"]
    defaults = {name: parameter["Default"] for name, parameter in parameters.items()}
    assert defaults["ThreatProtection"] == "OFF"
    assert defaults["MalwareScan"] == "false"
    for name in ("SesIdentityArn", "AccessLogBucket", "AlarmTopicArn", "ServerRoleArn"):
        assert defaults[name] == ""
