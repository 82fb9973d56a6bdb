import type { DialForm } from '../model/dial-form.ts'
import { ErrorBox } from './error-box.tsx'
import { stageWords } from './stage-words.ts'

/** Dials an address that somebody pasted. */
export function DialCard({ form }: { form: DialForm }) {
  const stage = form.stage.value
  return (
    <section class="card card-dial" aria-labelledby="dial-title">
      <h2 id="dial-title">Connect to an address</h2>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          void form.dial()
        }}
      >
        <label for="dial-address">Somebody's address</label>
        <textarea
          id="dial-address"
          class="code"
          rows={2}
          spellcheck={false}
          autocomplete="off"
          autocapitalize="off"
          placeholder="rtc:HUB~shs2:KEY"
          aria-describedby="dial-error"
          aria-invalid={form.error.value !== undefined}
          value={form.text.value}
          onInput={(event) => (form.text.value = event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || event.shiftKey) return
            event.preventDefault()
            void form.dial()
          }}
        />
        <div class="row">
          <button class="primary" type="submit">
            Connect
          </button>
          {stage !== undefined && (
            <button type="button" onClick={() => form.stop()}>
              Stop
            </button>
          )}
          <span class="quiet" role="status">
            {stage === undefined ? '' : stageWords[stage]}
          </span>
        </div>
        <ErrorBox id="dial-error" error={form.error.value} />
      </form>
    </section>
  )
}
