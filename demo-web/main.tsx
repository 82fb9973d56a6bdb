import { render } from 'preact'
import { describeError } from '../cli/demo/words.ts'
import { addressInLink } from './model/dial-form.ts'
import { loadOwnKey } from './model/own-key.ts'
import { PageModel } from './model/page-model.ts'
import { App } from './view/app.tsx'

startPage().catch((thrown: unknown) => {
  document.body.textContent = describeError(thrown).summary
})

async function startPage(): Promise<void> {
  const model = new PageModel(await loadOwnKey(), location.origin.replace(/^http/, 'ws'))
  const root = document.getElementById('app')
  if (root === null) throw new Error('index.html has no #app')
  root.replaceChildren()
  render(<App model={model} />, root)
  addEventListener('pagehide', () => model.company.leave())
  addEventListener('pageshow', (event) => {
    // A page out of the browser's cache has lost every connection.
    if (event.persisted) location.reload()
  })
  addEventListener('hashchange', () => followLink(model))
  await model.start()
  followLink(model)
}

/** Dials whom the link to this page names, once: it is not dialed again when the page is loaded again. */
function followLink({ dialForm }: PageModel): void {
  const address = addressInLink(location.hash)
  if (address === undefined) return
  history.replaceState(null, '', location.pathname + location.search)
  dialForm.text.value = address
  void dialForm.dial()
}
