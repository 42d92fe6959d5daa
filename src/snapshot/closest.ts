/** The known name that a mistyped one was probably meant to be; undefined if none is near. */
export function closest(name: string, known: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let least = Math.max(1, Math.min(3, Math.floor(name.length / 2))) + 1; // two letters in the wrong order are two edits
  for (const candidate of known) {
    if (candidate === '') continue;
    const given = candidate.toLowerCase();
    const distance = wanted.length > 2 && given.startsWith(wanted) ? 1 : edits(wanted, given);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** How many characters must be inserted, removed or replaced to make one text the other. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
