import { checkOneKey, formatSection, parseAddress, type Alternative } from './address.ts'
import { abortReason } from './deadline.ts'
import { MultiserverError, toError } from './errors.ts'
import { limits } from './limits.ts'
import type { Connection } from './connection.ts'
import type { Route, Stack } from './stack.ts'
import type { DialStage, Scope } from './types.ts'

export interface DialOptions {
  /** Aborts the dial at any moment; the promise rejects with ABORTED. */
  signal?: AbortSignal | undefined
  /** Over everything, up to the last transform. @default 30000 */
  timeoutMs?: number | undefined
  /** Whether a failure of the strongest alternatives may fall to weaker ones. @default false */
  allowDowngrade?: boolean | undefined
  /** Alternatives weaker than this are refused: 2 for shs2, 1 for shs, 0 for none. @default 0 */
  minStrength?: number | undefined
  /**
   * How near the place may be that is connected to, for addresses that a stranger has given: `public` refuses local
   * networks, by name too, `local` this machine. Browsers can't see what a name stands for. @default anywhere
   */
  reach?: Scope | undefined
  /** Called at each stage of each alternative that is tried. */
  onProgress?: ((progress: { stage: DialStage; address: string }) => void) | undefined
}

/**
 * Connects to the strongest alternative of `address` that the stacks understand; equals race.
 *
 * @throws ADDRESS_INVALID, NO_STACK_FITS, DOWNGRADE_REFUSED, TIMEOUT, ABORTED, DIAL_FAILED
 */
export async function dialAddress(
  address: string,
  stacks: readonly Stack[],
  options: DialOptions & { lingerMs?: number | undefined },
): Promise<Connection> {
  const groups = chooseRoutes(address, stacks, options)
  const timeoutMs = Math.min(options.timeoutMs ?? limits.dial.timeoutMs, limits.timer.longestMs)
  const controller = new AbortController()
  const timer = setTimeout(() => {
    controller.abort(new MultiserverError('TIMEOUT', `not connected within ${timeoutMs} ms`, { address }))
  }, timeoutMs)
  const onAbort = () => controller.abort(options.signal && abortReason(options.signal))
  options.signal?.addEventListener('abort', onAbort, { once: true })
  if (options.signal?.aborted === true) onAbort()
  const attempts: MultiserverError[] = []
  try {
    for (const routes of groups) {
      const connection = await race(routes, controller.signal, options, attempts)
      if (connection !== null) return connection
    }
    if (controller.signal.aborted) throw abortReason(controller.signal)
    throw new MultiserverError('DIAL_FAILED', describe(address, attempts), {
      address,
      attempts,
      cause: attempts[0],
    })
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', onAbort)
  }
}

/** The routes to try, strongest group first; only the first group unless a downgrade is allowed. */
function chooseRoutes(address: string, stacks: readonly Stack[], options: DialOptions): Route[][] {
  const alternatives = parseAddress(address)
  checkOneKey(alternatives, address)
  const known = alternatives.flatMap((alternative) => firstMatch(alternative, stacks) ?? [])
  if (known.length === 0) {
    const names = stacks.map((stack) => stack.name).join('; ')
    const message = `no stack fits ${address}; there is only: ${names}${remedyFor(alternatives, stacks)}`
    throw new MultiserverError('NO_STACK_FITS', message, { address })
  }
  const promised = alternatives.some(isSecured) && options.allowDowngrade !== true ? 1 : 0
  const minimum = Math.max(options.minStrength ?? 0, promised)
  const allowed = known.filter((route) => route.strength >= minimum)
  if (allowed.length === 0) {
    const why = `${known.map((route) => route.address).join('; ')} is weaker than strength ${minimum}`
    throw new MultiserverError('DOWNGRADE_REFUSED', `${why}, which ${address} or the options ask for`, {
      address,
    })
  }
  const strengths = [...new Set(allowed.map((route) => route.strength))].toSorted((a, b) => b - a)
  const groups = strengths.map((strength) => allowed.filter((route) => route.strength === strength))
  return options.allowDowngrade === true ? groups : groups.slice(0, 1)
}

/** What this program would have to learn, where the address names what none of its stacks has. */
function remedyFor(alternatives: readonly Alternative[], stacks: readonly Stack[]): string {
  const unknown = new Set<string>()
  for (const [transport, ...transforms] of alternatives) {
    const section = formatSection(transport)
    if (stacks.every((stack) => stack.transport.parse(section) === null)) unknown.add(transport.name)
    for (const { name } of transforms) {
      if (!stacks.some((stack) => stack.transforms.some((plug) => plug.name === name))) unknown.add(name)
    }
  }
  return unknown.size === 0
    ? ''
    : `. It lacks ${[...unknown].join(', ')}: update this program, or give it the plug`
}

function firstMatch(alternative: Alternative, stacks: readonly Stack[]): Route | null {
  for (const stack of stacks) {
    const route = stack.match(alternative)
    if (route !== null) return route
  }
  return null
}

/** Whether an alternative, understood here or not, promises more than plain bytes. */
function isSecured(alternative: Alternative): boolean {
  return alternative.slice(1).some((section) => section.name !== 'noauth')
}

/**
 * Starts the routes in order, the next after a delay or at once when the one before fails (RFC 8305).
 * The first to connect wins and the others are aborted; null when all have failed or the dial was aborted.
 */
function race(
  routes: readonly Route[],
  signal: AbortSignal,
  options: DialOptions & { lingerMs?: number | undefined },
  attempts: MultiserverError[],
): Promise<Connection | null> {
  const underWay = new Set<AbortController>()
  let over: MultiserverError | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let stopWatching = () => {}
  const stop = (reason: MultiserverError) => {
    over ??= reason
    for (const attempt of underWay) attempt.abort(over)
  }
  return new Promise<Connection | null>((resolve) => {
    let next = 0
    let failed = 0
    const startNext = () => {
      clearTimeout(timer)
      const route = routes[next]
      if (route === undefined || over !== undefined) return
      next += 1
      if (next < routes.length) timer = setTimeout(startNext, limits.dial.attemptDelayMs)
      start(route)
    }
    const start = (route: Route) => {
      const { lingerMs, reach } = options
      const onProgress = (stage: DialStage) => tell(options.onProgress, { stage, address: route.address })
      // A signal of its own: the winner's stays as it is when the losers are aborted.
      const attempt = new AbortController()
      underWay.add(attempt)
      route
        .dial({ signal: attempt.signal, lingerMs, reach, onProgress })
        .finally(() => underWay.delete(attempt))
        .then(
          (connection) => {
            if (over !== undefined) connection.abort(over)
            else resolve(connection)
            stop(new MultiserverError('ABORTED', 'another alternative connected first'))
          },
          (thrown: unknown) => {
            attempts.push(toError(thrown, 'CONNECT_FAILED', { address: route.address }))
            failed += 1
            if (failed === routes.length || over !== undefined) resolve(null)
            else startNext()
          },
        )
    }
    const onAbort = () => {
      stop(abortReason(signal))
      resolve(null)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    stopWatching = () => signal.removeEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    startNext()
  }).finally(() => {
    clearTimeout(timer)
    stopWatching()
  })
}

/** What the listener throws is its own affair: thrown in the dial, it would leave a connection that nobody has. */
function tell<T>(listener: ((value: T) => void) | undefined, value: T): void {
  try {
    listener?.(value)
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown
    })
  }
}

function describe(address: string, attempts: readonly MultiserverError[]): string {
  const tries = attempts.map(
    (attempt) => `${attempt.address ?? address}: ${attempt.code}: ${attempt.message}`,
  )
  const isNobodyThere = attempts.every((attempt) => attempt.code === 'CONNECT_FAILED')
  const remedy = isNobodyThere
    ? '. Nobody accepts there: the address may be out of date, so look the peer up'
    : ''
  return `could not connect; ${tries.join('; ')}${remedy}`
}
