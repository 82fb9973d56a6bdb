import { untilAborted, withDeadline } from '../../core/deadline.ts'
import { createIdentity } from '../../core/ed25519.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { canonicalHubName } from '../../core/hub-name.ts'
import { registerBytes, type IceServer } from '../../core/hub-protocol.ts'
import { copy } from '../../core/bytes.ts'
import { limits } from '../../core/limits.ts'
import { generateKeys } from '../key-pair.ts'
import { HubSocket } from '../rtc/hub-socket.ts'

/** What came of going to the hub as any peer does. */
export interface HubVisit {
  /** From the first packet to the hub's welcome; undefined when it did not come. */
  readonly welcomeMs?: number | undefined
  /** Whether it took a registration. */
  readonly isRegistered: boolean
  /** Why it went no further. */
  readonly error?: MultiserverError | undefined
  /** With credentials, when it took the registration. */
  readonly iceServers: readonly IceServer[]
  /** Whether it relays; undefined when it did not say. */
  readonly relay?: boolean | undefined
}

/** Never rejects. The key is made for this and forgotten. */
export async function visitHub(hubUrl: string, signal: AbortSignal): Promise<HubVisit> {
  const startedAt = performance.now()
  let visit: HubVisit = { isRegistered: false, iceServers: [] }
  let answer: (error?: MultiserverError) => void = () => undefined
  const answered = new Promise<MultiserverError | undefined>((resolve) => (answer = resolve))
  const socket = new HubSocket(hubUrl, {
    onIceServers: (iceServers) => (visit = { ...visit, iceServers }),
    onRegistered: () => answer(),
    onRefused: answer,
    onClose: answer,
  })
  try {
    const welcome = await untilAborted(socket.welcome, signal, () => undefined)
    const { iceServers, relay } = welcome
    visit = { ...visit, welcomeMs: performance.now() - startedAt, iceServers, relay }
    const identity = createIdentity(await generateKeys())
    const key = copy(identity.publicKey)
    const name = canonicalHubName(hubUrl) ?? hubUrl
    const signature = copy(await identity.sign(registerBytes(name, welcome.challenge, key)))
    socket.send({ type: 'register', key, signature, record: undefined })
    const late = () => new MultiserverError('TIMEOUT', `${hubUrl} does not answer the registration`)
    const waiting = withDeadline(answered, limits.hub.answerTimeoutMs, late)
    const error = await untilAborted(waiting, signal, () => undefined)
    visit = { ...visit, isRegistered: error === undefined, error }
  } catch (thrown) {
    visit = { ...visit, error: toError(thrown, 'HUB_LOST') }
  }
  socket.close()
  await socket.closed
  return visit
}
