/** When the alarm sounds: at once for what is new, then once a minute, unless a person has silenced just these. */

const EVERY_MS = 60_000;

export class Bell {
  #silenced = new Set<string>();
  #known = new Set<string>();
  #rang_ms = -Infinity;

  /** Whether to ring now; to be asked about once a second with what is wrong. */
  due(alarms: readonly string[], now_ms: number): boolean {
    const fresh = alarms.some((alarm) => !this.#known.has(alarm));
    this.#known = new Set(alarms);
    this.#silenced = new Set([...this.#silenced].filter((alarm) => this.#known.has(alarm)));
    const loud = alarms.some((alarm) => !this.#silenced.has(alarm));
    if (!loud || (!fresh && now_ms - this.#rang_ms < EVERY_MS)) return false;
    this.#rang_ms = now_ms;
    return true;
  }

  /** The sound only: the alarms stay on the screen, and a new one rings again. */
  silence(alarms: readonly string[]): void {
    this.#silenced = new Set(alarms);
  }

  quiet(alarms: readonly string[]): boolean {
    return alarms.every((alarm) => this.#silenced.has(alarm));
  }
}

let context: AudioContext | null = null;

/** Two tones, twice. False where the browser wants a click before it makes any sound. */
export function ring(): boolean {
  context ??= new AudioContext();
  void context.resume();
  if (context.state !== 'running') return false;
  const begin_s = context.currentTime;
  for (const [step, hertz] of [880, 660, 880, 660].entries()) {
    const tone = context.createOscillator();
    const volume = context.createGain();
    const at_s = begin_s + step * 0.22;
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0.0001, at_s);
    volume.gain.exponentialRampToValueAtTime(0.25, at_s + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, at_s + 0.2);
    tone.connect(volume).connect(context.destination);
    tone.start(at_s);
    tone.stop(at_s + 0.21);
  }
  return true;
}

/** A click or a key has come: from now on the browser lets us sound. */
export function allowSound(): void {
  context ??= new AudioContext();
  void context.resume();
}
