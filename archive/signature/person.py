"""Whose certificate it is: the IIN in its subject, as the National Certification Authority of Kazakhstan writes it."""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.x509.oid import NameOID

from archive.domain.errors import BadCertificate, BadInput
from archive.domain.iin import check_iin

_IIN = re.compile(r"IIN([0-9]{12})")


def iin_of(certificate: x509.Certificate) -> str:
    """The number of the person.

    Raises:
        BadCertificate: the subject names none, or several.
    """
    named = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    found = _IIN.fullmatch(str(named[0].value)) if len(named) == 1 else None
    try:
        return check_iin(found[1] if found else "")
    except BadInput as error:
        raise BadCertificate("the certificate names no person (IIN); use a person's own certificate", "iin") from error
