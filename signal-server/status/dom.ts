export type Attributes = Readonly<Record<string, string | number>>

/** What index.html has at `selector`; its absence is a mistake there. */
export function find(selector: string, within: ParentNode = document): HTMLElement {
  const found = within.querySelector<HTMLElement>(selector)
  if (found === null) throw new Error(`index.html has no ${selector}`)
  return found
}

/** A new element of HTML; its children are elements or texts. */
export function html<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  return fill(document.createElement(name), attributes, children)
}

/** The same of SVG. */
export function svg<Name extends keyof SVGElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[Name] {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children)
}

/** Sets a text where it differs, so that nothing is selected anew or read twice. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text
}

function fill<T extends Element>(made: T, attributes: Attributes, children: (Node | string)[]): T {
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value))
  made.append(...children)
  return made
}
