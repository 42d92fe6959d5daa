/** `{name}` with a letter first, unless it is a shell's `${name}` or an escaped `{{name}}`. */
const PLACEHOLDER = /\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}|(?<!\$)\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Fills in `{id}` and the like; names that are not known stay and are reported. `{{id}}` is a literal `{id}`. */
export function fillIn(text: string, values: ReadonlyMap<string, string>, unknown: (name: string) => void): string {
  return text.replace(PLACEHOLDER, (whole, literal: string | undefined, name = '') => {
    if (literal !== undefined) return `{${literal}}`;
    const value = values.get(name as string);
    if (value === undefined) unknown(name as string);
    return value ?? whole;
  });
}
