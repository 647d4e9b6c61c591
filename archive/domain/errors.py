"""The one error tree.

TyndauError
├── BadInput            what was asked cannot be done as asked (a file, an address, an option)
│   └── Unproved        who is signed in does not prove to be it
├── NotFound            no such thing, or none that the caller may know of
├── Gone                it was here and was destroyed by rule; the caller may know that
├── Denied              the caller may know of it but may not do this
│   └── NotLetIn        who comes from the provider or with a signature does not come in; says for the log why
├── NotSignedIn         nobody is signed in, or the name or password is wrong
├── Throttled           too many tries; carries how long to wait
├── Conflict            it is in another state than the request assumes
├── Unavailable         a server or device does not answer; trying again later may help
│   ├── StoreUnavailable
│   ├── DatabaseUnavailable
│   ├── ProviderAway
│   ├── VerifierAway
│   ├── CarrierAway     the mail server or SMS gateway; nobody's notices go out
│   └── NoticeDelayed   it will take this one notice later
├── NoticeRefused       the mail server or SMS gateway will never take this one notice
├── StoreRefused        the object store answered no (write-once, lock, rights)
├── Damaged             bytes are not what they should be: torn, altered, of the wrong kind
└── Misconfigured       settings, missing extras, missing programs

Every message is one line that says what is wrong and, after a semicolon, what to do.
"""

from __future__ import annotations


class TyndauError(Exception):
    """Base of all errors that a user is shown: one line, no stack trace."""


class BadInput(TyndauError):
    """What was asked cannot be done as asked."""


class NotFound(TyndauError):
    """No such thing, or none that the caller may know of."""


class Gone(TyndauError):
    """It was here and was destroyed by rule; the caller may know that."""


class Denied(TyndauError):
    """The caller may know of it but may not do this."""


class NotLetIn(Denied):
    """Whoever comes from the provider or with a signature does not come in. `why` is one word for the audit log."""

    def __init__(self, message: str, why: str) -> None:
        super().__init__(message)
        self.why = why


class Declined(NotLetIn):
    """The provider itself has said no, or the person has."""


class BadReply(NotLetIn):
    """What came back from the provider cannot be trusted, or belongs to another sign-in."""


class BadSignature(NotLetIn):
    """An electronic signature that does not hold, or is not over the text that was to be signed."""


class BadCertificate(NotLetIn):
    """The certificate of an electronic signature is not accepted."""


class CannotVerify(NotLetIn):
    """Nobody here can reckon the algorithms of an electronic signature."""


class NoAccount(NotLetIn):
    """The person has no account here, or it is disabled."""


class NoRole(NotLetIn):
    """The provider gives the person no role or court that is known here."""


class Unproved(BadInput):
    """Somebody who is signed in does not prove to be that person. `why` is one word for the audit log, or none."""

    def __init__(self, message: str, why: str = "") -> None:
        super().__init__(message)
        self.why = why


class WrongCode(Unproved):
    """A code of an authenticator, or a recovery code, that is not good (any more)."""


class WrongPasskey(Unproved):
    """What a passkey has signed is not good (any more), or it is not this person's passkey."""


class CopiedPasskey(WrongPasskey):
    """A passkey counts less uses than it had already: there may be two of it."""


class WrongPassword(Unproved):
    """A person who is signed in gave a wrong password."""


class PoorPassword(BadInput):
    """A new password that cannot be."""


class BadEmail(BadInput):
    """What cannot be an e-mail address."""


class BadPhone(BadInput):
    """What cannot be a telephone number."""


class NotSignedIn(TyndauError):
    """Nobody is signed in, or what was given to sign in is wrong."""


class Throttled(TyndauError):
    """Too many tries."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Conflict(TyndauError):
    """It is in another state than the request assumes."""


class NotRecent(Conflict):
    """The sign-in is too long ago for what is asked now."""


class Unavailable(TyndauError):
    """A server or device does not answer; trying again later may help."""


class StoreUnavailable(Unavailable):
    """The object store cannot be reached or answers with a server error."""


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached."""


class ProviderAway(Unavailable):
    """The provider at which people sign in does not answer, or not as it should."""


class VerifierAway(Unavailable):
    """Whether a signature holds cannot be known now: the verifier or a list of revoked certificates is away."""


class CarrierAway(Unavailable):
    """What carries notices does not answer, or lets us not in."""


class NoticeDelayed(Unavailable):
    """What carries notices does not take this one now. `answer`: its numbers, without a word of whom it is for."""

    def __init__(self, message: str, answer: str = "") -> None:
        super().__init__(message)
        self.answer = answer


class NoticeRefused(TyndauError):
    """What carries notices will not take this one, however often it is tried. `answer` as in NoticeDelayed."""

    def __init__(self, message: str, answer: str = "") -> None:
        super().__init__(message)
        self.answer = answer


class StoreRefused(TyndauError):
    """The object store answered no: the object exists, is locked, or rights are missing."""


class Damaged(TyndauError):
    """Bytes are not what they should be."""


class Misconfigured(TyndauError):
    """Settings are wrong, or a program or an optional package is missing."""
