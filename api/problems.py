"""Errors as RFC 9457 problems: the one place where the error tree meets HTTP.

Each problem has a stable code and its text in Kazakh, Russian and English. English readers get the
error's own line where it says more than the general text.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import TimeoutError as PoolExhausted
from starlette.exceptions import HTTPException
from starlette.responses import Response

from archive.domain import errors
from archive.domain.revisions import Stale
from config.log import report

log = logging.getLogger(__name__)

LANGUAGES = ("kk", "ru", "en")
RETRY_AFTER_S = 5


class NoSession(errors.NotSignedIn):
    """The request came without a living session."""


class Unfinished(errors.NotSignedIn):
    """The session's person has a step of signing in left."""


class Forged(errors.Denied):
    """The request did not come from our own pages: wrong origin, or no CSRF token."""


class TooLarge(errors.BadInput):
    """The body is over the limit."""


class Unconditional(errors.BadInput):
    """A change without If-Match."""


class Outdated(errors.Conflict):
    """The change is meant for what is not there any more."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of problem: status, code, and per language title and detail. `own` = may carry the error's line."""

    status: int
    code: str
    kk: tuple[str, str]
    ru: tuple[str, str]
    en: tuple[str, str]
    own: bool = False

    def words(self, language: str) -> tuple[str, str]:
        """Title and detail."""
        return {"kk": self.kk, "ru": self.ru}.get(language, self.en)


SIGN_IN = Kind(
    401,
    "AUTH-001",
    ("Кіру мүмкін болмады", "Пайдаланушы аты немесе құпиясөз қате."),
    ("Войти не удалось", "Неверное имя пользователя или пароль."),
    ("Sign-in failed", "The user name or the password is wrong."),
)
NO_SESSION = Kind(
    401,
    "AUTH-002",
    ("Жүйеге кіру қажет", "Сеанс аяқталды немесе басталмаған. Жүйеге кіріңіз."),
    ("Нужно войти", "Сеанс окончен или не начат. Войдите в систему."),
    ("Sign in first", "The session has ended or was never begun. Sign in."),
)
THROTTLED = Kind(
    429,
    "AUTH-003",
    ("Тым көп әрекет", "Бірнеше минуттан кейін қайталаңыз."),
    ("Слишком много попыток", "Повторите через несколько минут."),
    ("Too many tries", "Try again in a few minutes."),
)
FORGED = Kind(
    403,
    "AUTH-004",
    ("Сұрау қабылданбады", "Сұрау осы жүйенің беттерінен келген жоқ. Бетті жаңартыңыз."),
    ("Запрос отклонён", "Запрос пришёл не со страниц этой системы. Обновите страницу."),
    ("Request refused", "The request did not come from this system's pages. Reload the page."),
)
UNFINISHED = Kind(
    401,
    "AUTH-005",
    ("Кіру аяқталмаған", "Кірудің тағы бір қадамы қалды. Кіру бетінде жалғастырыңыз."),
    ("Вход не завершён", "Остался ещё один шаг входа. Продолжите на странице входа."),
    ("Signing in is not finished", "A step of signing in is left. Go on at the sign-in page."),
)
WRONG_CODE = Kind(
    400,
    "AUTH-006",
    ("Код сәйкес емес", "Код қате немесе қолданылған. Келесі кодты күтіңіз, телефон сағатын тексеріңіз."),
    ("Код не подошёл", "Код неверен или уже использован. Дождитесь следующего и проверьте часы телефона."),
    ("The code does not fit", "It is wrong or was used. Wait for the next one, and check the clock of your phone."),
)
WRONG_PASSWORD = Kind(
    400,
    "AUTH-007",
    ("Құпиясөз қате", "Қазіргі құпиясөз дұрыс емес. Қайталап көріңіз."),
    ("Неверный пароль", "Нынешний пароль неверен. Попробуйте ещё раз."),
    ("Wrong password", "The current password is wrong. Try again."),
)
POOR_PASSWORD = Kind(
    400,
    "AUTH-008",
    ("Басқа құпиясөз таңдаңыз", "8-ден 256 таңбаға дейін; бұрынғысы, пайдаланушы аты және оңай табылатыны жарамайды."),
    ("Выберите другой пароль", "От 8 до 256 знаков; не прежний, не имя пользователя и не такой, что легко угадать."),
    ("Choose another password", "8 to 256 characters; not the old one, the user name or one that is easily guessed."),
)
PROVIDER_AWAY = Kind(
    503,
    "AUTH-009",
    (
        "Сыртқы кіру жүйесі жауап бермейді",
        "Пайдаланушы аты мен құпиясөз арқылы кіріңіз немесе сәл кейін қайталаңыз.",
    ),
    ("Внешняя система входа не отвечает", "Войдите по имени пользователя и паролю или повторите немного позже."),
    ("The other sign-in does not answer", "Sign in with a user name and a password, or try again shortly."),
)
DECLINED = Kind(
    403,
    "AUTH-010",
    ("Кіру аяқталмады", "Кіру сыртқы жүйеде тоқтатылды немесе одан бас тартылды. Қайта бастаңыз."),
    ("Вход не состоялся", "Вход прерван или отклонён во внешней системе. Начните заново."),
    ("You were not signed in", "The sign-in was given up or refused in the other system. Begin anew."),
)
BAD_REPLY = Kind(
    400,
    "AUTH-011",
    ("Кіруді қайта бастаңыз", "Бұл кіру осы браузерде басталмаған, ескірген немесе жауабына сенуге болмайды."),
    ("Начните вход заново", "Этот вход начат не в этом браузере, устарел, или его ответу нельзя доверять."),
    (
        "Begin signing in anew",
        "This sign-in was not begun in this browser, is too old, or its answer cannot be trusted.",
    ),
)
NO_ACCOUNT = Kind(
    403,
    "AUTH-012",
    ("Мұнда тіркелгіңіз жоқ", "Бұл адамға ашық тіркелгі жоқ. Сот әкімшісіне хабарласыңыз."),
    ("Здесь у вас нет учётной записи", "Действующей записи для вас нет. Обратитесь к администратору суда."),
    ("You have no account here", "There is none that is open to you. Ask the court's administrator."),
)
NO_ROLE = Kind(
    403,
    "AUTH-013",
    ("Рөліңіз белгіленбеген", "Сыртқы жүйе мұндағы рөлді немесе сотты атамады. Әкімшіге хабарласыңыз."),
    ("Роль не назначена", "Внешняя система не назвала роли или суда, известных здесь. Обратитесь к администратору."),
    (
        "You have no role here",
        "The other system names no role or court that is known here. Ask the administrator.",
    ),
)
NOT_RECENT = Kind(
    409,
    "AUTH-014",
    ("Қайта кіріңіз", "Кіргеніңізге көп уақыт болды. Шығып, қайта кіріп, он минут ішінде қайталаңыз."),
    ("Войдите ещё раз", "С вашего входа прошло много времени. Выйдите, войдите и повторите за десять минут."),
    ("Sign in again", "You signed in too long ago for this. Sign out and in, and try again within ten minutes."),
)
WRONG_PASSKEY = Kind(
    400,
    "AUTH-015",
    ("Кілт қабылданбады", "Жауап сәйкес емес, ескірген немесе кілт сіздікі емес. Қайта бастаңыз не басқасын алыңыз."),
    ("Ключ не принят", "Ответ не подошёл, устарел, или это не ваш ключ. Начните заново или возьмите другой."),
    (
        "The passkey was not accepted",
        "Its answer does not fit or is too old, or it is not yours. Begin anew, or take another one.",
    ),
)
COPIED_PASSKEY = Kind(
    400,
    "AUTH-016",
    (
        "Кілттің көшірмесі болуы мүмкін",
        "Кілттің санауышы кері кетті. Басқа жолмен кіріп, осы кілтті өшіріңіз және сот әкімшісіне айтыңыз.",
    ),
    (
        "Возможно, у ключа есть копия",
        "Счётчик ключа пошёл назад. Войдите другим способом, удалите этот ключ и сообщите администратору суда.",
    ),
    (
        "There may be a copy of this passkey",
        "Its counter went backwards. Sign in another way, remove this passkey, and tell the court's administrator.",
    ),
)
BAD_SIGNATURE = Kind(
    400,
    "AUTH-017",
    (
        "Қолтаңба сәйкес емес",
        "Қолтаңба басқа мәтінге қойылған, өзгертілген не файл қолтаңба емес. Жаңа мәтінге қол қойыңыз.",
    ),
    ("Подпись не подошла", "Подпись стоит под другим текстом, изменена, или файл не подпись. Подпишите новый текст."),
    (
        "The signature does not hold",
        "The signature is over another text, was altered, or the file is none. Sign the new text.",
    ),
    own=True,
)
BAD_CERTIFICATE = Kind(
    400,
    "AUTH-018",
    (
        "Сертификат қабылданбады",
        "Сертификаттың мерзімі өткен, қайтарып алынған, қол қоюға арналмаған, ЖСН-сіз не орталығы мұнда танылмайды.",
    ),
    (
        "Сертификат не принят",
        "Сертификат просрочен, отозван, не для подписи, без ИИН или выдан центром, который здесь не признан.",
    ),
    (
        "The certificate is not accepted",
        "It has expired, was revoked, is not for signatures, names no IIN, or its authority is not known here.",
    ),
    own=True,
)
CANNOT_VERIFY = Kind(
    400,
    "AUTH-019",
    (
        "Қолтаңба мұнда тексерілмейді",
        "Қолтаңбада ГОСТ алгоритмдері бар. RSA кілтімен қол қойыңыз не құпиясөзбен кіріңіз.",
    ),
    ("Эту подпись здесь не проверить", "В подписи алгоритмы ГОСТ. Подпишите ключом RSA или войдите по паролю."),
    (
        "This signature cannot be verified here",
        "The signature takes GOST algorithms. Sign with an RSA key, or sign in with a password.",
    ),
)
VERIFIER_AWAY = Kind(
    503,
    "AUTH-020",
    (
        "Қолтаңба қазір тексерілмейді",
        "Құпиясөзбен кіріңіз немесе сәл кейін қайталаңыз. Қайталанса, әкімшіге айтыңыз.",
    ),
    ("Подпись сейчас не проверить", "Войдите по паролю или повторите позже. Если повторится, сообщите администратору."),
    (
        "Signatures cannot be verified now",
        "Sign in with a password, or try again shortly. If it happens again, tell the administrator.",
    ),
)
DENIED = Kind(
    403,
    "ACC-001",
    ("Рұқсат жоқ", "Бұл сізге ашық емес. Қолжетімділікті соттан сұраңыз."),
    ("Нет доступа", "Это вам не открыто. Запросите доступ у суда."),
    ("No access", "This is not open to you. Ask the court for access."),
)
NOT_FOUND = Kind(
    404,
    "ACC-002",
    ("Табылмады", "Мұндай бет немесе жазба жоқ. Мекенжайды тексеріңіз."),
    ("Не найдено", "Такой страницы или записи нет. Проверьте адрес."),
    ("Not found", "There is no such page or record. Check the address."),
)
GONE = Kind(
    410,
    "ACC-003",
    ("Жазба жойылған", "Сақтау мерзімі біткен соң жазба заңды тәртіппен жойылды. Жою актісі сотта."),
    (
        "Запись уничтожена",
        "Срок хранения истёк, запись уничтожена в установленном порядке. Акт хранится в суде.",
    ),
    (
        "The recording was destroyed",
        "Its term was over and it was destroyed by rule. The court has the record of that.",
    ),
)
BAD_INPUT = Kind(
    400,
    "REQ-001",
    ("Сұрау дұрыс емес", "Сұрауды осылай орындау мүмкін емес. Енгізгеніңізді тексеріңіз."),
    ("Неверный запрос", "Так выполнить запрос нельзя. Проверьте введённое."),
    ("Bad request", "The request cannot be done as asked. Check what was entered."),
    own=True,
)
INVALID = Kind(
    422,
    "REQ-002",
    ("Деректер дұрыс емес", "Бір немесе бірнеше мәннің түрі қате."),
    ("Неверные данные", "Одно или несколько значений не того вида."),
    ("Invalid data", "One or more values are not of the right form."),
)
TOO_LARGE = Kind(
    413,
    "REQ-003",
    ("Сұрау тым үлкен", "Жіберілген дерек рұқсат етілген көлемнен асады."),
    ("Запрос слишком велик", "Присланное больше допустимого."),
    ("Request too large", "What was sent is over the limit."),
)
METHOD = Kind(
    405,
    "REQ-004",
    ("Әдіс қолданылмайды", "Бұл мекенжай мұндай әрекетті қолдамайды."),
    ("Метод не поддерживается", "Этот адрес не знает такого действия."),
    ("Method not allowed", "This address does not know that method."),
)
RANGE = Kind(
    416,
    "REQ-005",
    ("Аралық жоқ", "Сұралған бөлік файлдың шегінен тыс."),
    ("Такого участка нет", "Запрошенный участок вне файла."),
    ("Range not satisfiable", "The range asked for lies outside the file."),
)
CONFLICT = Kind(
    409,
    "REQ-006",
    ("Қазір мүмкін емес", "Күйі өзгерген. Бетті жаңартып, қайталаңыз."),
    ("Сейчас нельзя", "Состояние изменилось. Обновите страницу и повторите."),
    ("Not now", "The state has changed. Reload and try again."),
    own=True,
)
OUTDATED = Kind(
    412,
    "REQ-007",
    ("Басқа біреу өзгертіпті", "Оны сізден бұрын басқа адам өзгерткен. Бетті жаңартып, қайталаңыз."),
    ("Это уже изменил другой", "Пока вы смотрели, это изменил другой человек. Обновите страницу и повторите."),
    ("Somebody else has changed it", "It was changed since you looked at it. Reload and try again."),
)
UNCONDITIONAL = Kind(
    428,
    "REQ-008",
    ("Нұсқасы көрсетілмеген", "Сұрау нені өзгертетінін айтпайды. Бетті жаңартыңыз."),
    ("Не указана версия", "Запрос не говорит, что именно он меняет. Обновите страницу."),
    ("The version is missing", "The request does not say what it changes: send the ETag as If-Match."),
)
BAD_EMAIL = Kind(
    400,
    "REQ-009",
    ("Электрондық пошта мекенжайы жарамсыз", "Мекенжайды name@example.kz түрінде жазыңыз."),
    ("Неверный адрес электронной почты", "Запишите адрес в виде name@example.kz."),
    ("This is no e-mail address", "Write it as name@example.kz."),
)
BAD_PHONE = Kind(
    400,
    "REQ-010",
    ("Телефон нөмірі жарамсыз", "Нөмірді +7 701 234 56 78 түрінде жазыңыз."),
    ("Неверный номер телефона", "Запишите номер в виде +7 701 234 56 78."),
    ("This is no telephone number", "Write it as +7 701 234 56 78."),
)
STALE = Kind(
    409,
    "TXT-001",
    ("Жолды басқа адам өзгертті", "Сіз өзгерткен жолды басқа адам да өзгертіпті. Оны қарап, қайта сақтаңыз."),
    ("Строку изменил другой", "Строку, которую вы изменили, изменил и другой. Посмотрите её и сохраните снова."),
    (
        "Somebody else changed a line",
        "Somebody else has changed a line that you changed too. Look at it and save again.",
    ),
)
UNAVAILABLE = Kind(
    503,
    "SRV-001",
    ("Уақытша қолжетімсіз", "Мұрағат қазір жауап бермейді. Сәл кейін қайталаңыз."),
    ("Временно недоступно", "Архив сейчас не отвечает. Повторите немного позже."),
    ("Temporarily unavailable", "The archive does not answer now. Try again shortly."),
)
BROKEN = Kind(
    500,
    "SRV-002",
    ("Сервердегі қате", "Қате жазылып алынды. Қайталанса, сұрау нөмірін әкімшіге айтыңыз."),
    ("Ошибка сервера", "Ошибка записана. Если повторится, сообщите администратору номер запроса."),
    ("Server error", "The error has been logged. If it happens again, tell the administrator the request id."),
)

# The first class of an error's line of descent that stands here decides.
KINDS: dict[type[BaseException], Kind] = {
    NoSession: NO_SESSION,
    Unfinished: UNFINISHED,
    Forged: FORGED,
    TooLarge: TOO_LARGE,
    Unconditional: UNCONDITIONAL,
    Outdated: OUTDATED,
    errors.NotSignedIn: SIGN_IN,
    errors.Throttled: THROTTLED,
    errors.Declined: DECLINED,
    errors.BadReply: BAD_REPLY,
    errors.BadSignature: BAD_SIGNATURE,
    errors.BadCertificate: BAD_CERTIFICATE,
    errors.CannotVerify: CANNOT_VERIFY,
    errors.NoAccount: NO_ACCOUNT,
    errors.NoRole: NO_ROLE,
    errors.Denied: DENIED,
    errors.Gone: GONE,
    errors.NotFound: NOT_FOUND,
    errors.WrongCode: WRONG_CODE,
    errors.CopiedPasskey: COPIED_PASSKEY,
    errors.WrongPasskey: WRONG_PASSKEY,
    errors.WrongPassword: WRONG_PASSWORD,
    errors.PoorPassword: POOR_PASSWORD,
    errors.BadEmail: BAD_EMAIL,
    errors.BadPhone: BAD_PHONE,
    errors.BadInput: BAD_INPUT,
    errors.Damaged: BAD_INPUT,
    Stale: STALE,
    errors.NotRecent: NOT_RECENT,
    errors.Conflict: CONFLICT,
    errors.StoreRefused: BROKEN,
    errors.ProviderAway: PROVIDER_AWAY,
    errors.VerifierAway: VERIFIER_AWAY,
    errors.Unavailable: UNAVAILABLE,
    errors.Misconfigured: UNAVAILABLE,
    errors.TyndauError: BROKEN,
    PoolExhausted: UNAVAILABLE,
}
_BY_STATUS = {kind.status: kind for kind in (NOT_FOUND, METHOD, TOO_LARGE, BAD_INPUT, DENIED)}


def kind_of(error: BaseException) -> Kind:
    """The sort of problem an error is."""
    return next((KINDS[cls] for cls in type(error).__mro__ if cls in KINDS), BROKEN)


def _code_of(kind: Kind) -> str:
    """What the log says of a problem of ours."""
    return {PROVIDER_AWAY: "API-004", VERIFIER_AWAY: "API-006", UNAVAILABLE: "API-001"}.get(kind, "API-002")


def language_of(accept_language: str) -> str:
    """The first of kk, ru, en by the weights of Accept-Language (RFC 9110, 12.5.4); ru when none is asked for."""
    wanted: list[tuple[float, str]] = []
    for part in accept_language[:200].split(","):
        tag, _, parameter = part.strip().partition(";")
        name, _, value = parameter.strip().partition("=")
        try:
            weight = float(value) if name == "q" else 1.0
        except ValueError:
            weight = 0.0
        primary = tag.lower().split("-")[0]
        if primary in LANGUAGES and weight > 0:
            wanted.append((weight, primary))
    return max(wanted, key=lambda one: one[0])[1] if wanted else "ru"


def request_id(request: Request) -> str:
    """The id of this request, as its reply and the log name it."""
    return str(request.scope.get("tyndau.request_id", ""))


def problem(
    kind: Kind, request: Request, error: BaseException | None = None, fields: list[str] | None = None
) -> Response:
    """The reply for a problem."""
    language = language_of(request.headers.get("accept-language", ""))
    title, detail = kind.words(language)
    if kind.own and language == "en" and error is not None and str(error):
        detail = str(error)
    body: dict[str, Any] = {
        "type": f"urn:tyndau:problem:{kind.code}",
        "title": title,
        "status": kind.status,
        "detail": detail,
        "code": kind.code,
        "instance": f"urn:tyndau:request:{request_id(request)}",
    }
    if fields is not None:
        body["fields"] = fields
    if isinstance(error, Stale):
        body["lines"] = list(error.lines)
    headers = {"Content-Language": language, "Vary": "Accept-Language", "Cache-Control": "private, no-store"}
    if kind is TOO_LARGE:
        headers["Connection"] = "close"  # what is still coming is not read
    if kind.status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if isinstance(error, errors.Throttled):
        headers["Retry-After"] = str(error.retry_after_s)
    return JSONResponse(body, kind.status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answer every error of this application with a problem."""

    def ours(request: Request, error: Exception) -> Response:
        kind = kind_of(error)
        if kind.status >= 500:
            report(log, _code_of(kind), error=type(error).__name__, said=str(error)[:300], request=request_id(request))
        return problem(kind, request, error)

    def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
        fields = [".".join(map(str, one["loc"])) for one in error.errors()]
        return problem(INVALID, request, fields=fields)

    def starlettes(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
        if isinstance(error.__cause__, errors.TyndauError):  # of ours, met while the framework read the body
            return ours(request, error.__cause__)
        reply = problem(_BY_STATUS.get(error.status_code, BAD_INPUT), request)
        for name, value in (error.headers or {}).items():
            reply.headers[name] = value
        return reply

    app.add_exception_handler(errors.TyndauError, ours)
    app.add_exception_handler(PoolExhausted, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, starlettes)
