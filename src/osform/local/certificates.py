"""Certificates for a cluster on this machine, made on the spot: a CA, one for the nodes, one for their owner."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from osform.errors import MissingExtra

NODE, OWNER = "osform-node", "osform-owner"
"""Common names: by these the nodes know each other, and whoever may do everything."""
_YEARS = 10


def make(folder: Path) -> None:
    """Fill a folder with ``ca.pem``, ``node.pem``, ``owner.pem`` and their keys, unless they are there.

    The CA's key is not kept. Raises MissingExtra where cryptography is not installed.
    """
    if (folder / "owner.key").exists():
        return
    try:
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise MissingExtra("local", "osform cluster up --secure", error) from error
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _signed("osform local CA", ca_key, None, ca_key)
    _keep(folder / "ca.pem", _pem(ca))
    for name, common in (("node", NODE), ("owner", OWNER)):
        key = ec.generate_private_key(ec.SECP256R1())
        _keep(folder / f"{name}.pem", _pem(_signed(common, key, ca, ca_key)))
        _keep(folder / f"{name}.key", _key(key))


def _signed(common: str, key: Any, issuer: Any, by: Any) -> Any:
    """A certificate for a key; without an issuer, one of a CA that signs itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if issuer is None:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        return made.add_extension(usage, critical=True).sign(by, hashes.SHA256())
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return (
        made.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(by, hashes.SHA256())
    )


def _pem(certificate: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _key(key: Any) -> bytes:
    """PKCS#8, the only form that OpenSearch reads."""
    from cryptography.hazmat.primitives import serialization

    return bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _keep(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content)
