"""A certification authority for tests: it certifies authorities and people, and lists what it has revoked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder
from cryptography.x509.oid import NameOID

from archive.domain.errors import BadInput
from archive.domain.iin import check_iin
from config.clock import Clock
from config.settings import Signature

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
YEAR = timedelta(days=365)


def new_iin(number: int) -> str:
    """A number that can be a person's, another one for each of 0 to 999."""
    for tail in range(1000):
        try:
            return check_iin(f"900101{number:03d}{tail:03d}")
        except BadInput:
            continue
    raise AssertionError


def new_rsa() -> Key:
    return rsa.generate_private_key(65537, 2048)


def new_ec() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class Holder:
    """A certificate, its key, and the certificates between it and the root."""

    certificate: x509.Certificate
    key: Key
    between: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, text: str, *, detached: bool = True, pss: bool = False, encoding: Encoding = Encoding.DER) -> bytes:
        """A CMS signature by cryptography's builder."""
        options = [PKCS7Options.Binary, *([PKCS7Options.DetachedSignature] if detached else [])]
        way: Any = padding.PSS(padding.MGF1(SHA256()), 32) if pss else None
        made = PKCS7SignatureBuilder().set_data(text.encode())
        made = made.add_signer(self.certificate, self.key, SHA256(), rsa_padding=way)
        for one in self.between:
            made = made.add_certificate(one)
        return made.sign(encoding, options)


@dataclass(slots=True)
class Authority:
    """A root, or an authority below `above`."""

    name: str
    now: datetime
    above: Authority | None = None
    may_sign_lists: bool = True
    path_length: int | None = None
    holder: Holder | None = None

    def __post_init__(self) -> None:
        key = new_ec()
        basic = x509.BasicConstraints(ca=True, path_length=self.path_length)
        made = self._builder(_name(self.name), key, self.now, YEAR).add_extension(basic, critical=True)
        use = _usage(key_cert_sign=True, crl_sign=self.may_sign_lists)
        signed = made.add_extension(use, critical=True).sign(self._by(key), SHA256())
        self.holder = Holder(signed, key, self._between())

    @property
    def certificate(self) -> x509.Certificate:
        assert self.holder
        return self.holder.certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(self, iin: str, key: Key | None = None, **but: Any) -> Holder:
        """A person's certificate; `but`: `serial` of the subject, `use`, `begins`, `lasts`, `extension`."""
        assert self.holder
        key = key or new_rsa()
        subject = _name("ӘШІРОВА АЙГҮЛ", but.get("serial", f"IIN{iin}"))
        made = self._builder(subject, key, but.get("begins", self.now), but.get("lasts", YEAR), self.holder)
        use = but.get("use", _usage(digital_signature=True, content_commitment=True))
        if use is not None:
            made = made.add_extension(use, critical=True)
        if "extension" in but:
            made = made.add_extension(but["extension"], critical=True)
        below = (self.certificate, *self._between()) if self.above else ()
        return Holder(made.sign(self.holder.key, SHA256()), key, below)

    def revoking(self, held: Sequence[Holder] = (), *, now: datetime | None = None, **but: Any) -> bytes:
        """A list of revoked certificates, PEM; `but`: `lasts`, `extension` (critical), `key`."""
        assert self.holder
        now = now or self.now
        made = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject).last_update(now)
        made = made.next_update(now + but.get("lasts", timedelta(days=7)))
        for one in held:
            row = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number).revocation_date(now)
            made = made.add_revoked_certificate(row.build())
        if "extension" in but:
            made = made.add_extension(but["extension"], critical=True)
        return made.sign(but.get("key", self.holder.key), SHA256()).public_bytes(Encoding.PEM)

    def _builder(
        self, subject: x509.Name, key: Key, begins: datetime, lasts: timedelta, issuer: Holder | None = None
    ) -> x509.CertificateBuilder:
        by = issuer.certificate if issuer else self.above.certificate if self.above else None
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(by.subject if by else subject)
        made = made.public_key(key.public_key()).serial_number(x509.random_serial_number())
        made = made.not_valid_before(begins).not_valid_after(begins + lasts)
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        theirs = by.public_key() if by else key.public_key()
        made = made.add_extension(own, critical=False)
        return made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(theirs), critical=False)  # type: ignore[arg-type]

    def _by(self, own: Key) -> Key:
        above = self.above.holder if self.above else None
        return above.key if above else own

    def _between(self) -> tuple[x509.Certificate, ...]:
        if self.above is None or self.above.above is None:
            return ()
        return (self.above.certificate, *self.above._between())


@dataclass
class Authorities:
    """Who certifies people, and where the application finds what it needs of that."""

    folder: Path
    clock: Clock
    root: Authority = field(init=False)
    below: Authority = field(init=False)

    def __post_init__(self) -> None:
        self.root = Authority("NEGIZGI", self.clock.utc() - timedelta(days=30))
        self.below = Authority("QUALANDYRUSHY", self.clock.utc() - timedelta(days=30), self.root)
        (self.folder / "roots.pem").write_bytes(self.root.pem)
        self.publish()

    def publish(self, held: tuple[Holder, ...] = (), **but: Any) -> None:
        """New lists of both authorities."""
        self.put("root.crl", self.root.revoking(now=self.clock.utc()))
        self.put("below.crl", self.below.revoking(held, **{"now": self.clock.utc(), **but}))

    def put(self, name: str, data: bytes) -> None:
        (self.folder / f"{name}.new").write_bytes(data)
        (self.folder / f"{name}.new").rename(self.folder / name)

    def settings(self, **but: Any) -> Signature:
        files = {"roots_file": self.folder / "roots.pem"}
        lists = {"crl_files": (self.folder / "root.crl", self.folder / "below.crl")}
        return Signature(**{**files, **lists, **but})


def _name(common: str, serial: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common), x509.NameAttribute(NameOID.COUNTRY_NAME, "KZ")]
    return x509.Name(parts + ([x509.NameAttribute(NameOID.SERIAL_NUMBER, serial)] if serial else []))


def _usage(**what: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    names += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: what.get(name, False) for name in names})


ONLY_ENCIPHERS = _usage(key_encipherment=True)
