import { formatArgument, sectionArgument } from '../../core/address.ts'
import { copy } from '../../core/bytes.ts'
import { abortReason, untilAborted } from '../../core/deadline.ts'
import { checkPublicKey, ready } from '../../core/ed25519.ts'
import { MultiserverError } from '../../core/errors.ts'
import { hubUrlOf } from '../../core/hub-name.ts'
import { classifyHost } from '../../core/ip.ts'
import { checkReach } from '../../core/reach.ts'
import { limits } from '../../core/limits.ts'
import { factory, loadWebRtc, type WebRtc } from '#wrtc'
import { publishStack, type PublishStackOptions } from '../directory/publish-stack.ts'
import { isBetterThanRelay, seekBetterPath } from './better-path.ts'
import { introduceClient, type ClientIntroduction } from './client-introduction.ts'
import { borrowHubSocket } from './hub-clients.ts'
import { randomId } from './hub-socket.ts'
import { dialInParallel, type Attempt } from './parallel-attempts.ts'
import { introduceOnce, redial } from './redial.ts'
import { addAcceptor } from './registrar.ts'
import { Session } from './session.ts'
import type { IceServer } from '../../core/hub-protocol.ts'
import type { FramePath } from './frame-path.ts'
import type { IntroductionOptions } from './introduction.ts'
import type { ByteStream, DialContext, ListenContext, Listener, Scope, Transport } from '../../core/types.ts'

export interface RtcOptions {
  /** The hub to register at: `wss://hub.example.com`, or as in an address. Without it this plug only dials. */
  hub?: string | undefined
  /** STUN and TURN servers beside those that the hub names. @default none */
  iceServers?: readonly IceServer[] | undefined
  /** `relay`: only through TURN, so that peers learn no address of mine. @default 'all' */
  iceTransportPolicy?: 'all' | 'relay' | undefined
  /**
   * Whether bytes may pass through the relay of the hub, which can't read them: `first` begins there and moves to a direct
   * path once one stands, `fallback` asks for it when none came within 5 s, `never` neither asks nor consents. A hub that does not
   * relay leaves them all alike. @default 'first'
   */
  relay?: 'never' | 'fallback' | 'first' | undefined
  /** Hosts that a hub may have its relay at, beside its own and the names under it. @default none */
  relayHosts?: readonly string[] | undefined
  /** RELAY_LIMIT: four fifths of what the hub grants a circuit are used up, and once more when the hub ends it. */
  onRelayLimit?: ((error: MultiserverError) => void) | undefined
  /** Whether candidates of local networks are offered and accepted. @default true */
  privateCandidates?: boolean | undefined
  /**
   * Whether the hub is told, in a record signed by the stack's key, what is served here, so that `lookup` finds it:
   * this stack's own address, and what `address` gives. @default true
   */
  publish?: boolean | PublishStackOptions | undefined
  /**
   * How long a connection outlives its last path, in milliseconds, and the client looks for another; ten seconds more for one that is
   * on its way then. 0: not at all. @default 60,000
   */
  resumeMs?: number | undefined
  /** WebRTC to use instead of the browser's, or of the package wrtc. */
  wrtc?: WebRtc | undefined
}

/** WebRTC, introduced by a hub: `rtc:HUB~shs:KEY` reaches a peer that no one can dial. */
export function rtc(options: RtcOptions = {}): Transport {
  const own = options.hub === undefined ? null : hubUrlOf(options.hub)
  if (options.hub !== undefined && own === null) {
    throw new MultiserverError('STACK_INVALID', `${options.hub} is not the address of a hub`)
  }
  const dialing: Transport = {
    name: 'rtc',
    halfClose: true,
    parse(section) {
      const hubUrl = hubUrlOf(sectionArgument(section, 'rtc') ?? '')
      return hubUrl === null ? null : { dial: (context) => dial(hubUrl, context, options) }
    },
    addresses: (scope) => (own !== null && isReachable(own, scope) ? [rtcSection(own)] : []),
  }
  if (own === null) return dialing
  return { ...dialing, listen: (accept, context) => listen(own, accept, context, options) }
}

async function dial(hubUrl: string, context: DialContext, options: RtcOptions): Promise<ByteStream> {
  const { signal, remoteKey, transforms, reach, onProgress } = context
  const address = rtcSection(hubUrl)
  checkReach(new URL(hubUrl).hostname, reach)
  if (remoteKey === undefined) {
    throw new MultiserverError('ADDRESS_INVALID', `${address} needs a key, as in ${address}~shs:KEY`, {
      address,
    })
  }
  await ready()
  if (!checkPublicKey(remoteKey)) {
    throw new MultiserverError('ADDRESS_INVALID', `${address}: nobody can prove this key`, { address })
  }
  const introduction = await introductionOptions(hubUrl, options)
  const { resumeMs = limits.resume.resumeMs } = options
  const wanted = { hubUrl, serverKey: copy(remoteKey), transforms, reach, introduction, resumeMs }
  return dialInParallel({
    begin: (attempt) => openSession(wanted, attempt),
    signal,
    onProgress,
    release: (session) => session.abort(),
  })
}

interface WantedSession extends Pick<ClientIntroduction, 'serverKey' | 'transforms' | 'reach'> {
  readonly hubUrl: string
  readonly introduction: IntroductionOptions
  readonly resumeMs: number
}

/** A session of its own, which looks after its paths from then on. */
async function openSession(wanted: WantedSession, attempt: Attempt): Promise<Session> {
  const { hubUrl, serverKey, transforms, reach, introduction, resumeMs } = wanted
  const { signal, isAnother, onProgress, onUnrelayed } = attempt
  const client = { serverKey, transforms, reach, session: crypto.getRandomValues(new Uint8Array(16)) }
  let isRelayOver = false
  const relayed = { mayRelay: () => !isRelayOver, onRelayOver: () => (isRelayOver = true) }
  const introduce = (how: Introducing, isAlone = false) =>
    introduceThrough(hubUrl, { ...client, ...relayed, ...how }, introduction, isAlone)
  const findPath = (over: AbortSignal) =>
    redial(
      session,
      ({ isAnother: isAlone, ...again }) => introduce({ ...again, resume: true }, isAlone),
      over,
    )
  const session = new Session({
    id: client.session,
    role: 'client',
    address: rtcSection(hubUrl),
    resumeMs,
    findPath,
  })
  const stop = new AbortController()
  session.over.addEventListener('abort', () => stop.abort(), { once: true })
  const onAbort = () => {
    stop.abort(signal.reason)
    session.abort(abortReason(signal))
  }
  signal.addEventListener('abort', onAbort, { once: true })
  const onPath = (path: FramePath) => {
    if (session.isNew) onProgress('path')
    session.addPath(path)
  }
  const first = { signal: stop.signal, resume: false, onProgress, onPathStage: onProgress, onPath }
  // Attempts beside it, and looks that come later, take any path.
  session.awaitDial(introduce({ ...first, seeksDirect: !isAnother, onUnrelayed }, isAnother))
  if (signal.aborted) onAbort()
  try {
    await session.opened
  } catch (thrown) {
    await session.closed
    throw thrown
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
  // A circuit it has. What has kept the first try from a direct path may be its socket to the hub.
  const better = { resume: true, mayRelay: () => false }
  seekBetterPath(session, async (over) => {
    await introduceOnce(session, (once) => introduce({ ...once, ...better }, true), { signal: over })
    // It has found what the first may still be looking for, at the hub's cost.
    if (isBetterThanRelay(session.info.path))
      stop.abort(new MultiserverError('ABORTED', 'another look was faster'))
  })
  return session
}

type Introducing = Pick<ClientIntroduction, 'signal' | 'resume' | 'onProgress' | 'onPathStage' | 'onPath'> &
  Partial<Pick<ClientIntroduction, 'mayRelay' | 'seeksDirect' | 'onUnrelayed'>>

/** Borrows a socket to the hub for as long as the introduction takes; `isAlone`: a new one. */
async function introduceThrough(
  hubUrl: string,
  client: ClientIntroduction,
  introduction: IntroductionOptions,
  isAlone: boolean,
): Promise<void> {
  const { signal, reach, onProgress, mayRelay } = client
  const { socket, giveBack } = borrowHubSocket(hubUrl, { reach, isNew: isAlone })
  try {
    // What the client says of the relay depends on it, and it comes as soon as the socket is open.
    const welcomed = untilAborted(socket.welcome, signal, () => undefined).then(() => onProgress?.('hub'))
    welcomed.catch(() => undefined)
    const relayed = { mayRelay: () => socket.relays && mayRelay() }
    const hub = {
      reached: untilAborted(socket.reached, signal, () => undefined),
      welcomed,
      openChannel: () => socket.openChannel(randomId()),
    }
    await introduceClient(hub, { ...client, ...relayed }, introduction)
  } finally {
    giveBack(signal.aborted && abortReason(signal).code === 'TIMEOUT')
  }
}

async function listen(
  hubUrl: string,
  accept: (stream: ByteStream) => void,
  context: ListenContext,
  options: RtcOptions,
): Promise<Listener> {
  const { identity, transforms, passesOn = false, sections = [] } = context
  const { started, signal, onError, onConnectionError } = context
  const section = rtcSection(hubUrl)
  if (identity === undefined) {
    throw new MultiserverError('STACK_INVALID', 'rtc registers with a key: put shs behind it in the stack')
  }
  await ready()
  const introduction = await introductionOptions(hubUrl, options)
  const stop = new AbortController()
  const acceptor = {
    options: introduction,
    signal: stop.signal,
    transforms,
    passesOn,
    section,
    resumeMs: options.resumeMs ?? limits.resume.resumeMs,
    accept,
    onError,
    onConnectionError,
  }
  const letGo = factory.listen()
  const { registered, isRegistered, remove } = addAcceptor(identity, acceptor)
  let closing: Promise<void> | undefined
  let withdraw = () => Promise.resolve()
  const close = () => {
    stop.abort()
    return (closing ??= withdraw().then(remove).finally(letGo))
  }
  const onAbort = () => void close()
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    await registered
  } catch (thrown) {
    await close()
    throw thrown
  }
  const { publish = true } = options
  // A transform without a key of its own can't be dialed by anybody.
  const isDialable = sections.length > 0 && !sections.includes('')
  if (publish !== false && isDialable && !stop.signal.aborted) {
    const own = [section, ...sections].join('~')
    withdraw = publishStack({ hubUrl, identity, own, started, onError }, publish === true ? {} : publish)
  }
  return {
    addresses: (scope) => (isReachable(hubUrl, scope) ? [section] : []),
    isReachable: isRegistered,
    close,
  }
}

async function introductionOptions(hubUrl: string, options: RtcOptions): Promise<IntroductionOptions> {
  return {
    hubUrl,
    webRtc: options.wrtc ?? (await loadWebRtc()),
    iceServers: options.iceServers ?? [],
    iceTransportPolicy: options.iceTransportPolicy,
    relay: options.relay ?? 'first',
    relayHosts: options.relayHosts ?? [],
    onRelayLimit: (error) => options.onRelayLimit?.(error),
    filter: {
      loopbackHub: classifyHost(new URL(hubUrl).hostname) === 'loopback',
      privateCandidates: options.privateCandidates ?? true,
      relayOnly: options.iceTransportPolicy === 'relay',
    },
  }
}

/** The shortest text that leads to this hub again. */
function rtcSection(hubUrl: string): string {
  const { host, pathname, search } = new URL(hubUrl)
  const isShort = (pathname === '/' || pathname === '') && search === '' && sameUrl(hubUrlOf(host), hubUrl)
  return formatArgument('rtc', isShort ? host : hubUrl)
}

function sameUrl(a: string | null, b: string): boolean {
  return a !== null && new URL(a).href === new URL(b).href
}

/** A hub on this machine is of use to this machine only, one in a local network there. */
function isReachable(hubUrl: string, scope: Scope): boolean {
  switch (classifyHost(new URL(hubUrl).hostname)) {
    case 'loopback':
      return scope === 'device'
    case 'private':
      return scope !== 'public'
    default:
      return true
  }
}

export type { RtcStats } from './session-info.ts'

export default rtc
export { rtc as 'module.exports' }
