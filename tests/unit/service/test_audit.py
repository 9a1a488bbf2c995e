"""What an audit row keeps: everything where it fits, and what carries authority whatever else is in the row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from claimsmith.engine.facts import read_tenant, read_user
from claimsmith.errors import Code, StoreError
from claimsmith.service import audit
from claimsmith.service.audit import DIRECTORY_AUTHORITY, MAX_CLAIMED_BY, POLICY_AUTHORITY, Recorded, read_change
from claimsmith.store.attributes import encode, encode_row
from claimsmith.store.dynamodb import Table
from claimsmith.store.resources import StoredResources
from claimsmith.store.revocations import StoredRevocations
from tests.integration import strict_dynamodb
from tests.integration.stream import as_json
from tests.integration.strict_dynamodb import StrictDynamoDB
from tests.unit.verifier.introspecting import SECRET, event, introspection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SETS = ("SS", "NS", "BS")
AT = 1_800_000_000


def record(pk: str = "USER#1", sk: str = "USER", **stream: Any) -> dict[str, Any]:  # noqa: ANN401 - any part of a record
    """A record as the event source mapping hands it over."""
    return {
        "eventID": "1",
        "eventName": "MODIFY",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "Keys": encode_row({"pk": pk, "sk": sk}),
            "SequenceNumber": "111",
            "ApproximateCreationDateTime": 1_800_000_000.0,
            "SizeBytes": 26,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **as_json(stream),
        },
    }


IMAGE = encode_row({"pk": "USER#1", "sk": "USER", "updated_by": "someone"})


def test_a_change_records_when_it_was_made_and_who_claims_to_have_made_it() -> None:
    change = read_change(record(NewImage=IMAGE))
    assert (change.pk, change.sk, change.at, change.sequence_number) == ("USER#1", "USER", 1_800_000_000, "111")
    assert change.claimed_by == "someone"
    assert change.before is None


def test_a_deletion_has_no_after_and_nobody_who_claims_it() -> None:
    change = read_change(record(OldImage=IMAGE))
    assert (change.after, change.claimed_by) == (None, None)


def test_time_to_live_is_distinguished_from_people() -> None:
    by_service = record(OldImage=IMAGE) | {
        "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
    }
    assert read_change(by_service).by_ttl
    assert not read_change(record(OldImage=IMAGE) | {"userIdentity": None}).by_ttl


@pytest.mark.parametrize("missing", ["Keys", "SequenceNumber"])
def test_what_is_no_record_is_an_error(missing: str) -> None:
    broken = record(NewImage=IMAGE)
    del broken["dynamodb"][missing]
    with pytest.raises(KeyError):
        read_change(broken)


def written(record: dict[str, Any]) -> tuple[Recorded, dict[str, Any]]:
    """How a record is audited, and the audit row; delivered twice, it is written once."""
    client = StrictDynamoDB()
    rows, change = Table(client, "audit"), read_change(record)
    outcome = audit.record(rows, change)
    assert audit.record(rows, change) is Recorded.DUPLICATE
    [row] = client.items.values()
    return outcome, row


def changed(**attributes: object) -> tuple[Recorded, dict[str, Any]]:
    return written(record(NewImage={**IMAGE, **encode_row(attributes)}))


@pytest.mark.parametrize("claimed", ["time-to-live", "aws", "admin@example.com", ""])
def test_nobody_can_claim_to_be_dynamodb(claimed: str) -> None:
    _, row = changed(updated_by=claimed)
    assert row["claimed_by"] == {"S": claimed}
    assert "by" not in row
    deleted = record(OldImage=IMAGE) | {"userIdentity": {"principalId": "dynamodb.amazonaws.com", "type": "Service"}}
    _, row = written(deleted)
    assert row["by"] == {"S": "time-to-live"}
    assert "claimed_by" not in row


@pytest.mark.parametrize("value", [7, ["admin"], {"S": "admin"}, None, True])
def test_a_claim_that_is_no_text_is_only_in_the_image(value: object) -> None:
    _, row = changed(updated_by=value)
    assert "claimed_by" not in row
    assert row["after"]["M"]["updated_by"] == encode(value)


def test_a_claim_is_bounded() -> None:
    _, row = changed(updated_by="ü" * 100_000)
    assert row["claimed_by"] == {"S": "ü" * MAX_CLAIMED_BY}


#: What hides a grant in 90d4558, or stops the stream.
PADDING: dict[str, dict[str, object]] = {
    "long name": {"updated_by": "x" * 404_900},
    "long text": {"description": "x" * 400_000},
    "many attributes": {f"{number:0100}": "x" for number in range(3_800)},
    "many names": {"n" * 1_000 + str(number): "" for number in range(390)},
    "long name of an attribute": {"n" * 60_000: "", "m" * 60_000: "x" * 250_000},
    "many elements": {"padding": ["x" * 100] * 3_800},
    "many members": {"padding": {f"{number:0100}": number for number in range(3_000)}},
    "set": {"padding": {f"{number:0300}" for number in range(1_300)}},
    "binary": {"padding": b"\0" * 400_000},
    "authority of another row": {"given": {"x": "y" * 390_000}},
    "authority in large": {"claims": {"x": "y" * 390_000}, "scopes": ["s" * 60 + str(at) for at in range(10)]},
    "forged marks": {f"a{number}": {"sha256": ""} for number in range(4_000)},
    "a forged mark of authority": {"claims": {"sha256": "", "bytes": 1}},
}
for depth in (29, 30, 31):
    nested: Any = "x"
    for _ in range(depth):
        nested = [nested]
    PADDING[f"{depth} levels"] = {"padding": nested}
    PADDING[f"{depth} levels of authority"] = {"claims": {"a": nested[0][0]}}

GRANT: dict[str, Any] = {"roles": {"L": [{"S": "admin"}]}, "status": {"S": "active"}, "expires_at": {"N": str(AT)}}


@pytest.mark.slow
@pytest.mark.parametrize("padding", PADDING.values(), ids=PADDING)
@pytest.mark.parametrize("where", ["after", "before and after"])
def test_no_padding_hides_what_a_row_grants(padding: dict[str, Any], where: str) -> None:
    row = {**encode_row({"pk": "USER#1", "sk": "TENANT#acme", **padding}), **GRANT}
    images = {"NewImage": row} if where == "after" else {"OldImage": row, "NewImage": {**row, "name": {"S": "x"}}}
    outcome, kept = written(record("USER#1", "TENANT#acme", **images))
    for image in ("after", "before") if "OldImage" in images else ("after",):
        assert {name: kept[image]["M"][name] for name in GRANT} == GRANT
        check_image(kept[image]["M"], row if image == "before" else images["NewImage"], kept.get(f"{image}_cut"))
    assert "not_kept" not in kept
    assert (outcome is Recorded.CUT) == ("after_cut" in kept or "before_cut" in kept)


def test_padding_in_one_image_does_not_take_the_room_of_what_the_other_grants() -> None:
    many = {"L": [{"S": f"role-{number:050}"} for number in range(4_500)]}
    before = {**IMAGE, "description": {"S": "x" * 390_000}}
    _, kept = written(record(OldImage=before, NewImage={**IMAGE, "roles": many}))
    assert kept["after"]["M"]["roles"] == many
    assert "after_cut" not in kept
    assert kept["before"]["M"]["description"]["M"].keys() == {"bytes", "sha256"}


def test_of_authority_that_is_too_large_as_much_as_fits_is_kept() -> None:
    roles = {"L": [{"S": f"role-{number:050}"} for number in range(6_900)]}
    outcome, kept = written(record(OldImage={**IMAGE, "roles": roles}, NewImage={**IMAGE, "roles": roles}))
    assert outcome is Recorded.CUT
    for image in ("before", "after"):
        mark = kept[image]["M"]["roles"]["M"]
        assert len(mark["begins"]["S"]) > 180_000
        assert canonical(roles).startswith(mark["begins"]["S"])
        assert mark["sha256"] == {"S": digest(roles)}


def test_a_row_of_ordinary_size_is_kept_whole() -> None:
    rule = {"order": 10, "when": {"all": [{"field": "user.groups", "op": "contains", "value": "Staff"}] * 50}}
    image = {**IMAGE, **encode_row(rule), "n": {"N": "1.00000000000000000000000000000000000001"}, "b": {"B": b"\xff"}}
    outcome, kept = written(record("POLICY", "RULE#x", OldImage=image, NewImage=image))
    assert outcome is Recorded.WHOLE
    expected = {name: value for name, value in image.items() if name not in ("pk", "sk")}
    assert kept["before"]["M"] == kept["after"]["M"] == expected
    assert kept.keys() == {"pk", "sk", "row", "at", "claimed_by", "before", "after"}


def test_no_secret_is_copied_and_none_is_in_a_digest() -> None:
    image = {**IMAGE, **encode_row({"secrets": ["s3cret"], "description": "x" * 390_000})}
    _, kept = written(record("PROTECTED_RESOURCE#a", "PROTECTED_RESOURCE", NewImage=image))
    assert kept["after"]["M"]["secrets"] == {"S": "not kept"}
    assert "s3cret" not in str(kept)
    check_image(kept["after"]["M"], {**image, "secrets": {"S": "not kept"}}, kept["after_cut"])


class Refusing(StrictDynamoDB):
    """A DynamoDB that is stricter than documented."""

    def put_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's requests have no type
        refused = "after" in request["Item"]
        return super().put_item(**({**request, "Item": {"pk": {"S": ""}, "sk": {"S": ""}}} if refused else request))


def test_a_row_that_dynamodb_refuses_all_the_same_is_audited_by_its_digests_once() -> None:
    client = Refusing()
    change = read_change(record(OldImage=IMAGE, NewImage={**IMAGE, **GRANT}))
    rows = Table(client, "audit")
    assert audit.record(rows, change) is Recorded.CUT
    assert audit.record(rows, change) is Recorded.DUPLICATE
    [row] = client.items.values()
    assert row["claimed_by"] == {"S": "someone"}
    assert row["not_kept"]
    assert "before" not in row
    kept = {name: value for name, value in {**IMAGE, **GRANT}.items() if name not in ("pk", "sk")}
    assert row["after_cut"]["M"] == {
        "bytes": {"N": str(len(canonical(kept)))},
        "sha256": {"S": digest(kept)},
        "left_out": {"N": "4"},
    }


class Down:
    """A DynamoDB that is unavailable."""

    def put_item(self, **_: object) -> None:
        raise StoreError(Code.AWS_UNREACHABLE, "DynamoDB does not respond.")


def test_a_table_that_does_not_answer_is_no_row_that_is_refused() -> None:
    with pytest.raises(StoreError):
        audit.record(Table(Down(), "audit"), read_change(record(NewImage=IMAGE)))


def canonical(value: Any) -> str:  # noqa: ANN401 - a row or a value
    """DynamoDB JSON as ``docs/how-to/deploy.md`` has ``jq`` write it."""

    def ordered(inner: Any) -> Any:  # noqa: ANN401 - the same
        if isinstance(inner, dict):
            return {
                name: sorted(map(as_json, entry))
                if name in ("SS", "NS", "BS") and isinstance(entry, list)
                else ordered(entry)
                for name, entry in inner.items()
            }
        return [ordered(entry) for entry in inner] if isinstance(inner, list) else as_json(inner)

    return json.dumps(ordered(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:  # noqa: ANN401 - a row or a value
    return sha256(canonical(value).encode()).hexdigest()


def check_image(kept: dict[str, Any], image: dict[str, Any], cut: dict[str, Any] | None) -> None:
    """An image is the row's, but for what is replaced by the digest of just that."""
    image = {name: value for name, value in image.items() if name not in ("pk", "sk")}
    assert kept.keys() <= image.keys()
    for name, value in kept.items():
        check_value(value, image[name])
    if cut is None:
        assert kept == image
    else:
        assert kept != image
        assert cut["M"] == {
            "bytes": {"N": str(len(canonical(image).encode()))},
            "sha256": {"S": digest(image)},
            "left_out": {"N": str(len(image) - len(kept))},
        }


def check_value(kept: dict[str, Any], value: dict[str, Any]) -> None:
    if kept == value and "sha256" not in str(value):
        return
    [(kind, content)] = value.items()
    inner = kept.get("M", {})
    if "sha256" in inner:
        assert inner["sha256"] == {"S": digest(value)}
        assert inner["bytes"] == {"N": str(len(canonical(value).encode()))}
        assert canonical(value).startswith(inner.get("begins", {"S": ""})["S"])
        assert inner.keys() <= {"bytes", "sha256", "begins"}
    elif kind == "M":
        assert inner.keys() == content.keys()
        for name in content:
            check_value(inner[name], content[name])
    elif kind == "L":
        assert len(kept["L"]) == len(content)
        for one, other in zip(kept["L"], content, strict=True):
            check_value(one, other)
    else:
        assert kept == value


NAMES = st.one_of(
    st.sampled_from(sorted(DIRECTORY_AUTHORITY - {"secrets"})),
    st.sampled_from(["description", "updated_by", "sha256", "bytes", "after", "é" * 300, "n" * 3_000]),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
)
NUMBERS = st.one_of(
    st.integers(-(10**38) + 1, 10**38 - 1).map(str),
    st.sampled_from(["0", "-0.5", "1E-130", "9." + "9" * 37 + "E+125", "-9." + "9" * 37 + "E+125", "1.10"]),
)
LENGTHS = st.sampled_from([0, 1, 100, 1_000, 30_000, 120_000, 300_000])


class Times(NamedTuple):
    """Something long, short to write down."""

    part: Any
    times: int


def whole(value: Any) -> Any:  # noqa: ANN401 - a value, or a part of one
    if isinstance(value, Times):
        return whole(value.part) * value.times
    if isinstance(value, dict):
        return {name: whole(entry) for name, entry in value.items()}
    return list(map(whole, value)) if isinstance(value, list) else value


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20) | st.builds(
    Times, st.sampled_from(["x", '"', "ü", "\U0001f512", "\0"]), LENGTHS
)
OCTETS = st.binary(max_size=20) | st.builds(Times, st.just(b"\0"), LENGTHS)
SCALARS = st.one_of(
    st.builds(lambda text: {"S": text}, TEXTS),
    st.builds(lambda number: {"N": number}, NUMBERS),
    st.builds(lambda octets: {"B": octets}, OCTETS),
    st.sampled_from([{"BOOL": True}, {"NULL": True}, {"M": {}}, {"L": []}]),
    st.builds(lambda texts: {"SS": texts}, st.lists(TEXTS, min_size=1, max_size=4, unique=True)),
    st.builds(lambda numbers: {"NS": numbers}, st.lists(st.integers().map(str), min_size=1, max_size=4, unique=True)),
    st.builds(lambda octets: {"BS": octets}, st.lists(OCTETS, min_size=1, max_size=3, unique=True)),
)


def nest(value: dict[str, Any], depth: int, kind: str) -> dict[str, Any]:
    for _ in range(depth):
        value = {"L": [value]} if kind == "L" else {"M": {kind: value}}
    return value


WIDE = st.builds(
    lambda value, times: {"L": Times([value], times)},
    st.sampled_from([{"S": Times("x", 30)}, {"N": "1"}, {"M": {"sha256": {"S": ""}}}]),
    st.sampled_from([10, 1_000]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.builds(lambda values: {"L": values}, st.lists(inner, max_size=3))
        | st.builds(lambda values: {"M": values}, st.dictionaries(NAMES, inner, max_size=3))
    ),
    max_leaves=4,
)
NESTED = st.builds(nest, SCALARS | WIDE, st.integers(0, 30), st.sampled_from(["L", "a", "sha256"]))
IMAGES = st.dictionaries(NAMES, VALUES | WIDE | NESTED, max_size=6)
KEYS = st.tuples(
    st.sampled_from(["USER#", "TENANT#", "POLICY", "REVOKED#user#", "PROTECTED_RESOURCE#"]),
    st.sampled_from(["", "x", "ü" * 1_000, "x" * 2_000]),
    st.sampled_from(["USER", "TENANT#acme", "x" * 1_024, "ü" * 512]),
)


def in_the_table(key: tuple[str, str, str], image: dict[str, Any]) -> dict[str, Any]:
    """A row that DynamoDB holds."""
    row = {**whole(image), "pk": {"S": (key[0] + key[1])[:1_020]}, "sk": {"S": key[2]}}
    assume(strict_dynamodb.refusal(row) is None)
    return row


@pytest.mark.slow
@given(KEYS, st.none() | IMAGES, IMAGES)
def test_whatever_a_row_contains_it_is_audited_once_with_what_it_grants(
    key: tuple[str, str, str], before: dict[str, Any] | None, after: dict[str, Any]
) -> None:
    images = {"after": in_the_table(key, after)}
    if before is not None:
        images["before"] = in_the_table(key, before)
    pk, sk = images["after"]["pk"]["S"], images["after"]["sk"]["S"]
    named = {"after": "NewImage", "before": "OldImage"}
    outcome, kept = written(record(pk, sk, **{named[name]: image for name, image in images.items()}))
    assert "not_kept" not in kept
    assert (outcome is Recorded.CUT) == any(f"{name}_cut" in kept for name in images)
    authority = POLICY_AUTHORITY if pk == "POLICY" else DIRECTORY_AUTHORITY
    for name, image in images.items():
        check_image(kept[name]["M"], image, kept.get(f"{name}_cut"))
        for attribute in image.keys() & authority:
            value, stored = image[attribute], kept[name]["M"][attribute]
            if (
                strict_dynamodb.size(value) < 2_000
                and strict_dynamodb.levels(value) < 28
                and "sha256" not in str(value)
            ):
                assert stored == value, "what decides something is kept"


class Watched(Mapping[str, Any]):
    """A row that remembers what was read of it, there or not."""

    def __init__(self, pk: str, sk: str, **attributes: object) -> None:
        self.attributes = {"pk": pk, "sk": sk, **attributes}
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - any value
        self.read.add(name)
        return self.attributes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.attributes)

    def __len__(self) -> int:
        return len(self.attributes)


class OneRow:
    """A table in which every key has the same row."""

    def __init__(self, row: Watched) -> None:
        self.found = row

    def get(self, _pk: str, _sk: str) -> Watched:
        return self.found

    def batch_get(self, _keys: Sequence[object], *, consistent: bool) -> list[Watched]:
        assert consistent
        return [self.found]


def test_what_engine_and_verifier_read_of_a_row_is_kept_first() -> None:
    rows: Any = {sk: Watched("USER#1", sk) for sk in ("USER", "TENANT#acme")}
    read_user(rows.values(), AT)
    rows["tenant"] = Watched("TENANT#acme", "TENANT")
    read_tenant(rows["tenant"], AT)
    rows["revoked"] = Watched("REVOKED#user#1", "REVOKED")
    fake: Any = OneRow(rows["revoked"])
    StoredRevocations(fake).revoked_at(["REVOKED#user#1"])
    secrets = [sha256(SECRET.encode()).hexdigest()]
    rows["resource"] = Watched("PROTECTED_RESOURCE#orders-api", "PROTECTED_RESOURCE", secrets=secrets, clients=["*"])
    fake = OneRow(rows["resource"])
    assert introspection(StoredResources(fake)).answer(event()).resource_id == "orders-api"
    read = set().union(*(row.read for row in rows.values())) - {"pk", "sk"}
    assert {"roles", "scopes_allowed", "revoked_at", "secrets", "clients", "tenants"} < read
    assert read <= DIRECTORY_AUTHORITY


def test_of_a_policy_row_all_but_the_annotations_is_kept_first() -> None:
    assert {"scopes", "when", "add_scopes", "suppress_access_claims", "any_role", "given", "ttl"} < POLICY_AUTHORITY
    assert not {"description", "updated_by", "updated_at"} & POLICY_AUTHORITY
