/**
 * The shapes of the API (`/api/v1`). Times ending in `_utc` are ISO 8601 with `Z`; `_ms` are whole
 * milliseconds on a recording's time line, from its zero.
 */

export type Language = 'kk' | 'ru' | 'en';
export type Role = 'operator' | 'secretary' | 'judge' | 'party' | 'admin' | 'archivist' | 'auditor';

export interface Me {
  id: string;
  username: string;
  display_name: string;
  role: Role;
  language: Language;
  csrf_token: string;
  /** What is left to do before anything opens. */
  step: Step | null;
  /** Signed in at the provider. */
  by_provider: boolean;
  /** Signed in there or by a signature; there may be no password here. */
  without_password: boolean;
  /** By what the second factor is given, or can be set up. */
  ways: Way[];
}

/** Where one can sign in too; `there` false: nowhere. */
export interface Provider extends Named {
  there: boolean;
}

/** Whether one can sign in by an electronic signature; `gost`: by one with GOST algorithms too. */
export interface SignatureWay {
  there: boolean;
  gost: boolean;
}

/** A text that is to be signed as it is. */
export interface ToSign {
  text: string;
  until_utc: string;
}

/** What the provider's address brought back. */
export interface ProviderReply {
  state: string;
  code?: string;
  error?: string;
  iss?: string;
}

export type Step = 'second_factor' | 'password' | 'enrol' | 'terms';

export interface Terms {
  version: string;
  kk: string;
  ru: string;
  en: string;
  accepted_utc: string | null;
}

export type Way = 'authenticator' | 'passkey';

export interface SecondFactor {
  enrolled: boolean;
  required: boolean;
  recovery_codes_left: number;
  authenticator: boolean;
  passkeys: Passkey[];
  /** Whether browsers know passkeys at this address. */
  passkeys_possible: boolean;
}

export interface Passkey {
  id: string;
  name: string;
  created_utc: string;
  used_utc: string | null;
}

interface Descriptor {
  id: string;
  type: 'public-key';
  transports?: string[];
}

/** What a browser is asked about passkeys (JSON of WebAuthn); what is not named here goes through as it is. */
export interface PasskeyOptions {
  challenge: string;
  user?: { id: string; name: string; displayName: string };
  excludeCredentials?: Descriptor[];
  allowCredentials?: Descriptor[];
}

export interface PasskeyMade {
  id: string;
  rawId: string;
  type: 'public-key';
  response: { clientDataJSON: string; attestationObject: string; transports: string[] };
}

export interface PasskeySigned {
  id: string;
  rawId: string;
  type: 'public-key';
  response: { clientDataJSON: string; authenticatorData: string; signature: string };
}

/** A second factor as it is given; empty where there is none to give. */
export type Proof = { code?: string } | { passkey: PasskeySigned };

/** `qr`: rows of 0 and 1, without the quiet border. */
export interface Enrolment {
  secret: string;
  uri: string;
  qr: string[];
}

/** A second factor is set up; `recovery_codes` are shown only now. */
export interface Enrolled {
  me: Me;
  recovery_codes: string[];
}

export interface Device {
  id: string;
  created_utc: string;
  used_utc: string;
  address: string;
  client: string;
  current: boolean;
}

/** An RFC 9457 problem; `title` and `detail` come in the caller's language. */
export interface Problem {
  type?: string;
  title: string;
  status: number;
  detail?: string;
  code?: string;
}

export interface Named {
  name_kk: string;
  name_ru: string;
  name_en: string;
}

export interface RoleNamed {
  role_kk: string;
  role_ru: string;
  role_en: string;
}

export interface Court extends Named {
  id: string;
}

export interface Courtroom extends Named {
  id: string;
  code: string;
}

export type HearingState = 'scheduled' | 'recording' | 'paused' | 'processing' | 'ready' | 'cancelled';
export type HearingClass = 'open' | 'closed' | 'sealed';
export type CaseKind = 'civil' | 'criminal' | 'administrative';
export type Deed =
  | 'view'
  | 'read'
  | 'start'
  | 'stop'
  | 'bundle'
  | 'seal'
  | 'unseal'
  | 'ask'
  | 'requests'
  | 'grant'
  | 'emergency'
  | 'confirm'
  | 'summoned'
  | 'summon';

export type Wants = 'access' | 'copy' | 'emergency';
export type RequestState = 'waiting' | 'granted' | 'refused' | 'withdrawn';

/** What was given to a person beside what the role gives; `holds`: it is good now. */
export interface Grant {
  id: string;
  actions: Deed[];
  ground: string;
  by: string;
  created_utc: string;
  until_utc: string;
  revoked_utc: string | null;
  revoked_ground: string | null;
  holds: boolean;
}

/** What somebody asks the court for; `mine`: I do. */
export interface CourtRequest {
  id: string;
  hearing: string;
  case_number: string;
  /** Null where it is not mine to know. */
  case_title: string | null;
  scheduled_utc: string;
  mine: boolean;
  name: string;
  username: string;
  wants: Wants;
  reason: string;
  state: RequestState;
  created_utc: string;
  decided_utc: string | null;
  decided_by: string | null;
  ground: string | null;
  grant: Grant | null;
}

export interface RequestPage extends Page<CourtRequest> {
  /** How many wait for my decision. */
  waiting: number;
}

export interface Participant {
  name: string;
  role: string;
  channel: string | null;
}

export interface RecordingSummary {
  id: string;
  state: 'open' | 'closed' | 'receipted';
  started_utc: string;
  duration_ms: number | null;
}

export interface Hearing {
  id: string;
  case: { id: string; number: string; kind: CaseKind; title: string };
  court: Court;
  courtroom: Courtroom;
  scheduled_utc: string;
  class: HearingClass;
  state: HearingState;
  judge: string | null;
  participants: Participant[];
  recordings: RecordingSummary[];
  may: Deed[];
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface Channel extends RoleNamed {
  name: string;
}

export interface RecordingSource {
  name: string;
  kind: 'camera' | 'audio';
  channels: Channel[];
}

export interface Gap {
  source: string;
  start_ms: number;
  end_ms: number;
  cause: string;
}

export interface Pause {
  start_ms: number;
  end_ms: number;
  reason: string;
}

export interface HearingEvent {
  at_ms: number;
  code: string;
  text: string;
}

/** One sound to listen to: `mix`, or a microphone such as `mics/judge`. */
export interface AudioRendition {
  id: string;
  source: string;
  channel: string | null;
  playlist: string;
  peaks: string | null;
}

export interface Media {
  master: string;
  video: { source: string; name: string; thumbnails: string | null }[];
  audio: AudioRendition[];
  poster: string | null;
  thumbnails: string | null;
  subtitles: { language: 'kk' | 'ru' | 'und'; name: string; file: string }[];
}

/** A span that is not all for whoever asks; `end_ms` null: as long as the recording runs. */
export interface Withheld {
  start_ms: number;
  end_ms: number | null;
  class: 'closed' | 'sealed';
  picture: 'shown' | 'blurred' | 'black';
  sound: 'heard' | 'disguised' | 'silent';
}

export interface Mark extends Withheld {
  id: string;
  ground: string;
  by: string;
  role: string;
  created_utc: string;
  lifted_utc: string | null;
  lifted_by: string | null;
  lift_ground: string | null;
}

export type MarkAsked = Omit<Withheld, 'start_ms'> & { start_ms: number | null; ground: string };

export type ExportKind = 'mp4' | 'docx' | 'pdf';
export type ExportLanguage = 'kk' | 'ru' | 'en';

/** A film or a text that is made for me; `file` once it is ready. */
export interface Export {
  id: string;
  kind: ExportKind;
  language: ExportLanguage;
  camera: string | null;
  state: 'waiting' | 'ready' | 'failed';
  outdated: boolean;
  progress: number;
  size: number | null;
  sha256: string | null;
  file: string | null;
  requested_utc: string;
  expires_utc: string;
}

export interface Recording {
  id: string;
  hearing: Hearing;
  state: 'open' | 'closed' | 'receipted';
  started_utc: string;
  ended_utc: string | null;
  duration_ms: number | null;
  live: boolean;
  sources: RecordingSource[];
  segments: number;
  gaps: Gap[];
  pauses: Pause[];
  events: HearingEvent[];
  media: Media | null;
  /** To be played while there is no `media`: it grows as long as the recording runs. */
  live_media: Media | null;
  withheld: Withheld[];
  /** `progress`: how far the final text of a long recording is. */
  transcript: { state: TextState; revision: string | null; progress: TextProgress | null };
  verified: { state: 'pending' | 'ok' | 'failed'; at_utc: string | null };
}

export interface Word {
  text: string;
  start_ms: number;
  end_ms: number;
  probability: number;
}

/** From the machine's draft to what the judge has signed. */
export type TextState = 'none' | 'draft' | 'final' | 'edited' | 'certified' | 'signed';

export interface Utterance extends RoleNamed {
  id: string;
  seq: number;
  /** The revision in which the line appeared in this form. */
  since: number;
  confirmed: boolean;
  start_ms: number;
  end_ms: number;
  channel: string;
  language: 'kk' | 'ru' | 'unknown';
  text: string;
  words: Word[];
  flags: string[];
  language_confidence: number | null;
}

export interface TextProgress {
  done_ms: number;
  total_ms: number;
  /** An estimate; null while nothing is known of the speed. */
  left_s: number | null;
}

/** Who stands by exactly this text. */
export interface Seal {
  name: string;
  at_utc: string;
  text_sha256: string;
}

export interface Transcript {
  recording: string;
  state: TextState;
  revision: string | null;
  certified: Seal | null;
  signed: Seal | null;
  utterances: Utterance[];
  withheld: Withheld[];
  next: string | null;
}

export interface Level {
  source: string;
  channel: string;
  rms_db: number;
  peak_db: number;
  speech: boolean;
  /** How long nobody has spoken at it; older agents do not say. */
  quiet_s?: number | null;
}

export interface Alarm {
  code: string;
  /** What it means and what to do, where the server adds it. */
  text_kk?: string;
  text_ru?: string;
  text_en?: string;
  since_utc: string;
  source: string | null;
  channel: string | null;
  detail?: string;
}

export interface SourceState {
  name: string;
  kind: 'camera' | 'audio';
  state: 'running' | 'starting' | 'down';
  run: number | null;
  segments: number;
  last_media_ms_ago: number | null;
  durable_ms_ago: number | null;
  video?: boolean;
  channels?: string[];
}

export interface CheckItem {
  what: string;
  name: string | null;
  state: 'waiting' | 'ok' | 'warn' | 'fail';
  /** What was found and what to do, by language. */
  says?: Partial<Record<Language, string>>;
  detail: string | null;
}

export interface Check {
  started_utc: string;
  done: boolean;
  ok: boolean;
  items: CheckItem[];
}

/** An event of the running hearing, as its chain has it; `seq` is the number of its line. */
export interface NotedEvent {
  seq: number;
  code: string;
  text: string;
  by: string;
  t: string;
  at_ms: number | null;
  undone: boolean;
  undoable?: boolean;
}

/** What is handed over when a recording has been closed. */
export interface Handover {
  recording: string;
  hearing: string | null;
  adhoc?: { case_number?: string | null; title?: string | null } | null;
  started_utc: string;
  ended_utc: string;
  length_ms: number;
  gaps: { source: string; from_utc: string; to_utc: string; cause: string }[];
  pauses_ms: number;
  alarms: (Pick<Alarm, 'code' | 'text_kk' | 'text_ru' | 'text_en'> & { count: number })[];
  events: number;
  segments: number;
  stored: number;
  receipted: boolean;
}

export interface Volume {
  free_bytes: number;
  hours_left: number | null;
  ok: boolean;
  used: boolean;
}

/** What an agent tells of its room; the optional parts come from agents that have a console. */
export interface AgentState {
  state: 'idle' | 'checking' | 'recording' | 'paused' | 'closing';
  reason?: string | null;
  /** Every source is on the disk and was read back: only then is "recording" said. */
  secured?: boolean;
  recording: string | null;
  hearing: string | null;
  adhoc?: { case_number?: string | null; title?: string | null } | null;
  started_utc: string | null;
  elapsed_ms?: number | null;
  mode?: 'open' | 'closed';
  sources: SourceState[];
  /** The sources that give a picture now. */
  pictures?: string[];
  levels: Level[];
  alarms: Alarm[];
  volumes?: Volume[];
  disk_free_bytes: number | null;
  hours_left?: number | null;
  backlog: number;
  backlog_age_s?: number | null;
  stored_segments?: number;
  online?: boolean;
  /** False where the room has no archive: everything stays on its machine. */
  archive?: boolean;
  clock_offset_ms: number | null;
  version: string;
  events?: NotedEvent[];
  check?: Check | null;
  handover?: Handover | null;
}

export interface Room {
  courtroom: Courtroom;
  agent: { online: boolean; seen_utc: string | null };
  state: AgentState | null;
  hearing: Hearing | null;
  recording: string | null;
}

export type CommandKind = 'start' | 'stop' | 'pause' | 'resume' | 'note';

export interface Command {
  kind: CommandKind;
  reason?: string;
  code?: string;
  text?: string;
}

export interface CommandState {
  id: string;
  state: 'waiting' | 'done' | 'failed';
  detail: string | null;
}

export interface SearchHit extends RoleNamed {
  utterance: string;
  recording: string;
  hearing: string;
  case_number: string;
  case_title: string;
  courtroom: Courtroom | string;
  scheduled_utc: string;
  start_ms: number;
  end_ms: number;
  word_start_ms: number | null;
  channel: string;
  language: 'kk' | 'ru' | 'unknown';
  text: string;
  highlights: [number, number][];
  draft: boolean;
}

export interface SearchAnswer {
  query: { terms: { term: string; forms: string[] }[] };
  total: number | null;
  items: SearchHit[];
  next: string | null;
}

export type StatisticsBy = 'court' | 'room' | 'month';

/** Days as `2026-09-30`; the last one included. */
export type StatisticsQuery = { from?: string; to?: string; court?: string; by?: StatisticsBy };

export interface Gaps {
  recorded_ms: number;
  count: number;
  missing_ms: number;
  missing_s_per_hour: number | null;
  causes: Record<string, { count: number; missing_ms: number }>;
}

export interface Wait {
  count: number;
  median_s: number | null;
  nine_of_ten_s: number | null;
}

/** The counts of a court, a room or a month; `code` is empty for all together. */
export interface StatisticsRow {
  code: string;
  court: string | null;
  name_kk: string | null;
  name_ru: string | null;
  name_en: string | null;
  hearings: {
    due: number;
    recorded: number;
    exempt: number;
    cancelled: number;
    not_recorded: Record<string, number>;
  };
  gaps: Gaps;
  published: Wait;
  written: Wait;
  texts: {
    texts: number;
    lines: number;
    unclear_lines: number;
    words: number;
    unclear_words: number;
    languages: Record<string, number>;
    revised: number;
    revised_lines: number;
    corrected_lines: number;
  };
  views: Partial<Record<Role, { view: number; read: number }>>;
}

export interface StoredSize {
  court: string;
  kind: 'evidence' | 'copies' | 'exports';
  class: string | null;
  bytes: number;
  before_bytes: number | null;
}

export interface Statistics {
  from: string;
  to: string;
  time_zone: string;
  by: StatisticsBy;
  total: StatisticsRow;
  rows: StatisticsRow[];
  storage: { day: string | null; before: string | null; items: StoredSize[] };
}
