/**
 * One media element, driven on the recording's time line.
 *
 * hls.js brings picture and sound; listening to one microphone is a switch of the audio rendition.
 * Where nothing was recorded the media jumps; `position_ms` follows the time line and `skipped` says
 * what was jumped over.
 */
import type Hls from 'hls.js';
import { session } from '../lib/session.svelte';
import { spanAt, stretchesOf, toMedia_s, toRecording_ms, type Stretch } from '../lib/timeline';
import type { AudioRendition, Gap, Media, Pause, Recording, Withheld } from '../lib/types';

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3] as const;
/** A word is heard better with what leads into it. */
const PRE_ROLL_MS = 200;
/** A larger step forward than playing explains is a jump over a hole. */
const JUMP_MS = 700;
const SKIP_SHOWN_MS = 6000;
/** Behind a hole picture and sound begin at most this far apart. */
const SEAM_S = 0.5;
/** A moment further than this from any media lies in a hole. */
const IN_HOLE_MS = 150;
/** So far behind the end of a running recording's playlist: it grows by about 6 s at a time. */
const LIVE_BEHIND_S = 14;
/** Nearer to that end than this is live. */
const LIVE_WITHIN_MS = 26_000;
/** A running recording that cannot be played, or not yet, is asked for again. */
const LIVE_RETRY_MS = 3000;

/** Where to begin; without `ms` a running recording begins live, another one at its zero. */
export interface Beginning {
  ms: number | null;
  play?: boolean;
}

export type Hole =
  (Gap & { kind: 'gap' }) | (Pause & { kind: 'pause' }) | (Withheld & { kind: 'sealed'; end_ms: number });

export class Playback {
  position_ms = $state(0);
  playing = $state(false);
  /** It has come to its end, and nobody has gone on since. */
  ended = $state(false);
  waiting = $state(false);
  ready = $state(false);
  speed = $state(1);
  muted = $state(false);
  volume = $state(1);
  /** Id of the sound that is heard: `mix`, or one microphone's. */
  sound = $state('mix');
  camera = $state(0);
  /** Place of the language whose subtitles are shown, -1 for none. */
  subtitle = $state(-1);
  failure = $state<'media' | 'browser' | null>(null);
  skipped = $state<Hole | null>(null);

  holes = $state.raw<readonly Hole[]>([]);
  /** Up to where there is media now. */
  edge_ms = $state(0);
  /** What was played is not there any more: other copies have taken its place. */
  onGone: () => void = () => {};
  readonly #media: Media;
  readonly #zero_utc_ms: number;
  #stretches = $state.raw<Stretch[]>([]);
  #element: HTMLMediaElement | null = null;
  #hls: Hls | null = null;
  #wanted_ms: number | null;
  #playAtOnce: boolean;
  /** The person has gone into a hole: the position stays there until playing goes on behind it. */
  #inHole = false;
  #frame = 0;
  #skipTimer = 0;
  #retryTimer = 0;
  #recoveries = 0;

  constructor(
    readonly recording: Recording,
    media: Media,
    { ms, play = false }: Beginning,
    /** The recording has no access copies yet: the media grows. */
    readonly live = false,
  ) {
    this.#media = media;
    this.#zero_utc_ms = Date.parse(recording.started_utc);
    this.#wanted_ms = ms;
    this.#playAtOnce = play;
    this.position_ms = ms ?? 0;
    this.learn(recording.gaps, recording.pauses, recording.withheld);
  }

  /** What is known of gaps, pauses and sealed spans by now. */
  learn(
    gaps: readonly Gap[],
    pauses: readonly Pause[],
    withheld: readonly Withheld[] = this.recording.withheld,
  ): void {
    this.holes = [
      ...gaps.map((gap) => ({ ...gap, kind: 'gap' as const })),
      ...pauses.map((pause) => ({ ...pause, kind: 'pause' as const })),
      ...withheld.map((span) => ({
        ...span,
        kind: 'sealed' as const,
        end_ms: span.end_ms ?? this.recording.duration_ms ?? Number.MAX_SAFE_INTEGER,
      })),
    ].sort((a, b) => a.start_ms - b.start_ms);
  }

  get duration_ms(): number {
    return this.live ? this.edge_ms : (this.recording.duration_ms ?? 0);
  }

  /** Whether what plays is as near to the present as it can be. */
  get atLive(): boolean {
    return this.live && this.ready && this.edge_ms - this.position_ms < LIVE_WITHIN_MS;
  }

  get sounds(): AudioRendition[] {
    return this.#media.audio;
  }

  get cameras(): Media['video'] {
    return this.#media.video;
  }

  get subtitles(): Media['subtitles'] {
    return this.#media.subtitles;
  }

  /** Show the subtitles of a language, -1 for none; the browser draws them. */
  showSubtitles(place: number): void {
    this.subtitle = place;
    if (this.#hls) this.#hls.subtitleTrack = place;
  }

  /** The wall clock of the position, as UTC milliseconds. */
  get now_utc_ms(): number {
    return this.#zero_utc_ms + this.position_ms;
  }

  /** Why there is nothing to see at the position, if so. */
  get pictureHole(): Hole | undefined {
    const source = this.cameras[this.camera]?.source;
    return spanAt(
      this.holes.filter((hole) =>
        hole.kind === 'sealed' ? hole.picture === 'black' : hole.kind === 'pause' || hole.source === source,
      ),
      this.position_ms,
    );
  }

  /** Take over a media element; the returned function lets go of it. */
  attach(element: HTMLMediaElement): () => void {
    this.#element = element;
    const unlisten = this.#listen(element);
    void this.#open(element);
    return () => {
      unlisten();
      cancelAnimationFrame(this.#frame);
      window.clearTimeout(this.#skipTimer);
      window.clearTimeout(this.#retryTimer);
      this.#hls?.destroy();
      this.#hls = null;
      this.#element = null;
    };
  }

  toggle(): void {
    // The element knows at once; `playing` follows when its event comes.
    if (this.#element?.paused === false) this.#element.pause();
    else void this.play();
  }

  async play(): Promise<void> {
    try {
      await this.#element?.play();
    } catch {
      this.playing = false; // the browser wants a click first, or the source went away
    }
  }

  /** Go to a moment of the time line. */
  seek(ms: number): void {
    const wanted = Math.min(Math.max(0, ms), this.duration_ms || ms);
    this.skipped = null;
    this.position_ms = wanted;
    if (!this.#element || !this.ready) {
      this.#wanted_ms = wanted;
      return;
    }
    this.#go(wanted);
  }

  /** Go to the newest that can be played without waiting, and play. */
  toLive(): void {
    const last = this.#stretches.at(-1);
    if (!this.#element || !this.ready || !last) return;
    this.skipped = null;
    this.#inHole = false;
    const end_s = last.media_s + last.length_ms / 1000;
    this.#element.currentTime = this.#hls?.liveSyncPosition ?? Math.max(0, end_s - LIVE_BEHIND_S);
    void this.play();
  }

  /** Hear what is said at a moment. */
  hear(ms: number): void {
    this.seek(ms - PRE_ROLL_MS);
    void this.play();
  }

  /** Back or forward along what was recorded: holes do not count. */
  step(s: number): void {
    if (!this.#element) return;
    this.seek(toRecording_ms(this.#stretches, Math.max(0, this.#element.currentTime + s)));
  }

  changeSpeed(by: 1 | -1): void {
    const at = SPEEDS.indexOf(this.speed as (typeof SPEEDS)[number]);
    this.setSpeed(SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, at + by))]!);
  }

  setSpeed(speed: number): void {
    this.speed = speed;
    if (this.#element) this.#element.playbackRate = speed;
  }

  setMuted(muted: boolean): void {
    this.muted = muted;
    if (this.#element) this.#element.muted = muted;
  }

  setVolume(volume: number): void {
    this.volume = volume;
    if (this.#element) this.#element.volume = volume;
    if (volume > 0) this.setMuted(false);
  }

  /** Hear one sound: a microphone or the mix. Unknown ids change nothing. */
  listenTo(id: string): void {
    const sound = this.sounds.find((candidate) => candidate.id === id);
    if (!sound) return;
    this.sound = id;
    const wanted = new URL(sound.playlist, location.href).href;
    const index = this.#hls?.audioTracks.findIndex((track) => track.url === wanted) ?? -1;
    if (this.#hls && index >= 0) this.#hls.audioTrack = index;
  }

  watch(camera: number): void {
    this.camera = camera;
    if (this.#hls && this.#hls.levels.length > 1) this.#hls.nextLevel = this.#levelOf(camera);
  }

  /** Begin again after a failure, at the same place. */
  retry(): void {
    const element = this.#element;
    if (!element) return;
    this.#hls?.destroy();
    if (this.ready) {
      this.#wanted_ms = this.position_ms;
      this.#playAtOnce = this.playing;
    }
    this.failure = null;
    this.ready = false;
    void this.#open(element);
  }

  async #open(element: HTMLMediaElement): Promise<void> {
    const { default: HlsPlayer } = await import('hls.js');
    if (this.#element !== element) return;
    if (!HlsPlayer.isSupported()) {
      if (element.canPlayType('application/vnd.apple.mpegurl')) element.src = this.#media.master;
      else this.failure = 'browser';
      return;
    }
    const hls = new HlsPlayer({
      enableWorker: false, // fragmented MP4 needs no repackaging, so there is nothing to do in a worker
      backBufferLength: 120,
      maxBufferLength: 30,
      autoStartLoad: false,
      ...(this.live && { liveSyncDuration: LIVE_BEHIND_S }),
    });
    this.#hls = hls;
    const { Events, ErrorTypes } = HlsPlayer;
    hls.on(Events.MANIFEST_PARSED, () => {
      // Levels are cameras, not qualities: the choice is the person's, never the bandwidth's.
      if (hls.levels.length > 1) hls.startLevel = this.#levelOf(this.camera);
      hls.startLoad(this.live && this.#wanted_ms === null ? -1 : 0);
    });
    hls.on(Events.AUDIO_TRACKS_UPDATED, () => this.listenTo(this.sound));
    hls.on(Events.LEVEL_LOADED, (_event, { details }) => this.#map(details.fragments));
    if (this.live) hls.on(Events.LEVEL_UPDATED, (_event, { details }) => this.#map(details.fragments));
    hls.on(Events.AUDIO_TRACK_LOADED, (_event, { details }) => {
      if (!this.#stretches.length) this.#map(details.fragments);
    });
    hls.on(Events.ERROR, (_event, { fatal, type, response }) => {
      if (response?.code === 401) session.end();
      if (!fatal) return;
      if (response?.code === 404 && !this.live) this.onGone();
      if (type === ErrorTypes.MEDIA_ERROR && this.#recoveries++ < 2) hls.recoverMediaError();
      else if (this.live) this.#retryTimer = window.setTimeout(() => this.retry(), LIVE_RETRY_MS);
      else this.failure = 'media';
    });
    hls.loadSource(this.#media.master);
    hls.attachMedia(element);
  }

  #levelOf(camera: number): number {
    const name = this.cameras[camera];
    const found = this.#hls?.levels.findIndex(
      (level) => level.name === name?.name || level.url.some((url) => url.includes(`/${name?.source}`)),
    );
    return found === undefined || found < 0 ? Math.min(camera, (this.#hls?.levels.length ?? 1) - 1) : found;
  }

  #map(pieces: readonly { start: number; duration: number; programDateTime: number | null }[]): void {
    this.#stretches = stretchesOf(pieces, this.#zero_utc_ms);
    const last = this.#stretches.at(-1);
    if (last) this.edge_ms = last.recording_ms + last.length_ms;
    this.#start();
  }

  /** Once times can be mapped and the element takes a position: go to where the person wanted. */
  #start(): void {
    const element = this.#element;
    if (!element || element.readyState < HTMLMediaElement.HAVE_METADATA) return;
    if (this.#hls && !this.#stretches.length) return;
    this.ready = true;
    const wanted = this.#wanted_ms;
    this.#wanted_ms = null;
    if (wanted) this.#go(wanted);
    if (this.#playAtOnce) void this.play();
    this.#playAtOnce = false;
  }

  #go(ms: number): void {
    const media_s = toMedia_s(this.#stretches, ms);
    this.#inHole = Math.abs(toRecording_ms(this.#stretches, media_s) - ms) > IN_HOLE_MS;
    this.#element!.currentTime = media_s;
  }

  /** A paused seek to the very edge behind a hole, where only the sound or only the picture has begun,
   * would wait for ever: go on to where both are there. */
  #hop(element: HTMLMediaElement): void {
    if (!element.seeking || element.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) return;
    const { currentTime, buffered } = element;
    if (!this.#stretches.some((s) => s.media_s <= currentTime && currentTime < s.media_s + SEAM_S)) return;
    for (let i = 0; i < buffered.length; i += 1) {
      const ahead_s = buffered.start(i) - currentTime;
      if (ahead_s > 0 && ahead_s < SEAM_S) {
        element.currentTime = buffered.start(i);
        return;
      }
    }
  }

  #listen(element: HTMLMediaElement): () => void {
    const handlers: Partial<Record<keyof HTMLMediaElementEventMap, () => void>> = {
      loadedmetadata: () => {
        this.#start();
        element.playbackRate = this.speed;
      },
      play: () => {
        this.playing = true;
        this.ended = false;
        this.#inHole = false;
        this.#follow();
      },
      pause: () => {
        this.playing = false;
        this.#read();
      },
      ended: () => {
        this.playing = false;
        this.ended = true;
      },
      waiting: () => (this.waiting = true),
      seeking: () => {
        this.waiting = true;
        this.#hop(element);
      },
      progress: () => this.#hop(element),
      canplay: () => (this.waiting = false),
      playing: () => (this.waiting = false),
      seeked: () => this.#read(),
      volumechange: () => {
        this.muted = element.muted;
        this.volume = element.volume;
      },
    };
    const entries = Object.entries(handlers) as [keyof HTMLMediaElementEventMap, () => void][];
    for (const [name, handle] of entries) element.addEventListener(name, handle);
    return () => {
      for (const [name, handle] of entries) element.removeEventListener(name, handle);
    };
  }

  /** While playing, the position is read every frame: words are shorter than `timeupdate`'s steps. */
  #follow(): void {
    cancelAnimationFrame(this.#frame);
    const tick = (): void => {
      if (!this.playing) return;
      this.#read();
      this.#frame = requestAnimationFrame(tick);
    };
    tick();
  }

  #read(): void {
    const element = this.#element;
    if (!element || !this.ready || element.seeking || (this.#inHole && !this.playing)) return;
    const before = this.position_ms;
    this.position_ms = toRecording_ms(this.#stretches, element.currentTime);
    if (this.playing && this.position_ms - before > JUMP_MS * Math.max(1, this.speed)) this.#noteJump(before);
  }

  #noteJump(from_ms: number): void {
    const hole = this.holes.find(
      (h) => h.kind !== 'sealed' && h.end_ms > from_ms + 1 && h.start_ms < this.position_ms,
    );
    if (!hole) return;
    this.skipped = hole;
    window.clearTimeout(this.#skipTimer);
    this.#skipTimer = window.setTimeout(() => (this.skipped = null), SKIP_SHOWN_MS);
  }
}
