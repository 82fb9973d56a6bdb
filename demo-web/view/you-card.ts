import { byId, setText } from './dom.ts'
import { qrCode } from './qr-code.ts'

export interface You {
  readonly name: string
  /** Empty when nobody can dial this page. */
  readonly address: string
  readonly note: string
}

/** Who this page is, and its address to give to others. */
export function showYou({ name, address, note }: You): void {
  const field = byId('you-address', HTMLTextAreaElement)
  const copied = byId('you-copied', HTMLElement)
  const qr = byId('you-qr', HTMLElement)
  const toggle = byId('you-qr-toggle', HTMLButtonElement)
  const copy = byId('you-copy', HTMLButtonElement)
  setText(byId('you-name', HTMLElement), name)
  setText(byId('you-note', HTMLElement), note)
  field.value = address === '' ? 'none: this page can only dial' : address
  copy.disabled = address === ''
  toggle.disabled = address === ''
  copy.onclick = async () => {
    field.select()
    setText(copied, (await copyText(address)) ? 'Copied' : 'Press Ctrl-C to copy')
  }
  field.onfocus = () => field.select()
  toggle.onclick = () => {
    qr.hidden = !qr.hidden
    toggle.setAttribute('aria-expanded', String(!qr.hidden))
    if (qr.childElementCount === 0) qr.append(qrCode(address, `Your address, ${address}, as a QR code`))
  }
}

async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}
