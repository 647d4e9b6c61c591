/** The microphones of a recording as voices: each with its number key and its colour. */
import type { Participant, Recording, RoleNamed } from './types';

export interface Voice extends RoleNamed {
  channel: string;
  source: string;
  /** From 1: the key that solos it, and its mark beside the colour. */
  number: number;
  colour: string;
  /** Who sits at the microphone, when the hearing says so. */
  person: string | null;
}

const COLOURS = 8;

export function colourOf(number: number): string {
  return `var(--voice-${((number - 1) % COLOURS) + 1})`;
}

function personAt(people: readonly Participant[], channel: string): string | null {
  return people.find((person) => person.channel === channel)?.name ?? null;
}

export function voicesOf(recording: Recording): Voice[] {
  const seats = recording.sources.flatMap((source) =>
    source.channels.map((channel) => ({ source: source.name, channel })),
  );
  return seats.map(({ source, channel }, index) => ({
    channel: channel.name,
    source,
    role_kk: channel.role_kk,
    role_ru: channel.role_ru,
    role_en: channel.role_en,
    number: index + 1,
    colour: colourOf(index + 1),
    person: personAt(recording.hearing.participants, channel.name),
  }));
}
