/** A command to a room: sent, then watched until the room has carried it out. */
import { api, Refused } from './api';
import type { Command, CommandKind } from './types';

const ASK_EVERY_MS = 500;
/** The room asks for commands at least every 2 s; after this long something is wrong. */
const PATIENCE_MS = 20_000;

export class Commander {
  /** The command that waits for the room. */
  waiting = $state<CommandKind | null>(null);
  failure = $state<{ late: boolean; detail: string } | null>(null);

  async send(hearing: string, command: Command): Promise<void> {
    if (this.waiting) return;
    this.waiting = command.kind;
    this.failure = null;
    try {
      const { id } = await api.command(hearing, command);
      await this.#watch(hearing, id);
    } catch (error) {
      const detail = error instanceof Refused ? (error.problem.detail ?? error.problem.title) : '';
      this.failure = { late: false, detail };
    } finally {
      this.waiting = null;
    }
  }

  async #watch(hearing: string, id: string): Promise<void> {
    for (let waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += ASK_EVERY_MS) {
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
      const { state, detail } = await api.commandState(hearing, id);
      if (state === 'done') return;
      if (state === 'failed') {
        this.failure = { late: false, detail: detail ?? '' };
        return;
      }
    }
    this.failure = { late: true, detail: '' };
  }
}
