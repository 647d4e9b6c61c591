import type { ConsoleMessages } from './ru';

export const en: ConsoleMessages = {
  title: 'Room console',
  keys: 'Keys',
  unknownRoom: 'Courtroom',

  pinTitle: 'Courtroom console',
  pinIntro: 'Enter the PIN of this room.',
  pin: 'PIN',
  yourName: 'Your name',
  yourNameHint: 'They stand in the record beside your notes; you may leave them out.',
  pinEmpty: 'Enter the PIN.',
  pinWrong: 'The PIN is wrong. Ask the court administrator for it.',
  pinWait: (seconds) => `Too many wrong tries. Wait ${seconds} s.`,
  pinBroken: 'That did not work. Try again.',
  noPinTitle: 'No PIN is set yet',
  noPinText:
    'The console opens when the court administrator has set a PIN on this machine. Until then recording can be started from the centre.',
  noPinHow: 'Command for the administrator:',

  lostTitle: 'The recording service does not answer',
  lostText:
    'Connecting again. It usually comes back by itself within seconds and goes on with the hearing; the gap is stated in the record. If nothing has changed within a minute, call the court administrator.',
  lostSince: (time) => `No contact since ${time}`,
  lostState: 'State not known',

  starting: 'Starting',
  startingHint: 'Waiting until what was written has been read back from the disk.',
  notRecording: 'Nothing is being recorded now',
  closedPart: 'Closed part',
  beginClosed: 'Begin a closed part',
  endClosed: 'End the closed part',

  today: 'Today’s hearings',
  scheduleFrom: (time) => `List of ${time}`,
  scheduleNone: 'No hearing is listed for today.',
  scheduleOld: (time) =>
    `The list is old, of ${time}: there was no contact with the centre. Type a case that is not in it below.`,
  scheduleClash: 'Two hearings at the same time: make sure that you have chosen the right one.',
  adhoc: 'The hearing is not listed',
  caseNumber: 'Case number',
  caseTitle: 'Parties or subject',
  caseWithoutNumber: 'Case without a number',
  chooseFirst: 'Choose a hearing or enter the case number.',
  mode: 'Open or closed hearing',

  check: 'Check',
  checkAgain: 'Check again',
  checkTitle: 'Check before the hearing',
  checkHint:
    'Cameras, microphones, disk, clock, archive and a test recording of five seconds. Say a few words at each microphone.',
  checkOk: 'Everything is ready',
  checkFailed: 'Not everything is ready',
  checkFailedHint: 'You can start: everything that works will be recorded.',
  checkWhat: {
    source: 'Source',
    channel: 'Microphone',
    disk: 'Space on the disk',
    clock: 'Clock',
    archive: 'Contact with the archive',
    key: 'Signing key',
    test: 'Test recording',
  },
  checkState: { waiting: 'checking', ok: 'ready', warn: 'look at this', fail: 'failed' },
  start: 'Start recording',

  frozen: (time) => `Picture frozen ${time}`,
  black: 'Black picture',
  cameraDown: 'The camera does not work',
  noPicture: 'No picture yet',
  noCameras: 'This room has no cameras.',
  noMicrophones: 'No levels yet.',
  livePicture: (name) => `Now: camera ${name}`,

  silence: 'Silence',
  silenced: 'The alarm’s sound is off',
  allowSound: 'Allow the alarm to sound',

  otherReason: 'Other reason',
  pausedFor: {
    recess: 'Recess',
    deliberation: 'The court is deliberating',
    other: 'Recording is paused',
  },

  phase: 'Stage',
  phases: { opening: 'Opening', evidence: 'Evidence', debates: 'Debates', decision: 'Decision' },
  eventsOf: 'Events of the hearing',
  allEvents: 'Another event…',
  note: 'Note',
  noteHint: 'In your own words',
  add: 'Add',
  log: 'Log',
  logEmpty: 'No notes yet.',
  undo: 'Undo',
  undone: 'undone',
  pausedEvent: 'pause',

  hoursLeft: (hours) => `${hours} h left`,
  noNetwork:
    'No contact with the centre. Recording goes on and is kept here; it will go to the archive by itself.',
  noNetworkIdle:
    'No contact with the centre. You can record: all is kept here and goes to the archive by itself.',
  allStored: 'all stored',

  noArchive: 'kept on this machine',

  handoverTitle: 'The recording is closed',
  handoverLength: 'Length',
  handoverPauses: 'of it pauses',
  handoverGaps: 'Gaps',
  handoverNoGaps: 'No gaps',
  handoverAlarms: 'Alarms',
  handoverEvents: 'Notes',
  handoverUpload: 'In the archive',
  handoverOf: (stored, all) => `${stored} of ${all} segments`,
  handoverReceipted: 'The archive has confirmed that it has everything',
  handoverPending: 'Being sent to the archive. Do not switch the machine off',
  handoverDone: 'To the next hearing',

  failed: {
    start: 'Recording has not started',
    stop: 'Recording has not been finished',
    pause: 'Recording has not been paused',
    resume: 'Recording has not been resumed',
    note: 'The note was not made',
    undo: 'The note was not undone',
    check: 'The check has not started',
    dismiss: 'That did not work',
  },

  helpTitle: 'Help and keys',
  helpRows: {
    events: 'Events of the present stage',
    start: 'Start or resume recording',
    recess: 'Recess',
    deliberation: 'Deliberation',
    other: 'Pause for another reason',
    mode: 'Begin or end a closed part',
    note: 'Write a note',
    check: 'Check before the hearing',
    stop: 'To the button “Finish”: then Enter twice',
    undo: 'Undo the last note (10 s)',
  },
  helpText:
    'The red sign “Recording” is lit only when what was recorded lies on the disk and has been read back. Without a network everything works the same.',
};
