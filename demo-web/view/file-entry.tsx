import { formatBytes } from '../../cli/demo/text.ts'
import type { FileOnItsWay, FileProgress } from '../model/file-on-its-way.ts'

/** A file on its way: how far it is, what can be done about it, and at last what it has become. */
export function FileEntry({ file, onGrown }: { file: FileOnItsWay; onGrown: () => void }) {
  const progress = file.progress.value
  const { state, moved } = progress
  const isOver = state === 'verified' || state === 'failed'
  const share = file.size === 0 ? Number(state === 'verified') : moved / file.size
  return (
    <div class="file">
      <p class="file-name">
        <strong>{file.name}</strong> <span class="quiet">{formatBytes(file.size)}</span>
      </p>
      {!isOver && <progress max={1} value={share} aria-label={`${file.name}: how far it is`} />}
      <p class="file-state" data-state={state} aria-live={isOver ? 'polite' : 'off'}>
        {stateWords(file, progress)}
      </p>
      {state === 'verified' && <Received file={file} onGrown={onGrown} />}
      {state === 'verified' && <code class="sha256">SHA-256 {progress.sha256}</code>}
      {!isOver && <Choices file={file} isOffered={state === 'offered'} />}
    </div>
  )
}

function Choices({ file, isOffered }: { file: FileOnItsWay; isOffered: boolean }) {
  const isMine = file.direction === 'outgoing'
  return (
    <div class="row">
      {isOffered && !isMine && (
        <button type="button" class="primary" onClick={() => file.accept()}>
          Take it
        </button>
      )}
      <button type="button" onClick={() => file.stop()}>
        {isOffered && !isMine ? 'No' : 'Stop'}
      </button>
    </div>
  )
}

function Received({ file: { name, received }, onGrown }: { file: FileOnItsWay; onGrown: () => void }) {
  const url = received?.url
  if (url === undefined) return null
  return (
    <>
      {received?.isShown === true && <img src={url} alt={`The image ${name}`} onLoad={onGrown} />}
      <a class="button" href={url} download={name}>
        Save
      </a>
    </>
  )
}

function stateWords({ direction, size }: FileOnItsWay, { state, moved, why }: FileProgress): string {
  switch (state) {
    case 'offered':
      return direction === 'incoming' ? 'Do you want it?' : 'Waiting for the other side to take it…'
    case 'moving': {
      const percent = size === 0 ? 100 : Math.floor((100 * moved) / size)
      return `${percent} % · ${formatBytes(moved)} ${direction === 'incoming' ? 'received' : 'delivered'}`
    }
    case 'verified':
      return `✓ ${direction === 'incoming' ? 'Received' : 'Delivered'}: both ends have the same SHA‑256`
    case 'failed':
      return `✗ ${why ?? 'It failed'}`
  }
}
