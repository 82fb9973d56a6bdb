import MultiServer from '../../../core/multiserver.ts'
import { generateKeys } from '../../../plugs/keys.ts'
import rtc from '../../../plugs/rtc/index.ts'
import shs from '../../../plugs/shs/index.ts'
import { sleep, type Workplace } from '../workplace.ts'

/** Opens an rtc connection through the hub and sends a byte to and fro on it until it is closed. */
export async function openRtcPair(place: Workplace, { hubUrl }: { hubUrl: string }): Promise<void> {
  const server = MultiServer([[rtc({ hub: hubUrl }), shs({ keys: await generateKeys() })]])
  const stop = server.server(
    async (connection) => {
      for await (const chunk of connection) await connection.write(chunk)
    },
    () => undefined,
  )
  await stop.listening
  const client = MultiServer([[rtc(), shs({ keys: await generateKeys() })]])
  const connection = await client.client(server.stringify())
  const roundTrips: number[] = []
  const over = new AbortController()
  const ended = (async () => {
    while (!over.signal.aborted) {
      const startedAt = performance.now()
      await connection.write(Uint8Array.of(1))
      if ((await connection.read()) === null) throw new Error('the connection ended')
      roundTrips.push(performance.now() - startedAt)
      await sleep(50)
    }
  })()
  ended.catch(() => undefined)
  place.closeRtcPair = async () => {
    over.abort()
    await ended
    await connection.close()
    await stop()
    return roundTrips
  }
}

/** Gives the round trips, milliseconds each; rejects when the connection broke. */
export async function closeRtcPair(place: Workplace): Promise<number[]> {
  return (await place.closeRtcPair?.()) ?? []
}
