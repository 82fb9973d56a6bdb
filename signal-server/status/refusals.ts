import type { CountColumn } from '../status-data.ts'
import { find, html } from './dom.ts'
import { formatNumber } from './format.ts'
import type { History } from './history.ts'

type RefusalColumn = Extract<CountColumn, `refused.${string}` | `notTaken.${string}`>

/** Why a hub refuses, for who runs it. */
const meanings: Record<RefusalColumn, string> = {
  'notTaken.BUSY': 'A socket that was not taken: the hub is full, or its address has as many as it may.',
  'notTaken.RATE': 'A socket that was not taken: its address opens them too fast.',
  'refused.PEER_NOT_FOUND': 'Asked for a peer that is not here. Normal: others are offline.',
  'refused.ID_IN_USE': 'An introduction under a number that is taken. Should not happen often.',
  'refused.BUSY': 'As many introductions as an address or a peer may have.',
  'refused.RATE': 'Asked faster than an address or a peer may.',
  'refused.NO_INTRODUCTION': 'A signal for an introduction that is over. Normal in small numbers.',
  'refused.UNKNOWN_MESSAGE':
    'A message that this hub does not know: a later peer, or somebody who tries things.',
  'refused.INVALID': 'A malformed message: a faulty peer, or somebody who tries things.',
  'refused.BAD_SIGNATURE': 'A key that was not proved: a forgery, or a peer that was too late.',
  'refused.WRONG_HUB': 'A registration for another name: is one missing in HUB_NAMES?',
  'refused.RECORD_STALE': 'A record older than the one that is here. Normal when a peer runs twice.',
  'refused.RECORD_INVALID': 'A record that is malformed, or not of that peer.',
  'refused.RELAY_OFF': 'Asked for a relay, which this hub is not.',
  'refused.QUOTA': 'As much relay as an address or a peer may use.',
}

export const refusalColumns = Object.keys(meanings) as RefusalColumn[]

/** The list of those codes that there were, the most frequent first. */
export function showRefusals(history: History): void {
  const counts = refusalColumns.map((column) => ({ column, count: history.total(Infinity, column) }))
  const seen = counts.filter(({ count }) => count > 0).toSorted((a, b) => b.count - a.count)
  find('#no-refusals').hidden = seen.length > 0
  const items = seen.map(({ column, count }) => {
    const [kind = '', code = ''] = column.split('.')
    const name = kind === 'notTaken' ? `${code}, sockets` : code
    return html(
      'li',
      {},
      html('strong', {}, formatNumber(count)),
      html('code', {}, name),
      html('span', { class: 'quiet' }, meanings[column]),
    )
  })
  find('#refusal-codes').replaceChildren(...items)
}
