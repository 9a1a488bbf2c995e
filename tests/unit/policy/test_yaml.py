"""A policy file is the same policy as its rows, and a file that is not one is refused with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claimsmith.errors import Code, PolicyError
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows, lint, load
from claimsmith.policy.yaml import escaped, parse
from claimsmith.store.attributes import decode_row, encode_row

if TYPE_CHECKING:
    from pathlib import Path

    from claimsmith.policy import Draft

POLICY = """
settings:
  scope_mode: exact
roles:
  viewer: {scopes: [orders/read]}
  editor:
    inherits: [viewer]
    claims: {level: 2, share: 0.25, beta: true}
groups:
  Staff: {roles: [viewer]}
clients:
  ${WEB}: {name: "web ${WEB}"}
routes:
  - {id: read, path: "/orders/{id}", any_scope: [orders/read]}
"""


def draft(text: str, **variables: str) -> Draft:
    return parse(text, "policy.yaml", variables)


def refused(text: str) -> PolicyError:
    with pytest.raises(PolicyError) as raised:
        draft(text)
    return raised.value


def test_a_file_and_its_rows_are_the_same_policy() -> None:
    from_file = draft(POLICY, WEB="web1")
    stored = [decode_row(encode_row(row)) for row in from_file.rows()]
    assert from_rows(reversed(stored)).digest() == from_file.digest()
    assert compile_policy(from_rows(stored)) == compile_policy(from_file)


def test_the_rows_are_those_of_the_table() -> None:
    rows = {row["sk"]: row for row in draft(POLICY, WEB="web1").rows()}
    assert set(rows) == {"SETTINGS", "ROLE#viewer", "ROLE#editor", "GROUP#Staff", "CLIENT#web1", "ROUTE#read"}
    assert rows["ROLE#viewer"] == {"pk": "POLICY", "sk": "ROLE#viewer", "scopes": ["orders/read"]}


def test_the_digest_ignores_who_wrote_a_row_but_not_what_it_contains() -> None:
    plain = {"pk": "POLICY", "sk": "SETTINGS"}
    signed = plain | {"updated_by": "someone", "updated_at": 1_800_000_000}
    assert from_rows([plain]).digest() == from_rows([signed]).digest()
    assert from_rows([plain]).digest() != from_rows([plain | {"description": "x"}]).digest()


def test_a_list_and_a_string_set_of_the_same_names_are_the_same_policy() -> None:
    as_list = {"pk": "POLICY", "sk": "ROLE#a", "scopes": ["x", "y"]}
    assert from_rows([as_list]).digest() == from_rows([as_list | {"scopes": frozenset({"y", "x"})}]).digest()


@pytest.mark.parametrize("number", ["1.0", "-0.0", "1.0e+3"])
def test_a_number_has_the_digest_it_will_have_in_the_table(number: str) -> None:
    from_file = draft(f"settings: {{}}\nroles: {{a: {{claims: {{x: {number}}}}}}}")
    stored = []
    for row in from_file.rows():
        item = encode_row(row)
        if "claims" in item:
            # DynamoDB trims leading and trailing zeroes and knows no negative zero.
            written = item["claims"]["M"]["x"]["N"]
            item["claims"]["M"]["x"]["N"] = f"{float(written):g}".replace("-0", "0")
        stored.append(decode_row(item))
    assert from_rows(stored).digest() == from_file.digest()


def test_a_variable_is_filled_in_names_and_values() -> None:
    [client] = draft(POLICY, WEB="web1").section("clients").values()
    assert (client.name, client.attributes["name"]) == ("web1", "web web1")


def test_a_variable_without_a_value_is_refused_with_its_name_and_line() -> None:
    error = refused(POLICY)
    assert error.code is Code.UNDEFINED_VARIABLE
    assert "policy.yaml:12" in error.message
    assert "--var WEB=VALUE" in error.message


def test_a_variable_cannot_bring_structure_with_it() -> None:
    entry = draft("settings: {description: '${X}'}", X="a: [b]\nroles: {}").section("settings")[""]
    assert entry.attributes == {"description": "a: [b]\nroles: {}"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("settings: {}\nroles: {a: {}, a: {}}", 2),
        ("settings: {}\nsettings: {}", 2),
        ("settings: {}\nroles:\n  a:\n    claims:\n      x: 1\n      x: 2", 6),
    ],
)
def test_a_name_that_appears_twice_is_refused(text: str, line: int) -> None:
    error = refused(text)
    assert error.code is Code.DUPLICATE
    assert f"policy.yaml:{line}" in error.message


def test_two_routes_with_one_id_are_refused() -> None:
    assert refused("routes: [{id: a, path: /}, {id: a, path: /b}]").code is Code.DUPLICATE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "---",
        "just text",
        "- a list",
        "settings: [",
        "settings: {}\nroles: [viewer]",
        "settings: text",
        "rolls: {}",
        "roles: {1: {}}",
        "roles: {a: {1: x}}",
        "settings: &a {}\nroles: *a",
        "a: &a [*a]",
        "settings: {<<: 7}",
        "? [a]\n: b",
        "!!python/object/apply:os.system [id]",
        "settings: {x: !!timestamp never}",
        "settings: {x: !!bool maybe}",
        'settings: {x: !!int ""}',
        'settings: {x: !!float ""}',
        "settings: {x: 2024-13-45}",
        'settings: {x: "\\UFFFFFFFF"}',
        "\x00",
        "[" * 1200,
        "routes: {a: {path: /}}",
        "routes: [{path: /}]",
        "routes: [text]",
        'settings: {description: "\\ud800"}',
    ],
    ids=lambda text: text[:30],
)
def test_a_file_that_is_not_a_policy_is_refused_as_unreadable(text: str) -> None:
    assert refused(text).code is Code.UNREADABLE_FILE


@pytest.mark.parametrize(
    "claims",
    ["{x: !!set {}}", f"{{x: 0x{'f' * 3000}}}", "{x: 1.0e+200}"],
    ids=["empty set", "huge integer", "huge float"],
)
def test_a_value_that_no_row_can_store_is_refused_before_anything_is_written(claims: str) -> None:
    assert lint(draft(f"settings: {{}}\nroles: {{a: {{claims: {claims}}}}}"))


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("missing.yaml", "binary.yaml", "."):
        with pytest.raises(PolicyError) as raised:
            load(tmp_path / name)
        assert raised.value.code is Code.UNREADABLE_FILE


def test_a_file_is_loaded_with_its_variables(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    assert lint(load(path, {"WEB": "web1"})) == []


def test_a_large_whole_number_has_the_digest_it_will_have_in_the_table() -> None:
    from_file = draft("settings: {}\nroles: {a: {claims: {x: 5.786750970155526e+16}}}")
    stored = [decode_row(encode_row(row)) for row in from_file.rows()]
    assert from_rows(stored).digest() == from_file.digest()


def test_a_heading_with_nothing_below_it_is_an_empty_section() -> None:
    headings = "settings:\nroles:\ngroups:\nclients:\nrules:\nroutes:\ntests:\n"
    assert draft(headings).digest() == draft("settings: {}").digest()


def test_the_message_explains_why_a_file_cannot_be_read(tmp_path: Path) -> None:
    def why(path: Path) -> str:
        with pytest.raises(PolicyError) as raised:
            load(path)
        return raised.value.message.removeprefix(str(path))

    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"settings: {} # \xe4")
    assert why(latin) == " cannot be read: it is not UTF-8; save it as UTF-8."
    assert why(tmp_path / "none.yaml") == " cannot be read: no such file or directory."
    assert why(tmp_path) == " cannot be read: is a directory."


def test_a_tab_is_reported() -> None:
    assert refused("roles:\n\tviewer: {}\n").message == "policy.yaml:2: a tab cannot indent YAML; use spaces."
    assert "tab" not in refused("roles: [viewer\n").message


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("roles: {viewer: {scopes: orders/read}}", "must be a list, even if it has one member: [...]"),
        ("roles: {viewer: {scopes: [1]}}", "must be text; quote numbers that are meant as text"),
        (
            "roles: {viewer: {scopes: [yes]}}",
            "must be text; quote yes, no, on and off, which YAML reads as true or false",
        ),
        ("clients: {web: {audience: 1}}", "must be true or false"),
        ("roles: {viewer: {claims: [a]}}", "must be a map of names to values"),
    ],
)
def test_a_wrong_type_is_reported_in_terms_of_yaml(row: str, message: str) -> None:
    (finding,) = lint(draft("settings: {}\n" + row))
    assert (finding.code, finding.message) == (Code.WRONG_TYPE, message)


@pytest.mark.parametrize("number", ["010", "-010000", "1:30", "1:30.5", "0_7"])
def test_a_number_that_yaml_reads_differently_is_refused(number: str) -> None:
    message = f"policy.yaml:2: YAML 1.1 reads {number} as a different number; quote it."
    assert refused(f"settings:\n  cache_seconds: {number}").message == message
    assert draft(f"settings: {{description: '{number}'}}").rows()[0]["description"] == number


@pytest.mark.parametrize("number", ["0", "10", "-7", "1_000", "0.5", "1e3", "0x1F", "0o10"])
def test_an_unambiguous_number_is_accepted(number: str) -> None:
    assert len(draft(f"settings: {{cache_seconds: {number}}}").entries) == 1


def test_a_merge_key_cannot_hide_a_duplicate_name() -> None:
    text = "roles:\n  <<: {viewer: {scopes: [a/b]}}\n  viewer: {scopes: [c/d]}"
    assert refused(text).message == "policy.yaml:2: merge keys are not supported; write the values out."


@pytest.mark.parametrize(
    "policy",
    [
        "rules: [{id: a, claims: {x: NUMBER}}]",
        "rules: [{id: a, claims: {x: !!set {? NUMBER }}}]",
        "rules: [{id: a, claims: {x: !!pairs [a: NUMBER]}}]",
        "rules: [{id: a, claims: {x: {? NUMBER : a}}}]",
        "rules: [{id: a, ? NUMBER : a}]",
        "roles: {? NUMBER : {}}",
        "? NUMBER\n: {}",
    ],
)
@pytest.mark.parametrize("number", ["0x" + "f" * 100_000, "0b" + "1" * 100_000, "9" * 100_000, "1" + "0" * 38])
def test_a_number_that_no_row_can_store_is_refused_everywhere(policy: str, number: str) -> None:
    """Python writes out no number of thousands of digits, so that a message about one ended in an error."""
    try:
        codes = {finding.code for finding in lint(draft("settings: {}\n" + policy.replace("NUMBER", number)))}
    except PolicyError as refused:
        codes = {refused.code}
    assert codes & {Code.UNREADABLE_FILE, Code.UNSUPPORTED_VALUE}


def test_a_long_row_of_dollars_is_text_and_costs_no_more_than_its_length() -> None:
    dollars = "$" * 300_000
    read = draft(f"settings: {{description: '{dollars} {dollars}{{A}} ${{A}}'}}", A="a")
    assert read.entries[0].attributes["description"] == f"{dollars} {dollars[1:]}{{A}} a"
    assert escaped(f"{dollars} ${{A}}") == f"{dollars} $${{A}}"
