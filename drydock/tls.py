"""The embedded cloud's certificate authority.

AWS's own endpoints carry certificates of a public authority; here the authority is made on
the machine, and tasks are given a bundle with it, so that clients verify as they do on AWS.
"""

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Where Debian keeps the authorities that programs trust, in images as on machines.
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_LIFETIME = datetime.timedelta(days=3650)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _subject(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey, mode: int) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)


class Authority:
    """A certificate authority kept in a folder; made there the first time.

    Attributes:
        certificate: path of ``ca.pem``, which clients trust.
        bundle: path of this machine's authorities and this one, in one file.
    """

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key_file, self.certificate = folder / "ca.key", folder / "ca.pem"
        if not self.certificate.exists():
            self._make()
        public = BUNDLE.read_bytes() if BUNDLE.exists() else b""
        self.bundle = folder / "bundle.pem"
        wanted = public + self.certificate.read_bytes()
        # Not written anew below tasks that read it.
        if not self.bundle.exists() or self.bundle.read_bytes() != wanted:
            self.bundle.write_bytes(wanted)
            self.bundle.chmod(0o644)
        self._key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        self._certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())

    def _make(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        name = _name("Drydock embedded cloud")
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + _LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True, key_cert_sign=True, crl_sign=True,
                    content_commitment=False, key_encipherment=False, data_encipherment=False,
                    key_agreement=False, encipher_only=False, decipher_only=False,
                ),
                critical=True,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )  # fmt: skip
        _write_key(self._key_file, key, 0o600)
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, folder: Path, address: str, *names: str) -> tuple[Path, Path]:
        """Writes ``server.crt`` and ``server.key`` for an IP address.

        Args:
            names: further IP addresses, such as an endpoint's that moves, and DNS names.

        Returns:
            The two paths. The key is 0600; the part that reads it must own it or be root.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        subjects = [_subject(name) for name in (address, *names)]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(address))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + _LIFETIME)
            .add_extension(x509.SubjectAlternativeName(subjects), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        certificate_file, key_file = folder / "server.crt", folder / "server.key"
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        _write_key(key_file, key, 0o600)
        return certificate_file, key_file
