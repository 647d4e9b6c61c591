/** Notices of the court to a person, and where the person wants to be told of them. */
import type { Courtroom, Language, Page, RoleNamed, Wants } from './types';

export type SummonsKind = 'summons' | 'moved' | 'cancelled';
export type Topic = 'granted' | 'refused' | 'ending' | 'revoked' | 'emergency' | 'export' | SummonsKind;
export type Way = 'mail' | 'sms';
export type DeliveryState = 'waiting' | 'sent' | 'failed' | 'given_up' | 'withheld';
export type DeliveryReason =
  'refused' | 'delayed' | 'away' | 'no_server' | 'no_address' | 'no_access' | 'outdated';

/** How far a notice has come on one way; `at_utc` null while it waits. */
export interface Delivery {
  way: Way;
  state: DeliveryState;
  reason: DeliveryReason | null;
  at_utc: string | null;
}

/** `current` false: what it tells of is over. `hearing` null: not ours to know of any more. */
export interface Notice {
  id: string;
  topic: Topic;
  created_utc: string;
  read_utc: string | null;
  current: boolean;
  hearing: {
    id: string;
    case_number: string;
    title: string;
    courtroom: Courtroom;
    scheduled_utc: string;
  } | null;
  wants: Wants | null;
  until_utc: string | null;
  recording: string | null;
  summons: {
    id: string;
    scheduled_utc: string;
    courtroom: Courtroom;
    acknowledged_utc: string | null;
  } | null;
  deliveries: Delivery[];
}

export interface NoticePage extends Page<Notice> {
  unread: number;
}

export interface ContactAsked {
  email: string | null;
  phone: string | null;
  language: Language;
  by_mail: boolean;
  by_sms: boolean;
}

/** `mail_set`, `sms_set`: whether the court has anything that would go there. */
export interface Contact extends ContactAsked {
  mail_set: boolean;
  sms_set: boolean;
}

/** To one person; `told`: how often, `deliveries` of the last time. */
export interface Summons {
  id: string;
  kind: SummonsKind;
  scheduled_utc: string;
  courtroom: Courtroom;
  made_utc: string;
  acknowledged_utc: string | null;
  /** What the browser calls itself in which that was done. */
  acknowledged_by: string | null;
  told: number;
  deliveries: Delivery[];
}

/** A participant; `reached`: has given an address for news. */
export interface Summoned extends RoleNamed {
  name: string;
  account: boolean;
  reached: boolean;
  summons: Summons | null;
}
