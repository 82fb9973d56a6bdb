import { formatAlternative, parseAddress, type Alternative } from '../../core/address.ts'
import { shortKey, toBase64 } from '../../core/bytes.ts'
import { MultiserverError } from '../../core/errors.ts'
import { generateKeys } from '../../plugs/keys.browser.ts'
import { Experiment, type Tell } from './experiment.ts'
import { until } from './until.ts'
import type { FileSource } from '../../cli/demo/outgoing-file.ts'
import type { PeerKind } from '../../cli/demo/protocol.ts'
import type { Company } from './company.ts'
import type { LiveTalk } from './live-talk.ts'
import type { Peer } from './peer.ts'

/** The buttons that show what is special. */
export interface Experiments {
  readonly cutPath: Experiment
  readonly mendPath: Experiment
  readonly restartHub: Experiment
  readonly upgrade: Experiment
  readonly wrongKey: Experiment
}

export function createExperiments(company: Company): Experiments {
  return {
    cutPath: new Experiment((tell) => cutPath(company, tell)),
    mendPath: new Experiment((tell) => mendPath(company, tell)),
    restartHub: new Experiment((tell) => restartHub(company, tell)),
    upgrade: new Experiment((tell) => upgrade(company, tell)),
    wrongKey: new Experiment((tell) => knockWithWrongKey(company, tell)),
  }
}

async function cutPath(company: Company, tell: Tell): Promise<void> {
  const desktop = await connectTo(company, 'desktop', tell)
  const talk = dialedTalk(desktop)
  await until(() => talk.path.value === 'direct' || company.firewall.isClosed.value, 'No direct path came.')
  const changes = () => Number(talk.talk.connection.stats()['pathChanges'] ?? 0)
  const before = changes()
  company.firewall.close()
  tell('Every direct path of this page is cut, and no new one gets through.')
  const heard = answersOf(desktop)
  company.say(desktop, 'Can you still hear me?')
  await until(() => talk.path.value === 'relay', 'No path through the relay came.')
  tell(`The same connection goes on, sealed once more, over the hub’s relay (path ${before + 1} of it).`)
  await until(() => answersOf(desktop) > heard, 'The desktop did not answer.')
  tell('The desktop has answered. Nothing was lost, and nothing was sent twice.')
}

async function mendPath(company: Company, tell: Tell): Promise<void> {
  company.firewall.open()
  const desktop = await connectTo(company, 'desktop', tell)
  if (dialedTalk(desktop).path.value !== 'direct') await company.renew(desktop)
  const talk = dialedTalk(desktop)
  await until(() => talk.path.value === 'direct', 'No direct path came.')
  tell('Direct paths open again, and the desktop is reached by one.')
}

async function restartHub(company: Company, tell: Tell): Promise<void> {
  const desktop = await connectTo(company, 'desktop', tell)
  // Over the relay it would wait for the hub.
  if (company.firewall.isClosed.value) await mendPath(company, tell)
  const file = company.sendFile(desktop, pacedSource())
  if (file === undefined) throw new Error('The connection to the desktop is gone.')
  const { progress, size } = file
  const percent = () => `${Math.floor((100 * progress.value.moved) / size)} %`
  const isOver = () => ['verified', 'failed'].includes(progress.value.state)
  await until(() => progress.value.moved > 0 || isOver(), 'The desktop did not take the file.')
  tell('A file is on its way to the desktop. The hub is told to restart.')
  await askForRestart()
  await whileHubAnswers(true)
  tell(`The hub is gone, its sockets too. The file is at ${percent()} and moving.`)
  await whileHubAnswers(false)
  tell(`The hub is back and knows nobody yet; peers register again. The file is at ${percent()}.`)
  await until(isOver, 'The file did not arrive in time.')
  if (progress.value.state === 'failed') throw new Error(`The file was lost: ${progress.value.why ?? ''}`)
  tell('Delivered, and both ends have the same SHA-256.')
}

async function upgrade(company: Company, tell: Tell): Promise<void> {
  const desktop = await connectTo(company, 'desktop', tell)
  const before = dialedTalk(desktop).talk
  tell(`Connected with ${before.connection.strength === 2 ? 'shs2' : 'shs'}, which its address asks for.`)
  before.askForUpgrade()
  await until(
    () => desktop.about.value.address.includes('shs2:'),
    'The desktop did not say that it serves shs2.',
  )
  tell('It serves shs2 beside shs now, under the same key; its address says so, and nothing was negotiated.')
  if (!(await company.renew(desktop))) throw failureOf(desktop)
  const { strength } = dialedTalk(desktop).talk.connection
  if (strength !== 2) throw new Error('The new connection is not stronger.')
  tell('Dialed again: the strongest alternative of the address wins, so this connection is shs2.')
}

async function knockWithWrongKey(company: Company, tell: Tell): Promise<void> {
  const server = findPeer(company, 'server')
  const { publicKey } = await generateKeys()
  const alternative = parseAddress(server.about.value.address).find(([{ name }]) => name === 'ws')
  if (alternative === undefined) throw new Error('The server has no address over ws.')
  tell(
    `Dialing the server’s own socket, expecting the key ${shortKey(publicKey)} there, which is not its key.`,
  )
  try {
    await company.dial(withKey(alternative, toBase64(publicKey)))
  } catch (thrown) {
    if (!(thrown instanceof MultiserverError)) throw thrown
    const { code, message } = thrown.attempts?.[0] ?? thrown
    tell(`Refused: ${code}. In words: ${message}.`)
    return tell('All that was sent was sealed to the other key: the server has not learned who knocked.')
  }
  throw new Error('It answered, which must never happen.')
}

async function connectTo(company: Company, kind: PeerKind, tell: Tell): Promise<Peer> {
  const peer = findPeer(company, kind)
  if (peer.talks.value.some(isDialedOverRtc)) return peer
  tell(`Connecting to the ${kind}…`)
  if (!(await company.connect(peer))) throw failureOf(peer)
  return peer
}

function findPeer({ peers }: Company, kind: PeerKind): Peer {
  const found = [...peers.value.values()].find(
    ({ about }) => about.value.kind === kind && about.value.isListed,
  )
  if (found === undefined) throw new Error(`There is no ${kind} in the lobby now.`)
  return found
}

function failureOf({ dial, about }: Peer): Error {
  return dial.value.state === 'failed' ? dial.value.error : new Error(`${about.value.name} can’t be reached.`)
}

/** The newest. */
function dialedTalk({ talks }: Peer): LiveTalk {
  const found = talks.value.findLast(isDialedOverRtc)
  if (found === undefined) throw new Error('The connection is gone.')
  return found
}

function isDialedOverRtc({ over, talk }: LiveTalk): boolean {
  return over === 'rtc' && talk.connection.role === 'client'
}

function answersOf({ conversation }: Peer): number {
  return conversation.log.value.filter(({ kind, from }) => kind === 'text' && from !== 'me').length
}

function withKey([transport, ...transforms]: Alternative, key: string): string {
  return formatAlternative([transport, ...transforms.map((each) => ({ ...each, data: [key] }))])
}

/** So slow that one can watch it. */
function pacedSource(): FileSource {
  const begunAt = performance.now()
  return {
    name: 'under-way.bin',
    size: pacedBytesPerMs * pacedMs,
    async read(start, end) {
      const dueMs = end / pacedBytesPerMs - (performance.now() - begunAt)
      if (dueMs > 0) await new Promise((resolve) => setTimeout(resolve, dueMs))
      return crypto.getRandomValues(new Uint8Array(end - start))
    },
  }
}

async function askForRestart(): Promise<void> {
  const { ok } = await fetch('/demo/restart-hub', { method: 'POST' })
  if (!ok) throw new Error('The hub does not let itself be restarted.')
}

async function whileHubAnswers(isThere: boolean): Promise<void> {
  for (const begunAt = performance.now(); performance.now() - begunAt < hubTimeoutMs;) {
    const isAnswering = await fetch('/livez', { cache: 'no-store' }).then(
      ({ ok }) => ok,
      () => false,
    )
    if (isAnswering !== isThere) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(isThere ? 'The hub did not go.' : 'The hub did not come back.')
}

const pacedBytesPerMs = 4_096
/** Longer than a hub is away. */
const pacedMs = 6_000
const hubTimeoutMs = 20_000
