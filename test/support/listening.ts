import { expect, vi } from 'vitest'
import type { ByteStream, Listener, Scope, Target, Transport } from '../../core/types.ts'

export interface Listening {
  readonly listener: Listener
  /** What was accepted, in order. */
  readonly accepted: ByteStream[]
  readonly port: number
}

const scopes: readonly Scope[] = ['device', 'local', 'public']

/** Starts `transport` alone, without a stack. */
export async function listen(transport: Transport): Promise<Listening> {
  const accepted: ByteStream[] = []
  const listener = await transport.listen?.((stream) => accepted.push(stream), {
    signal: neverAborted(),
    transforms: [],
    onError: () => undefined,
    onConnectionError: () => undefined,
  })
  if (listener === undefined) throw new Error(`${transport.name} can not listen`)
  const [address = ''] = scopes.flatMap((scope) => listener.addresses(scope))
  return { listener, accepted, port: Number(/:(\d+)$/.exec(address)?.[1]) }
}

function parse(transport: Transport, section: string): Target {
  const target = transport.parse(section)
  if (target === null) throw new Error(`${transport.name} does not understand ${section}`)
  return target
}

export function dial(transport: Transport, section: string, signal = neverAborted()): Promise<ByteStream> {
  return parse(transport, section).dial({ signal, transforms: [] })
}

/** Waits until so many were accepted; gives the last of them. */
export async function nextAccepted(listening: Listening, count = 1): Promise<ByteStream> {
  await vi.waitFor(() => expect(listening.accepted.length).toBeGreaterThanOrEqual(count))
  const stream = listening.accepted[count - 1]
  if (stream === undefined) throw new Error('nothing was accepted')
  return stream
}

function neverAborted(): AbortSignal {
  return new AbortController().signal
}
