import { signal } from '@preact/signals'
import { toError, type MultiserverError } from '../../core/errors.ts'
import type { DialStage } from '../../core/types.ts'
import type { Company } from './company.ts'
import type { Peer } from './peer.ts'

/** An address that somebody pasted, or that the link to this page had, dialed one at a time. */
export class DialForm {
  readonly text = signal('')
  readonly stage = signal<DialStage | 'begun' | undefined>(undefined)
  readonly error = signal<MultiserverError | undefined>(undefined)
  readonly #company: Company
  readonly #onConnected: (peer: Peer) => void
  #dialing: AbortController | undefined

  constructor(company: Company, onConnected: (peer: Peer) => void) {
    this.#company = company
    this.#onConnected = onConnected
  }

  /** Never rejects. */
  async dial(): Promise<void> {
    if (this.#dialing !== undefined) return
    this.#dialing = new AbortController()
    this.error.value = undefined
    this.stage.value = 'begun'
    try {
      const peer = await this.#company.dial(this.text.value.replace(/\s+/g, ''), {
        signal: this.#dialing.signal,
        onStage: (stage) => (this.stage.value = stage),
      })
      this.text.value = ''
      this.#onConnected(peer)
    } catch (thrown) {
      this.error.value = toError(thrown, 'DIAL_FAILED')
    } finally {
      this.#dialing = undefined
      this.stage.value = undefined
    }
  }

  stop(): void {
    this.#dialing?.abort()
  }
}

/** The address in a link to this page, `#dial=ADDRESS`, or undefined. */
export function addressInLink(hash: string): string | undefined {
  return new URLSearchParams(hash.replace(/^#/, '')).get('dial') ?? undefined
}

/** A link to this page that dials `address` when it is opened. */
export function linkTo(address: string, page: string): string {
  const link = new URL(page)
  link.hash = new URLSearchParams({ dial: address }).toString()
  return link.href
}
