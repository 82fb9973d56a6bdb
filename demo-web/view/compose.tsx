import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { isNarrow } from '../model/page-model.ts'
import { Icon } from './icons.tsx'

export interface ComposeProps {
  /** Whom it goes to, in words. */
  readonly to: string
  readonly isReady: boolean
  readonly onSay: (text: string) => void
  readonly onFiles: (files: Iterable<File>) => void
}

/** Where one writes a line or chooses files. */
export function Compose({ to, isReady, onSay, onFiles }: ComposeProps) {
  const text = useSignal('')
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => {
    // Not at the beginning, nor where a keyboard would cover half of the screen.
    if (isReady && document.activeElement !== document.body && !isNarrow()) field.current?.focus()
  }, [isReady])
  return (
    <form
      class="compose"
      onSubmit={(event) => {
        event.preventDefault()
        const said = text.value.trim()
        if (said === '' || !isReady) return
        text.value = ''
        onSay(said)
      }}
    >
      <label class="hidden" for="compose-text">
        Message
      </label>
      <input
        id="compose-text"
        ref={field}
        type="text"
        maxLength={4000}
        autocomplete="off"
        disabled={!isReady}
        placeholder={isReady ? `Write to ${to}` : 'Connect first'}
        value={text.value}
        onInput={(event) => (text.value = event.currentTarget.value)}
      />
      <button class="primary" type="submit" disabled={!isReady}>
        Send
      </button>
      <input
        id="compose-file"
        class="hidden"
        type="file"
        multiple
        disabled={!isReady}
        aria-label="Send files"
        onChange={(event) => {
          onFiles([...(event.currentTarget.files ?? [])])
          event.currentTarget.value = ''
        }}
      />
      <label class="button" for="compose-file" aria-hidden="true" title="Send files" data-disabled={!isReady}>
        <Icon name="clip" />
      </label>
    </form>
  )
}
