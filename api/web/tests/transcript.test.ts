import { describe, expect, it } from 'vitest';
import { NetworkLost, Refused } from '../src/lib/api';
import { growing } from '../src/lib/transcript';
import type { Transcript, Utterance } from '../src/lib/types';

const line = (id: string): Utterance => ({ id }) as Utterance;

/** A server whose answers come one after the other; an error is thrown. */
function server(...answers: (string[] | Error)[]) {
  const asked: (string | null)[] = [];
  const pageOf = async (_: string, cursor: string | null): Promise<Transcript> => {
    asked.push(cursor);
    const answer = answers.shift()!;
    if (answer instanceof Error) throw answer;
    const next = answers.length ? `after ${answer.at(-1)}` : null;
    return { recording: 'r', utterances: answer.map(line), next } as Transcript;
  };
  return { asked, pageOf };
}

async function read(pageOf: ReturnType<typeof server>['pageOf']): Promise<string[]> {
  const seen: string[] = [];
  for await (const { utterances } of growing('r', undefined, pageOf)) {
    seen.push(utterances.map(({ id }) => id).join(''));
  }
  return seen;
}

describe('a text that comes page by page', () => {
  it('grows', async () => {
    const { asked, pageOf } = server(['a', 'b'], ['c'], ['d']);
    expect(await read(pageOf)).toEqual(['ab', 'abc', 'abcd']);
    expect(asked).toEqual([null, 'after b', 'after c']);
  });

  it('begins again when somebody has changed it', async () => {
    const { asked, pageOf } = server(
      ['a'],
      new Refused(409, { title: 'changed', status: 409 }),
      ['x'],
      ['y'],
    );
    expect(await read(pageOf)).toEqual(['a', 'x', 'xy']);
    expect(asked).toEqual([null, 'after a', null, 'after x']);
  });

  it('is not taken for whole when the network is lost', async () => {
    await expect(read(server(['a'], new NetworkLost('away')).pageOf)).rejects.toThrow(NetworkLost);
    await expect(read(server(new Refused(409, { title: '', status: 409 })).pageOf)).rejects.toThrow(Refused);
  });
});
