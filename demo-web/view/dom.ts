/** The element of the page with this id; its absence is a mistake in index.html. */
export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id)
  if (!(found instanceof kind)) throw new Error(`index.html has no ${kind.name} #${id}`)
  return found
}

export interface ElementOptions {
  readonly class?: string | undefined
  /** The only way in which a text from a peer gets into the page. */
  readonly text?: string | undefined
  readonly attributes?: Readonly<Record<string, string>> | undefined
  readonly onClick?: (() => void) | undefined
}

/** A new element with what is in it. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  options: ElementOptions = {},
  children: readonly Node[] = [],
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  if (options.class !== undefined) made.className = options.class
  if (options.text !== undefined) made.textContent = options.text
  for (const [key, value] of Object.entries(options.attributes ?? {})) made.setAttribute(key, value)
  if (options.onClick !== undefined) made.addEventListener('click', options.onClick)
  made.append(...children)
  return made
}

/** Whether the page shows one thing at a time, as the style sheet has it. */
export function isNarrow(): boolean {
  return matchMedia('(max-width: 760px)').matches
}

/** Sets a text only when it differs, so that nobody hears the same twice. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text
}
