/** Small pictures for the time line: a WebVTT track that says where on which sheet each lies. */

export interface Thumbnail {
  start_ms: number;
  end_ms: number;
  sheet: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

const CUE =
  /^(\d+):(\d{2}):(\d{2})\.(\d{3}) --> (\d+):(\d{2}):(\d{2})\.(\d{3})\s*\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$/gm;

const toMs = (hours: string, minutes: string, seconds: string, ms: string): number =>
  ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(ms);

/** The pictures of a track that was loaded from `address`, in order; what is no such cue is passed over. */
export function parseThumbnails(track: string, address: string): Thumbnail[] {
  const base = address.slice(0, address.lastIndexOf('/') + 1);
  return [...track.replace(/\r\n?/g, '\n').matchAll(CUE)].map((cue) => {
    const [, h1, m1, s1, t1, h2, m2, s2, t2, file, x, y, width, height] = cue as unknown as string[];
    return {
      start_ms: toMs(h1!, m1!, s1!, t1!),
      end_ms: toMs(h2!, m2!, s2!, t2!),
      sheet: base + file!,
      x: Number(x),
      y: Number(y),
      width: Number(width),
      height: Number(height),
    };
  });
}

/** The picture of a moment; nothing where there is none. */
export function thumbnailAt(all: readonly Thumbnail[], at_ms: number): Thumbnail | undefined {
  let [first, last] = [0, all.length];
  while (first < last) {
    const middle = (first + last) >> 1;
    if (all[middle]!.end_ms <= at_ms) first = middle + 1;
    else last = middle;
  }
  const found = all[first];
  return found && found.start_ms <= at_ms ? found : undefined;
}

/** The track at `address`; empty when it cannot be had: the time line does without. */
export async function loadThumbnails(address: string): Promise<Thumbnail[]> {
  try {
    const answer = await fetch(address);
    return answer.ok ? parseThumbnails(await answer.text(), address) : [];
  } catch {
    return [];
  }
}
