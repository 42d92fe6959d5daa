/** FNV-1a over the characters as a signed 32-bit number, its bits mixed once more, so that the lowest ones and the highest ones may each be used alone. */
export function textHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash ^ (hash >>> 15);
}
