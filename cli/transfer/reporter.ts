import { paint, printable, printJson, printSaid, say, showStatus } from '../terminal.ts'
import { countOf, formatBytes } from '../words.ts'
import type { Report, TransferEvent } from './events.ts'
import { ProgressMeter } from './progress.ts'

export interface Reporter {
  readonly report: Report
  /** Takes the progress off the terminal: for something else to be written there, and at the end. */
  readonly makeRoom: () => void
}

/** For `--json`: every event on a line of stdout, progress once a second. */
export function createJsonReporter(): Reporter {
  let toldAt = Number.NEGATIVE_INFINITY
  return {
    report(event) {
      if (event.event === 'progress') {
        if (performance.now() - toldAt < jsonProgressMs) return
        toldAt = performance.now()
      }
      printJson(event)
    },
    makeRoom: () => undefined,
  }
}

/** For people: on stderr, with a line of progress on a terminal; what was received stands on stdout, for scripts. */
export function createTextReporter(): Reporter {
  const meter = new ProgressMeter()
  let hide: (() => void) | undefined
  const makeRoom = () => {
    hide?.()
    hide = undefined
  }
  return {
    report(event) {
      if (event.event === 'progress') {
        meter.note(event)
        hide ??= showStatus(() => meter.text())
        return
      }
      const text = textOf(event)
      if (text === undefined) return
      makeRoom()
      say(text)
      if (event.event === 'done' && event.as !== undefined) printSaid(event.as)
    },
    makeRoom,
  }
}

const jsonProgressMs = 1_000

function textOf(event: TransferEvent): string | undefined {
  switch (event.event) {
    case 'connected':
      return `${paint('green', 'Connected')}  ${printable(event.peer)}`
    case 'offered':
      return `${printable(event.peer)} offers ${countOf(event.files, 'file')}, ${formatBytes(event.bytes)}${alsoFolders(event.folders)}`
    case 'made':
      return `${paint('green', 'Made')}  ${event.name}, an empty folder`
    case 'left-out':
      return `${paint('yellow', 'Left out')}  ${countOf(event.folders, 'empty folder')}: ${event.why}`
    case 'refused':
      return `${paint('yellow', 'Refused:')} ${event.why}`
    case 'started':
      return event.from === 0
        ? undefined
        : `${event.name}: ${formatBytes(event.from)} of it are there already`
    case 'restarted':
      return `${event.name}: from its first byte, for ${event.why}`
    case 'done':
      return `${paint('green', 'Done')}  ${event.name}${otherName(event)}  ${formatBytes(event.size)}  sha256 ${event.sha256}`
    case 'skipped':
      return `${paint('yellow', 'Not taken')}  ${event.name}: ${printable(event.why)} (${event.code})`
    case 'lost':
      return `${paint('yellow', 'Lost the other side:')} ${printable(event.why)}. ${whatNext(event.againMs)}`
    case 'finished':
      return `${countOf(event.done, 'file')} done, ${event.skipped} not; ${formatBytes(event.moved)} moved`
    case 'listening':
    case 'accepted':
    case 'progress':
      return undefined
  }
}

function otherName({ name, as = name }: { readonly name: string; readonly as?: string }): string {
  return as === name ? '' : `, as ${as}`
}

function alsoFolders(folders: number): string {
  return folders === 0 ? '' : `, and ${countOf(folders, 'empty folder')}`
}

function whatNext(againMs: number | undefined): string {
  return againMs === undefined
    ? 'What has come is kept; waiting for it to come back.'
    : `Trying again in ${(againMs / 1000).toFixed(1)} s.`
}
