import { useSignal } from '@preact/signals'
import { describeError } from '../../cli/demo/words.ts'
import { linkTo } from '../model/dial-form.ts'
import { importKey, keyFile } from '../model/own-key.ts'
import type { PageModel } from '../model/page-model.ts'
import { Icon } from './icons.tsx'
import { QrCode } from './qr-code.tsx'

/** Who this page is, its address to give to others, and its key. */
export function YouCard({ model }: { model: PageModel }) {
  const { company, ownKey, unreachable } = model
  const address = company.address.value
  return (
    <section class="card card-you" aria-labelledby="you-title">
      <h2 id="you-title">You</h2>
      <p class="you">
        <span class="face face-me">
          <Icon name="browser" />
        </span>
        <span class="peer-words">
          <strong id="you-name">{company.ownName}</strong>
          <span class="quiet">{address === '' ? 'a browser' : 'reached over WebRTC'}</span>
        </span>
      </p>
      {unreachable.value !== '' && (
        <p class="warning" id="you-unreachable">
          {unreachable.value}
        </p>
      )}
      <Address address={address} />
      <KeyTools model={model} />
      <p class="note" id="you-note">
        {ownKey.note}
      </p>
    </section>
  )
}

function Address({ address }: { address: string }) {
  const said = useSignal('')
  const isQrOpen = useSignal(false)
  const link = linkTo(address, location.href)
  const copy = async (text: string) => {
    said.value = (await copyText(text)) ? 'Copied' : 'Select it and press Ctrl-C'
  }
  return (
    <>
      <label for="you-address">Your address</label>
      <textarea
        id="you-address"
        class="code"
        rows={3}
        readOnly
        spellcheck={false}
        value={address === '' ? 'none: this page can only dial' : address}
        onFocus={(event) => event.currentTarget.select()}
      />
      <div class="row">
        <button type="button" disabled={address === ''} onClick={() => void copy(address)}>
          Copy
        </button>
        <button type="button" disabled={address === ''} onClick={() => void copy(link)}>
          Copy link
        </button>
        <button
          type="button"
          disabled={address === ''}
          aria-expanded={isQrOpen.value}
          aria-controls="you-qr"
          onClick={() => (isQrOpen.value = !isQrOpen.value)}
        >
          QR code
        </button>
        <span class="quiet" role="status">
          {said.value}
        </span>
      </div>
      <div id="you-qr" class="qr" hidden={!isQrOpen.value}>
        {isQrOpen.value && (
          <QrCode text={link} label="A link to this page that connects to you, as a QR code" />
        )}
      </div>
    </>
  )
}

function KeyTools({ model }: { model: PageModel }) {
  const said = useSignal('')
  const { ownKey, company } = model
  const takeKey = async (file: File | undefined) => {
    if (file === undefined) return
    try {
      await importKey(file)
      company.leave()
      location.reload()
    } catch (thrown) {
      said.value = describeError(thrown).summary
    }
  }
  return (
    <details class="more">
      <summary>Your key</summary>
      <p class="note">Whoever has the file is you. Keep it as you would keep a password.</p>
      <div class="row">
        <button type="button" onClick={() => download(keyFile(ownKey), 'multiserver-key.json')}>
          Export
        </button>
        {ownKey.isKept && (
          <>
            <input
              id="you-import"
              class="hidden"
              type="file"
              accept="application/json,.json"
              onChange={(event) => void takeKey(event.currentTarget.files?.[0])}
            />
            <label class="button" for="you-import">
              Import in its place…
            </label>
          </>
        )}
        <span class="quiet" role="status">
          {said.value}
        </span>
      </div>
    </details>
  )
}

function download(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  // The browser has taken it by the next turn.
  setTimeout(() => URL.revokeObjectURL(link.href))
}

async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}
