"""Whom the plain client trusts."""

from __future__ import annotations

import re
from pathlib import Path

import botocore

from claimsmith.store.roots import AMAZON_ROOTS

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----")


def test_amazons_roots_are_those_of_botocore() -> None:
    everyone = Path(botocore.__file__).with_name("cacert.pem").read_text(encoding="utf-8")
    found = {
        entry: name for name, entry in re.findall(r"# Subject: (.*)\n(?:#.*\n)*(-----BEGIN[^#]*-----)\n", everyone)
    }
    amazon = _CERTIFICATE.findall(AMAZON_ROOTS)
    assert [found[certificate].partition(" O=")[0] for certificate in amazon] == [
        *(f"CN=Amazon Root CA {number}" for number in range(1, 5)),
        "CN=Starfield Services Root Certificate Authority - G2",
    ]
