import { toBase64 } from '../../core/bytes.ts'
import type { Company, Peer } from '../company.ts'
import { stageWords } from './dial-progress.ts'
import { byId, setText } from './dom.ts'
import { clearError, showError } from './error-box.ts'

/** Dials an address that somebody pasted, one at a time. */
export function offerDialForm(company: Company, onConnected: (peer: Peer) => void): void {
  const field = byId('dial-address', HTMLTextAreaElement)
  const progress = byId('dial-progress', HTMLElement)
  const error = byId('dial-error', HTMLElement)
  const stop = byId('dial-stop', HTMLButtonElement)
  let dialing: AbortController | undefined
  byId('dial', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault()
    if (dialing === undefined) void dial(field.value.replace(/\s+/g, ''))
  })
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey) return
    event.preventDefault()
    field.form?.requestSubmit()
  })
  stop.addEventListener('click', () => dialing?.abort())

  async function dial(address: string): Promise<void> {
    clearError(error)
    dialing = new AbortController()
    stop.hidden = false
    setText(progress, 'Connecting…')
    try {
      const { signal } = dialing
      const talk = await company.dial(address, {
        signal,
        onStage: (stage) => setText(progress, stageWords[stage]),
      })
      field.value = ''
      field.removeAttribute('aria-invalid')
      const peer = company.peers.get(toBase64(talk.connection.remote ?? new Uint8Array()))
      if (peer !== undefined) onConnected(peer)
    } catch (thrown) {
      field.setAttribute('aria-invalid', 'true')
      showError(error, thrown)
    } finally {
      dialing = undefined
      stop.hidden = true
      setText(progress, '')
    }
  }
}
