"""The functions' real assets, built as a deployment builds them and run without anything else."""

from __future__ import annotations

import importlib.util
import json
import platform
import re
import socket
import subprocess
import sys
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from claimsmith_cdk import bundling
from claimsmith_cdk.bundling import FIRST_PARTY, Asset
from claimsmith_cdk.hosting import Hosting
from tests.infra.template import ROOT
from tests.integration.kms_server import ARN, serving_kms
from tests.unit.verifier.signing import local_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
MACHINE = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
HANDLERS = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for file in ROOT.glob("lambdas/*/*.py")
    if "\ndef handler(" in file.read_text(encoding="utf-8")
)
#: What a function imports only once it needs it.
LATE = (
    "claimsmith.oidc",
    "claimsmith.store.dynamodb",
    "claimsmith.store.signing_keys",
    "claimsmith.verifier.algorithms",
    "claimsmith.verifier.fetch",
    "claimsmith.verifier.signed_answers",
    # One of them is late in the function of the other.
    "claimsmith.verifier.authorizer",
    "claimsmith.verifier.introspection",
)
ELF_MACHINES = {"x86_64": 62, "arm64": 183}  # EM_X86_64 and EM_AARCH64
REGIONS = ("eu-west-1", "us-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1")


#: Between them they have every package of the others.
FULL = ("lambdas.publisher.handler", "lambdas.verifier.authorizer")

#: Looked up once: to find an asset, its sources are read and hashed.
build_asset = cache(bundling.build_asset)


@pytest.fixture(params=HANDLERS)
def handler(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def asset(handler: str) -> Asset:
    """The asset that runs here: this machine's architecture, the tests' Python."""
    return build_asset(handler, arch=MACHINE, python=PYTHON)


@pytest.fixture(params=[name for name in HANDLERS if name != "lambdas.sample.handler"])
def sdk_asset(request: pytest.FixtureRequest) -> Asset:
    """As ``asset``, of each function that calls AWS."""
    return build_asset(request.param, arch=MACHINE, python=PYTHON)


@pytest.fixture
def refusing_endpoint() -> Iterator[str]:
    """An address where nothing listens: importing a handler must not need DynamoDB."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def _run_with_asset_alone(asset: Path, program: str, endpoint: str = "") -> str:
    """Run a program isolated (-I) and without site-packages (-S), with nothing but the asset to import from."""
    environment = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "CLAIMSMITH_TABLE": "Table",
        "CLAIMSMITH_AUDIT_TABLE": "AuditTable",
        "CLAIMSMITH_ISSUERS": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example",
        "CLAIMSMITH_CLIENT_IDS": "1example23456789",
        "CLAIMSMITH_USER_POOL_ID": "eu-west-1_example",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    } | ({"AWS_ENDPOINT_URL": endpoint} if endpoint else {})
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", f"import sys; sys.path.insert(0, {str(asset)!r})\n{program}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_handlers_are_found() -> None:
    assert set(HANDLERS) == {
        "lambdas.attach.handler",
        "lambdas.pre_token.handler",
        "lambdas.probe.handler",
        "lambdas.publisher.handler",
        "lambdas.revocations.handler",
        "lambdas.sample.handler",
        "lambdas.verifier.authorizer",
        "lambdas.verifier.introspection",
    }


def test_a_handler_imports_from_its_asset_alone_and_uses_all_of_its_own_files(
    handler: str, asset: Asset, refusing_endpoint: str
) -> None:
    late = "".join(f"import {module}\n" for module in LATE if (asset.path / f"{module.replace('.', '/')}.py").exists())
    program = (
        f"import json, {handler} as module\n"
        "assert callable(module.handler)\n"
        f"{late}"
        "print(json.dumps([m.__file__ for m in sys.modules.values() if getattr(m, '__file__', None)]))"
    )
    loaded = json.loads(_run_with_asset_alone(asset.path, program, refusing_endpoint).splitlines()[-1])
    contained = {str(file) for package in FIRST_PARTY for file in (asset.path / package).rglob("*.py")}
    assert contained == {file for file in loaded if file.startswith(tuple(f"{asset.path}/{p}/" for p in FIRST_PARTY))}


def test_every_file_has_bytecode_of_its_present_source(asset: Asset) -> None:
    assert asset.bytecode
    sources = list(asset.path.rglob("*.py"))
    assert sources
    for source in sources:
        # Nothing checks it at run time: unchecked bytecode of older source would run silently.
        compiled = (source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc").read_bytes()
        assert compiled[:4] == importlib.util.MAGIC_NUMBER
        assert compiled[4:8] == b"\x01\x00\x00\x00"
        assert compiled[8:16] == importlib.util.source_hash(source.read_bytes()), source


@pytest.mark.parametrize(("arch", "version"), [(Hosting().arch, Hosting().python), ("x86_64", PYTHON)])
@pytest.mark.parametrize("handler", FULL, indirect=True)
def test_shared_objects_are_for_the_functions_architecture_and_python(handler: str, arch: str, version: str) -> None:
    found = list(build_asset(handler, arch=arch, python=version).path.rglob("*.so*"))
    assert found
    for file in found:
        head = file.read_bytes()[:20]
        assert head[:4] == b"\x7fELF", file
        assert int.from_bytes(head[18:20], "little") == ELF_MACHINES[arch], file
        assert f".cpython-{version.replace('.', '')}-" in file.name or ".abi3." in file.name, file


def test_two_assets_have_every_package_of_the_others() -> None:
    packages = {
        handler: set(re.findall(r"^[a-z][^;\s]*==\S+", file.read_text(encoding="utf-8"), re.MULTILINE))
        for handler in HANDLERS
        for file in [ROOT.joinpath(*handler.split(".")[:-1], "requirements.txt")]
    }
    assert set().union(*packages.values()) == set().union(*(packages[handler] for handler in FULL)) != set()


@pytest.mark.parametrize("handler", FULL, indirect=True)
def test_two_builds_are_byte_equal(handler: str, asset: Asset, tmp_path: Path) -> None:
    again = bundling.build_asset(handler, arch=MACHINE, python=PYTHON, build=tmp_path).path
    assert again.name == asset.path.name, "somebody edited the sources in between"
    assert _files(again) == _files(asset.path)


def test_nothing_is_in_an_asset_that_nothing_reads(asset: Asset) -> None:
    entries = {path.relative_to(asset.path).as_posix() for path in asset.path.rglob("*")}
    assert not [name for name in entries if name.endswith((".pyi", ".c", ".h", "/RECORD", "/tests", "/test"))]
    assert "bin" not in entries
    assert not [
        name for name in entries if name.split("/")[0] in {"boto3", "s3transfer", "awscrt", "cffi", "pycparser", "pip"}
    ]


def test_the_sdk_knows_no_service_that_nobody_calls(sdk_asset: Asset) -> None:
    data = sdk_asset.path / "botocore" / "data"
    others = {
        "attach_handler": {"cognito-idp", "lambda"},
        "probe_handler": {"codedeploy", "cognito-idp", "lambda", "secretsmanager"},
        "verifier_introspection": {"kms"},
    }
    called = others.get(sdk_asset.path.name.split("-")[0].removeprefix("lambdas_"), set())
    assert {path.name for path in data.iterdir() if path.is_dir()} == {"dynamodb"} | called


@pytest.mark.parametrize("module", ["lambdas.verifier.authorizer", "lambdas.verifier.introspection"])
def test_the_trimmed_cryptography_verifies_a_signature(module: str) -> None:
    program = (
        "from cryptography.hazmat.primitives import hashes\n"
        "from cryptography.hazmat.primitives.asymmetric import padding, rsa\n"
        "key = rsa.generate_private_key(public_exponent=65537, key_size=2048)\n"
        "numbers = key.public_key().public_numbers()\n"
        "signature = key.sign(b'said', padding.PKCS1v15(), hashes.SHA256())\n"
        "public = rsa.RSAPublicNumbers(numbers.e, numbers.n).public_key()\n"
        "public.verify(signature, b'said', padding.PKCS1v15(), hashes.SHA256())\n"
        "print('verified')"
    )
    built = build_asset(module, arch=MACHINE, python=PYTHON).path
    assert _run_with_asset_alone(built, program) == "verified\n"


def test_introspection_signs_with_what_is_in_its_asset() -> None:
    """Down to the request to KMS: a server on this machine answers it."""
    key, digest = local_key("RSA 2048"), sha256(b"said").digest()
    with serving_kms(key) as endpoint:
        program = (
            "from claimsmith.store.signing_keys import KmsSigningKey, connect\n"
            f"key = KmsSigningKey(connect(), {ARN!r})\n"
            f"print(key.sign({digest!r}, 'RS256').hex())"
        )
        built = build_asset("lambdas.verifier.introspection", arch=MACHINE, python=PYTHON).path
        signature = _run_with_asset_alone(built, program, endpoint).strip()
    assert bytes.fromhex(signature) == key.sign(digest, "RS256"), "PKCS #1 v1.5 has no salt"


def test_the_sample_carries_no_package_at_all() -> None:
    built = build_asset("lambdas.sample.handler", arch=MACHINE, python=PYTHON).path
    assert {path.name for path in built.iterdir() if path.name != ".lock"} == {"lambdas"}


@cache
def _whole_clients() -> list[Any]:
    """Clients of botocore as it is installed here, one of each region."""
    session = botocore.session.get_session()
    return [session.create_client("dynamodb", region_name=region) for region in REGIONS]


def test_trimmed_endpoints_are_the_same_in_every_partition(sdk_asset: Asset) -> None:
    program = (
        "import botocore.session, json\n"
        "session = botocore.session.get_session()\n"
        f"clients = [session.create_client('dynamodb', region_name=region) for region in {REGIONS!r}]\n"
        "print(json.dumps([[client.meta.endpoint_url, client.meta.service_model.signing_name] for client in clients]))"
    )
    whole = [[client.meta.endpoint_url, client.meta.service_model.signing_name] for client in _whole_clients()]
    assert json.loads(_run_with_asset_alone(sdk_asset.path, program)) == whole


def test_the_trimmed_model_still_has_every_operation(sdk_asset: Asset) -> None:
    program = (
        "import botocore.session, json\n"
        "client = botocore.session.get_session().create_client('dynamodb')\n"
        "names = client.meta.service_model.operation_names\n"
        "shapes = client.meta.service_model.shape_names\n"
        "print(json.dumps([names, shapes, client.can_paginate('query')]))"
    )
    model = _whole_clients()[0].meta.service_model
    assert json.loads(_run_with_asset_alone(sdk_asset.path, program)) == [
        list(model.operation_names),
        list(model.shape_names),
        True,
    ]


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
