/** What a link is of, in the order in which they come about. */
const ORDER = ['pod', 'request', 'row', 'verdict', 'node', 'machine'] as const;
type Name = (typeof ORDER)[number];

/** One link of the chain from the Pod to the machine. */
export interface Link {
  readonly link: Name;
  /** `none`: there is none, and there is not to be one. */
  readonly state: 'found' | 'none' | 'missing';
  readonly found: boolean;
  readonly text: string;
}

/** The links that were looked for, whatever the order in which that was done. */
export class Chain {
  private readonly known = new Map<Name, Link>();

  found(link: Name, text: string): void {
    this.add(link, 'found', text);
  }

  none(link: Name, text: string): void {
    this.add(link, 'none', text);
  }

  missing(link: Name, text: string): void {
    this.add(link, 'missing', text);
  }

  links(): Link[] {
    return ORDER.flatMap((name) => this.known.get(name) ?? []);
  }

  private add(link: Name, state: Link['state'], text: string): void {
    this.known.set(link, { link, state, found: state === 'found', text });
  }
}

export function linkText({ state, text }: Link): string {
  if (state === 'found') return text;
  return state === 'none' ? `none: ${text}` : `MISSING: ${text}`;
}
