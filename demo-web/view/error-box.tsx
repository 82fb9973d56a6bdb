import { describeError } from '../../cli/demo/words.ts'

/** What went wrong, in words, with each way that was tried. It is there before there is an error, so that it is heard. */
export function ErrorBox({ error, id }: { error: unknown; id?: string | undefined }) {
  const { summary, details } = error === undefined ? { summary: '', details: [] } : describeError(error)
  return (
    <div id={id} class="error" role="alert">
      {summary !== '' && <p>{summary}</p>}
      {details.length > 0 && (
        <ul>
          {details.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
    </div>
  )
}
