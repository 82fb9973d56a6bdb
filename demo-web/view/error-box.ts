import { describeError } from '../../cli/demo/words.ts'
import { element } from './dom.ts'

/** What went wrong, in words, with each way that was tried. */
export function showError(box: HTMLElement, thrown: unknown): void {
  const { summary, details } = describeError(thrown)
  box.replaceChildren(element('p', { text: summary }))
  if (details.length === 0) return
  box.append(
    element(
      'ul',
      {},
      details.map((text) => element('li', { text })),
    ),
  )
}

export function clearError(box: HTMLElement): void {
  box.replaceChildren()
}
