"""Every warning and error that an operator may meet: code, level, and what to do, in three languages.

REC: recorder, UPL: upload, ROM: courtrooms as the centre sees them, ING: ingest, ASR: recognition,
PUB: access copies, API: web server, EMB: embedded servers, TSA: time stamps, AUD: audit log,
JOB: background jobs, KEP: keeping and destruction, SEC: access, CON: the courtroom's console, NTC: notices to people,
HOK: webhooks.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A stable code with its level and its text for the operator's page."""

    level: int
    kk: str
    ru: str
    en: str


CODES: dict[str, Code] = {}


def define(code: str, level: int, *, kk: str, ru: str, en: str) -> None:
    """Add a code; each stands once."""
    if code in CODES:
        raise ValueError(f"code {code} is defined twice")
    CODES[code] = Code(level, kk, ru, en)


define(
    "REC-001",
    logging.WARNING,
    kk="Көз тоқтады, жазба қайта басталуда. Кабель мен қуатты тексеріңіз.",
    ru="Источник остановился, запись запускается снова. Проверьте кабель и питание.",
    en="A source stopped and is being restarted. Check its cable and power.",
)
define(
    "REC-002",
    logging.ERROR,
    kk="Дискіде орын жоқ. Орын босатыңыз немесе басқа диск қосыңыз.",
    ru="На диске нет места. Освободите место или подключите другой диск.",
    en="The disk is full. Free some space or attach another disk.",
)
define(
    "REC-003",
    logging.ERROR,
    kk="Жазылған үзінді оқылмайды. Дискіні тексеріңіз.",
    ru="Записанный фрагмент не читается. Проверьте диск.",
    en="A written segment cannot be decoded. Check the disk.",
)
define(
    "REC-004",
    logging.WARNING,
    kk="Үзілген жазба табылып, жабылды.",
    ru="Найдена и закрыта прерванная запись.",
    en="An interrupted recording was found and closed.",
)
define(
    "REC-005",
    logging.ERROR,
    kk="Отырыс жазылмай тұр, жазуды бастау қайталануда. Дискідегі орын мен құрылғыларды тексеріңіз.",
    ru="Заседание не записывается, запуск повторяется. Проверьте место на диске и устройства.",
    en="A hearing is not being recorded though it should be; starting is retried. Check disk space and devices.",
)
define(
    "REC-024",
    logging.WARNING,
    kk="Камераның негізгі кадрлары тым сирек: файлдар ұзарады, тікелей көрсетілім кешігеді. Камера баптауында негізгі "
    "кадр аралығын 2 секундқа қойыңыз; келесі қосылуда сурет осында кодталады.",
    ru="Опорные кадры камеры слишком редки: файлы длиннее, прямой показ отстаёт. Задайте в камере интервал опорных "
    "кадров 2 с; со следующего подключения изображение кодируется здесь.",
    en="The camera's key frames are too far apart: files grow long, live view lags. Set its key frame interval to 2 s; "
    "from the next connection the picture is encoded here.",
)
define(
    "REC-025",
    logging.WARNING,
    kk="Баптауда аталған видеокарта кодтаушысы жұмыс істемейді; сурет процессормен кодталады. Драйверін және agent "
    "пайдаланушысының render тобын тексеріңіз.",
    ru="Указанный кодировщик видеокарты не работает; изображение кодирует процессор. Проверьте драйвер и группу render "
    "у пользователя агента.",
    en="The graphics card's encoder that is set does not work; the processor encodes the picture. Check its driver and "
    "that the agent's user is in the group render.",
)
define(
    "REC-006",
    logging.WARNING,
    kk="Жазба екінші дискіде жалғасуда: біріншісі толды немесе істен шықты. Бірінші дискіні босатыңыз не ауыстырыңыз.",
    ru="Запись идёт на второй диск: первый заполнен или отказал. Освободите или замените первый диск.",
    en="Recording goes on on the second disk: the first is full or has failed. Clear or replace the first disk.",
)
define(
    "REC-007",
    logging.ERROR,
    kk="Диск қате хабарлады. Жазба жалғасуда; дискіні тексеріп, отырыстан кейін ауыстырыңыз.",
    ru="Диск сообщил об ошибке. Запись продолжается; проверьте диск и замените его после заседания.",
    en="The disk reports an error. Recording goes on; examine the disk and replace it after the hearing.",
)
define(
    "REC-008",
    logging.WARNING,
    kk="Машинаның сағаты ауыстырылды. Жазбаның ұзақтығы мен реті өзгермейді; уақыт баптауын тексеріңіз.",
    ru="Часы машины переведены. Длительность и порядок записи не изменились; проверьте настройку времени.",
    en="The machine's clock was changed. Length and order of the record are unhurt; check how its time is set.",
)
define(
    "REC-010",
    logging.WARNING,
    kk="Микрофоннан сигнал мүлде келмейді. Қосулы екенін, кабелі мен батареясын тексеріңіз.",
    ru="С микрофона нет никакого сигнала. Проверьте, включён ли он, его кабель и батарею.",
    en="No signal at all comes from a microphone. Check that it is switched on, its cable and its battery.",
)
define(
    "REC-011",
    logging.WARNING,
    kk="Басқалар сөйлегенде бұл микрофон ештеңе естімейді. Қосулы екенін және кабелін тексеріңіз.",
    ru="Когда говорят другие, этот микрофон ничего не слышит. Проверьте, включён ли он, и его кабель.",
    en="While others speak this microphone hears nothing. Check that it is switched on, and its cable.",
)
define(
    "REC-012",
    logging.WARNING,
    kk="Микрофонның дыбысы тым күшті, бұрмаланып жазылуда. Пультте күшейтуін азайтыңыз.",
    ru="Звук микрофона слишком сильный и записывается с искажением. Уменьшите его усиление на пульте.",
    en="A microphone is too loud and is recorded distorted. Turn its gain down at the mixer.",
)
define(
    "REC-013",
    logging.WARNING,
    kk="Микрофоннан электр желісінің гуілі естіледі. Кабелін, қуат блогын және жерге қосылуын тексеріңіз.",
    ru="На микрофоне гул электросети. Проверьте кабель, блок питания и заземление.",
    en="A microphone hums with the mains. Check its cable, power supply and earth.",
)
define(
    "REC-014",
    logging.WARNING,
    kk="Екі микрофоннан бірдей дыбыс келеді. Кабельдерін және пульттегі арналарын тексеріңіз.",
    ru="Два микрофона дают один и тот же звук. Проверьте их кабели и каналы на пульте.",
    en="Two microphones give the same sound. Check their cables and channels at the mixer.",
)
define(
    "REC-015",
    logging.WARNING,
    kk="Камераның суреті өзгермейді. Залда қозғалыс болса, камераны өшіріп, қайта қосыңыз.",
    ru="Изображение камеры не меняется. Если в зале есть движение, выключите и снова включите камеру.",
    en="The camera's picture does not change. If people move in the room, switch the camera off and on.",
)
define(
    "REC-016",
    logging.WARNING,
    kk="Камераның суреті қара. Объективі ашық екенін және залда жарық барын тексеріңіз.",
    ru="Изображение камеры чёрное. Проверьте, открыт ли объектив и есть ли в зале свет.",
    en="The camera's picture is black. Check that its lens is open and that there is light in the room.",
)
define(
    "REC-017",
    logging.ERROR,
    kk="Көздің жазбасы дискіде өспей тұр. Дискіні және көзді тексеріңіз.",
    ru="Запись источника на диске не растёт. Проверьте диск и источник.",
    en="A source's record does not grow on the disk. Check the disk and the source.",
)
define(
    "REC-018",
    logging.WARNING,
    kk="Дискіде бірнеше сағаттық қана орын қалды. Орын босатыңыз немесе басқа диск қосыңыз.",
    ru="На диске осталось место лишь на несколько часов записи. Освободите место или подключите другой диск.",
    en="The disk has room for a few hours of recording only. Free some space or attach another disk.",
)
define(
    "REC-019",
    logging.WARNING,
    kk="Машинаның сағаты орталықтың уақытымен сәйкес емес. Күні мен уақытын тексеріңіз; жазба жалғаса береді.",
    ru="Часы машины расходятся с временем центра. Проверьте дату и время; запись продолжается.",
    en="The machine's clock differs from the centre's. Check its date and time; recording goes on.",
)
define(
    "REC-021",
    logging.ERROR,
    kk="Залда сөйлеп жатыр, бірақ ештеңе жазылып жатқан жоқ. Отырыс басталса, жазбаны бастаңыз.",
    ru="В зале говорят, но ничего не записывается. Если заседание началось, начните запись.",
    en="People speak but nothing is recorded. If the hearing has begun, start recording.",
)
define(
    "REC-022",
    logging.ERROR,
    kk="Отырыстың уақыты өтті, бірақ ол жазылып жатқан жоқ. Жазбаны бастаңыз немесе кейінге қалдырылғанын белгілеңіз.",
    ru="Время заседания прошло, но оно не записывается. Начните запись или отметьте, что оно отложено.",
    en="A hearing's time has passed but it is not recorded. Start recording, or have it marked as postponed.",
)
define(
    "REC-023",
    logging.WARNING,
    kk="Алдын ала тексеру сәтсіз аяқталды. Тізімдегі қызыл жолдарды түзетіп, қайта тексеріңіз.",
    ru="Предварительная проверка не пройдена. Устраните отмеченное красным и проверьте ещё раз.",
    en="The check before the hearing failed. Mend what is marked red and check again.",
)
define(
    "UPL-001",
    logging.WARNING,
    kk="Мұрағатқа қосылу мүмкін емес; жазба осы машинада сақталуда, жіберу қайталанады.",
    ru="Архив недоступен; запись хранится на этой машине, отправка повторяется.",
    en="The archive cannot be reached; the recording is kept on this machine and sending is retried.",
)
define(
    "UPL-002",
    logging.WARNING,
    kk="Жазба мұрағатқа тым ұзақ кезекте тұр; ол осы машинада сақталуда. Желі мен жіберу жылдамдығын тексеріңіз.",
    ru="Запись слишком долго ждёт отправки в архив; она хранится на этой машине. Проверьте сеть и её скорость.",
    en="The recording has waited too long for the archive; it is kept on this machine. Check the network.",
)
define(
    "UPL-003",
    logging.ERROR,
    kk="Орталық бұл машинаны қабылдамайды; жазу жалғасуда. Әкімшіге айтып, машинаны қайта тіркеңіз.",
    ru="Центр не принимает эту машину; запись продолжается. Сообщите администратору и зарегистрируйте её заново.",
    en="The centre refuses this machine; recording goes on. Tell the administrator and enrol it again.",
)
define(
    "UPL-004",
    logging.ERROR,
    kk="Мұрағат түбіртегі осы жазбаға сәйкес емес; мұнда ештеңе өшірілмейді. Әкімшімен кілттерді салыстырыңыз.",
    ru="Квитанция архива не подходит к этой записи; здесь ничего не удаляется. Сообщите администратору, сверьте ключи.",
    en="The archive's receipt does not fit this recording; nothing is deleted here. Compare the keys.",
)
define(
    "UPL-005",
    logging.ERROR,
    kk="Осы машинадағы үзінді жазылғанымен сәйкес емес немесе оқылмайды; ол жіберілмейді. Дискіні ауыстырыңыз.",
    ru="Фрагмент на этой машине не тот, что был записан, или не читается; он не отправлен. Проверьте и замените диск.",
    en="A segment on this machine is not what was recorded or cannot be read; it was not sent. Check the disk.",
)
define(
    "UPL-006",
    logging.WARNING,
    kk="Мұрағат кілті алғаш рет көрініп, бекітілді. Оның іздік белгісін әкімшімен салыстырыңыз.",
    ru="Ключ архива встречен впервые и закреплён. Сверьте его отпечаток с администратором.",
    en="The archive's key was seen for the first time and pinned. Compare its fingerprint with the administrator.",
)
define(
    "UPL-007",
    logging.ERROR,
    kk="Қойма жазба үзіндісін қабылдамады; ол осы машинада сақталуда. Агенттің қоймадағы тіркелгісін тексеріңіз.",
    ru="Хранилище не приняло фрагмент записи; он хранится на этой машине. Проверьте учётную запись агента в хранилище.",
    en="The store refuses a segment; it is kept on this machine. Check the agent's account at the store.",
)
define(
    "ASR-001",
    logging.WARNING,
    kk="Бұл тану моделі үшін тіл таңдау теңшелмеген; қазақша мен орысша шатасуы мүмкін: tyndau bench language.",
    ru="Выбор языка для этой модели не откалиброван: казахский и русский можно спутать. См. tyndau bench language.",
    en="The choice of language is not calibrated for this model: Kazakh may pass for Russian: tyndau bench language.",
)
define(
    "ASR-002",
    logging.WARNING,
    kk="Дыбыс үзіндісін оқу мүмкін болмады; мәтінде бұл жер бос қалады.",
    ru="Фрагмент звука не удалось прочесть; в тексте это место останется пустым.",
    en="A piece of sound could not be read; the text is empty there.",
)
define(
    "JOB-001",
    logging.ERROR,
    kk="Фондық тапсырма бірнеше әрекеттен кейін тоқтатылды. Себебін жойып, қайта іске қосыңыз.",
    ru="Фоновое задание остановлено после нескольких попыток. Устраните причину и запустите его снова.",
    en="A background job was parked after several attempts. Mend the cause and run it again.",
)
define(
    "JOB-002",
    logging.WARNING,
    kk="Жұмысшы үдеріс өз тапсырмасының ортасында үзілді; тапсырма қайта кезекке қойылды.",
    ru="Рабочий процесс оборвался посреди задания; задание снова поставлено в очередь.",
    en="A worker died in the middle of a job; the job was queued again.",
)
define(
    "JOB-003",
    logging.WARNING,
    kk="Жұмысшы үдерістің мерзімді жұмысы (уақыт белгілері, аудит журналы) орындалмай тұр; әрекет қайталанады.",
    ru="Регулярная работа рабочего процесса (метки времени, журнал аудита) не удаётся; попытки повторяются.",
    en="A worker's regular work (time stamps, audit log) fails; it is tried again. See the detail.",
)
define(
    "JOB-004",
    logging.WARNING,
    kk="Жұмысшы үдеріс оқшауланбаған ортада жұмыс істейді (bubblewrap жоқ). Қажет болса, оны орнатыңыз.",
    ru="Рабочий процесс работает без изолированной среды (нет bubblewrap). При необходимости установите его.",
    en="The worker runs without a sandbox, as there is no bubblewrap here. Install it where that matters.",
)
define(
    "AUD-001",
    logging.ERROR,
    kk="Аудит журналы қоймада мөрленгенге сәйкес келмейді. «tyndau audit verify» орындап, себебін анықтаңыз.",
    ru="Журнал аудита не совпадает с опечатанным в хранилище. Выполните «tyndau audit verify» и выясните причину.",
    en="The audit log is not as it lies sealed in the store. Run: tyndau audit verify, and find out why.",
)
define(
    "ING-001",
    logging.ERROR,
    kk="Қоймадағы үзінді жазылғанымен сәйкес келмейді. Жазба мен түпнұсқаны сақтап, тексеріңіз.",
    ru="Сохранённый фрагмент не совпадает с записанным. Сохраните запись и оригинал и проверьте.",
    en="A stored segment is not what was recorded. Keep the recording and the original, and examine it.",
)
define(
    "ING-002",
    logging.WARNING,
    kk="Жазба белгісіз немесе басқа залдың отырысын атайды; ол отырысқа тіркелмеді.",
    ru="Запись называет неизвестное заседание или заседание другого зала; она не привязана к заседанию.",
    en="A recording names an unknown hearing or one of another courtroom; it was not assigned to a hearing.",
)
define(
    "ARC-001",
    logging.ERROR,
    kk="Бұрын бүтін болған жазбаның қоймадағы байттары бүлінген. Көшірмесінен қалпына келтіріп, қойманы тексеріңіз.",
    ru="В хранилище испорчены байты записи, которая была цела. Восстановите их из копии и проверьте хранилище.",
    en="Stored bytes of a recording that was whole are spoilt. Restore them from a copy, and examine the store.",
)
define(
    "ARC-002",
    logging.ERROR,
    kk="Екінші алаңда бір тәуліктен артық көшірмесі жоқ жазбалар бар. Оның қоймасын және желіні тексеріңіз.",
    ru="У второй площадки больше суток нет копий некоторых записей. Проверьте её хранилище и сеть.",
    en="The second site has lacked copies of recordings for more than a day. Look at its store and the network.",
)
define(
    "EMB-001",
    logging.ERROR,
    kk="Кіріктірілген сервер тоқтап қалды. Журналын қарап, Tyndau-ды қайта іске қосыңыз.",
    ru="Встроенный сервер остановился. Посмотрите его журнал и запустите Tyndau снова.",
    en="An embedded server ended by itself. Look at its log and start Tyndau again.",
)
define(
    "TSA-001",
    logging.WARNING,
    kk="Уақыт белгісі орталығының жауабы жарамсыз; ол сақталмады, сұрау қайталанады. Мекенжайы мен куәлігін қараңыз.",
    ru="Ответ центра меток времени негоден; метка не сохранена, запрос повторится. Проверьте его адрес и сертификат.",
    en="The time stamp authority's answer does not hold; it was not kept, it is asked again. Check its address and CA.",
)
define(
    "PUB-001",
    logging.WARNING,
    kk="Жазба үзіндісі көшірмеге енбеді: түпнұсқасы жоқ, өзгерген немесе оқылмайды. Мұрағатты тексеріңіз.",
    ru="Фрагмент записи не вошёл в копию для просмотра: оригинала нет, он изменён или не читается. Проверьте архив.",
    en="A segment is missing from the access copies: the original is absent, altered or unreadable. Check the archive.",
)
define(
    "KEP-001",
    logging.ERROR,
    kk="Қойма жазбаның сақтау мерзімін немесе тыйымын орната алмады; қайталанады. Көріңіз: tyndau storage verify-worm",
    ru="Хранилище не приняло срок или запрет уничтожения записи; повторяется. Проверьте: tyndau storage verify-worm",
    en="The store did not take a recording's term or legal hold; it is tried again. See: tyndau storage verify-worm",
)
define(
    "KEP-002",
    logging.WARNING,
    kk="Жазбаның ісіне сақтау сыныбы жоқ: ол жойылмайды, мерзімі ұзартылмайды. Сынып қосыңыз: tyndau retention set",
    ru="Для дела этой записи нет класса хранения: её не уничтожат и срок не продлят. Добавьте: tyndau retention set",
    en="No retention class fits a recording's case: it gets no term and is never destroyed. See: tyndau retention set",
)
define(
    "KEP-003",
    logging.WARNING,
    kk="Мақұлданған жою басталмады: тыйым, мерзім немесе түбіртек қарсы. Себебін қараңыз: tyndau destroy list",
    ru="Одобренное уничтожение не начато: мешает запрет, срок или отсутствие расписки. Причина: tyndau destroy list",
    en="An approved destruction was not begun; a hold, the term or the receipt forbids it. See: tyndau destroy list",
)
define(
    "KEP-004",
    logging.ERROR,
    kk="Басталған жою аяқталмай тұр: қойма объектіні жоюдан бас тартты; қайталанады. Қоймадағы құлыптарды қараңыз.",
    ru="Начатое уничтожение не закончено: хранилище отказалось удалить объект; повторяется. Проверьте замки в нём.",
    en="A destruction has begun but the store refused to delete an object; it is tried again. See the store's locks.",
)
define(
    "API-001",
    logging.WARNING,
    kk="Дерекқор немесе қойма жауап бермейді; сұрауларға 503 жауабы беріледі. Олардың жұмысын тексеріңіз.",
    ru="База данных или хранилище не отвечает; на запросы отвечаем 503. Проверьте, работают ли они.",
    en="The database or the object store does not answer; requests get 503. Check that they run.",
)
define(
    "API-002",
    logging.ERROR,
    kk="Сұрау күтпеген қатемен аяқталды. Журналды сұрау нөмірімен бірге әзірлеушілерге жіберіңіз.",
    ru="Запрос закончился непредвиденной ошибкой. Передайте журнал с номером запроса разработчикам.",
    en="A request ended with an unforeseen error. Send the log with the request id to the developers.",
)
define(
    "API-003",
    logging.WARNING,
    kk="Дерекқор хабарламаларын тыңдау үзілді; тікелей беттер бірнеше секунд кешігеді. Байланыс қайта орнатылуда.",
    ru="Прервано слушание уведомлений базы; живые страницы отстают на несколько секунд. Связь восстанавливается.",
    en="Listening to the database was cut; live pages lag by seconds. The connection is being made anew.",
)
define(
    "API-004",
    logging.WARNING,
    kk="Сыртқы кіру жүйесі (OpenID Connect) жауап бермейді немесе баптауға сай емес; құпиясөзбен кіруге болады. Оның "
    "жұмысын және [oidc] баптауын тексеріңіз.",
    ru="Внешняя система входа (OpenID Connect) не отвечает или не соответствует настройке; вход по паролю работает. "
    "Проверьте её и раздел [oidc].",
    en="The other sign-in (OpenID Connect) does not answer, or not as the settings say; passwords still work. Check it "
    "and the section [oidc].",
)
define(
    "API-005",
    logging.WARNING,
    kk="Шұғыл жағдайда біреуге өз рөлі бермейтін жазба ашылды; екінші адам растады. Негізін тексеріңіз: "
    "/requests?show=all",
    ru="В неотложном случае открыта запись, которую роль не открывает; подтвердил второй человек. Проверьте основание: "
    "/requests?show=all",
    en="In an emergency a record was opened to a role that may not see it; a second person confirmed it. Check the "
    "ground: /requests?show=all",
)
define(
    "API-006",
    logging.WARNING,
    kk="Электрондық қолтаңбалар тексерілмей тұр: қайтарып алынған сертификаттар тізімі ескі не жоқ, немесе тексеруші "
    "сервер жауап бермейді; құпиясөзбен кіруге болады. [signature] баптауын және оның файлдарын тексеріңіз.",
    ru="Электронные подписи не проверяются: список отозванных сертификатов устарел или отсутствует, либо не отвечает "
    "сервер проверки; вход по паролю работает. Проверьте раздел [signature] и его файлы.",
    en="Electronic signatures are not verified: the list of revoked certificates is old or missing, or the verifier "
    "does not answer; passwords still work. Check the section [signature] and its files.",
)
define(
    "HOK-001",
    logging.WARNING,
    kk="Сыртқы жүйеге бір тәулік бойы хабарлау мүмкін болмады, хабарлау тоқтатылды. Жүйені тексеріңіз.",
    ru="Внешней системе не удалось сообщить о событии за сутки, попытки прекращены. Проверьте её.",
    en="Another system could not be told of an event for a day; it was given up. See: tyndau webhook log.",
)
define(
    "HOK-002",
    logging.WARNING,
    kk="Сыртқы жүйе хабарламалардан бас тартты (410), оған енді хабарланбайды.",
    ru="Внешняя система отказалась от уведомлений (410), ей больше не сообщается.",
    en="Another system wants to be told no more (410); its webhook is disabled.",
)
define(
    "HOK-003",
    logging.ERROR,
    kk="Бұл машинада webhook құпиялары ашылмайды. webhooks.key файлын көшіріңіз.",
    ru="На этой машине не открываются секреты уведомлений. Скопируйте сюда файл webhooks.key.",
    en="The secrets of webhooks cannot be opened on this machine. Copy webhooks.key to it.",
)
define(
    "CON-001",
    logging.ERROR,
    kk="Зал пульті ашылмай тұр; жазбаға әсері жоқ. agent.console_port пен PIN баптауын тексеріңіз.",
    ru="Пульт зала не открывается; на запись это не влияет. Проверьте настройки agent.console_port и PIN.",
    en="The room's console cannot be served; recording goes on. Check agent.console_port and the PIN.",
)
define(
    "CON-002",
    logging.WARNING,
    kk="Пульттің PIN коды бірнеше рет қате терілді. Кім кіруге тырысқанын анықтаңыз.",
    ru="PIN-код пульта несколько раз набран неверно. Выясните, кто пытался войти.",
    en="The console's PIN was entered wrongly several times. Find out who tried to get in.",
)
define(
    "ROM-001",
    logging.ERROR,
    kk="Залдағы машина жауап бермейді. Залға хабарласып, қуаты мен желісін тексеріңіз; жазба сонда жалғасуы мүмкін.",
    ru="Машина зала не отвечает. Свяжитесь с залом, проверьте питание и сеть; запись там может продолжаться.",
    en="The courtroom's machine does not answer. Call the room, check power and network; it may still be recording.",
)
define(
    "ROM-002",
    logging.ERROR,
    kk="Отырыстың уақыты өтті, бірақ ол жазылмай тұр. Жазуды бастаңыз немесе отырысты кейінге қалдырыңыз.",
    ru="Время заседания прошло, но оно не записывается. Начните запись или перенесите заседание.",
    en="A hearing's time has passed and it is not being recorded. Start recording or reschedule the hearing.",
)
define(
    "ROM-003",
    logging.ERROR,
    kk="Отырыс уақытында залда сөйлеп жатыр, бірақ ештеңе жазылмай тұр. Жазуды бастаңыз.",
    ru="Во время заседания в зале говорят, но ничего не записывается. Начните запись.",
    en="People speak in the room at a hearing's time and nothing is being recorded. Start recording.",
)
define(
    "NTC-001",
    logging.WARNING,
    kk="Пошта сервері не SMS шлюзі хабарламаларды қабылдамай тұр; қайталанады. Оны және [notices] баптауын тексеріңіз.",
    ru="Почтовый сервер или SMS-шлюз не принимает уведомления; отправка повторится. Проверьте его и раздел [notices].",
    en="The mail server or SMS gateway takes no notices; they are tried again. Check it, and the section [notices].",
)
