"""The shapes of what people prove themselves by: codes, passkeys (bytes in base64url without padding), signatures."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from api.schemas import Asked, Code, Me

PasswordIfAny = Annotated[str, Field(max_length=256)]  # whoever has just come from the provider gives none
MOST_SIGNATURE_CHARS = 64_000
Base64url = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=16384)]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds signs that cannot be shown")
    return text


PasskeyName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(_printable)
]


class FromBrowser(BaseModel):
    """JSON of WebAuthn, level 3. What browsers add to it is left alone."""

    model_config = ConfigDict(extra="ignore")


class Attestation(FromBrowser):
    clientDataJSON: Base64url  # noqa: N815 - its name in WebAuthn
    attestationObject: Base64url  # noqa: N815
    transports: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=16)] = []


class PasskeyMade(FromBrowser):
    """What `navigator.credentials.create` gives (RegistrationResponseJSON)."""

    id: Base64url
    rawId: Base64url  # noqa: N815
    type: Literal["public-key"]
    response: Attestation


class Assertion(FromBrowser):
    clientDataJSON: Base64url  # noqa: N815
    authenticatorData: Base64url  # noqa: N815
    signature: Base64url


class PasskeySigned(FromBrowser):
    """What `navigator.credentials.get` gives (AuthenticationResponseJSON)."""

    id: Base64url
    rawId: Base64url  # noqa: N815
    type: Literal["public-key"]
    response: Assertion


class ProofIfAny(Asked):
    """A second factor, for whoever has one: a code of the authenticator, a recovery code, or a passkey's signature."""

    code: Code | None = None
    passkey: PasskeySigned | None = None

    @model_validator(mode="after")
    def _not_both(self) -> ProofIfAny:
        if self.code is not None and self.passkey is not None:
            raise ValueError("holds a code and a passkey; one is enough")
        return self

    @property
    def signed(self) -> dict[str, Any] | None:
        """What the passkey has signed."""
        return self.passkey.model_dump() if self.passkey else None


class ProofGiven(ProofIfAny):
    """One of the three."""

    @model_validator(mode="after")
    def _one(self) -> ProofGiven:
        if self.code is None and self.passkey is None:
            raise ValueError("holds neither a code nor a passkey")
        return self


class SettingUp(ProofIfAny):
    """With the second factor that I have, if I have one."""

    password: PasswordIfAny = ""


class TakingAway(ProofGiven):
    password: PasswordIfAny = ""


class PasskeyNamed(Asked):
    """`name`: as I shall know it again."""

    name: PasskeyName
    passkey: PasskeyMade


class PasskeyOptions(BaseModel):
    """`publicKey` of `navigator.credentials.create` or `get`, as JSON of WebAuthn."""

    options: dict[str, Any]


class Passkey(BaseModel):
    id: UUID
    name: str
    created_utc: str
    used_utc: str | None


class SecondFactor(BaseModel):
    """`enrolled`: I have one of any kind. `required`: my role cannot go without.

    `passkeys_possible`: browsers know passkeys at this address.
    """

    enrolled: bool
    required: bool
    recovery_codes_left: int
    authenticator: bool
    passkeys: list[Passkey]
    passkeys_possible: bool


class Enrolment(BaseModel):
    """To scan or to type into an authenticator. `qr`: rows of 0 and 1, without the quiet border."""

    secret: str
    uri: str
    qr: list[str]


class Enrolled(BaseModel):
    """`recovery_codes` are shown only now; none where there are some already."""

    me: Me
    recovery_codes: list[str]


class RecoveryCodes(BaseModel):
    recovery_codes: list[str]


class SignatureWay(BaseModel):
    """Whether one can sign in by an electronic signature. `gost`: by one with GOST algorithms too."""

    there: bool
    gost: bool = False


class ToSign(BaseModel):
    """`text` is to be signed as it is, in UTF-8; it has one line and no end of line."""

    text: str
    until_utc: str


class SignatureGiven(Asked):
    """A CMS signature: PEM, or in base64 a file with DER, PEM or base64."""

    signature: Annotated[str, Field(min_length=1, max_length=MOST_SIGNATURE_CHARS)]
