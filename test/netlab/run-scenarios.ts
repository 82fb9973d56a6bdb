import type { LabHub } from './hub.ts'
import { createLab, type Lab, type StartPeerOptions } from './lab.ts'
import type { NatKind } from './nat.ts'
import { connectPair } from './pair.ts'
import { scenarios, type Scenario, type Stage } from './scenarios.ts'
import { messageOf, rounded } from './waiting.ts'

export interface ScenarioOptions {
  readonly names: readonly string[]
  readonly seeds: readonly number[]
  readonly peers: StartPeerOptions
}

interface Played {
  readonly name: string
  readonly seed: number
  readonly tookMs?: number
  readonly error?: string
}

/** Each scenario with each seed, on a new connection. @returns whether all held */
export async function runScenarios({ names, seeds, peers }: ScenarioOptions): Promise<boolean> {
  const played: Played[] = []
  for (const seed of seeds) {
    const lab = await createLab({ nats: ['portres', 'portres', 'udpblock', 'udpblock'], seed })
    try {
      const relayHub = await lab.startHub({})
      for (const name of names) {
        const scenario = scenarios[name]
        if (scenario === undefined) throw new Error(`${name} is none of ${Object.keys(scenarios).join(', ')}`)
        const hub = scenario.path === 'relay' ? relayHub : lab.hub
        const result = { name, seed, ...(await play(lab, scenario, { ...peers, hub })) }
        played.push(result)
        if (result.error !== undefined) console.log(`${name}, seed ${seed}: ${result.error}`)
      }
    } finally {
      await lab.close()
    }
  }
  console.table(
    Object.fromEntries(names.map((name) => [name, summary(played.filter((each) => each.name === name))])),
  )
  return played.every(({ error }) => error === undefined)
}

async function play(
  lab: Lab,
  { path, play: begin }: Scenario,
  given: StartPeerOptions & { readonly hub: LabHub },
): Promise<Pick<Played, 'tookMs' | 'error'>> {
  const options: StartPeerOptions = path === 'relay' ? { ...given, relay: 'first' } : given
  const behind: NatKind = path === 'relay' ? 'udpblock' : 'portres'
  const [clientPlace, serverPlace] = lab.places.filter(({ nat }) => nat === behind)
  if (clientPlace === undefined || serverPlace === undefined) throw new Error('there are no two places')
  const [client, server] = [clientPlace.start(options), serverPlace.start(options)]
  try {
    const address = await server.listen()
    const pair = await connectPair(client, server, address)
    await client.pathBecomes(pair.dialed, path)
    const { hub } = given
    const stage: Stage = { lab, hub, client, server, places: [clientPlace, serverPlace], pair, address }
    return { tookMs: await begin(stage) }
  } catch (thrown) {
    return { error: messageOf(thrown) }
  } finally {
    await lab.set({})
    await Promise.all([client.stop(), server.stop()])
  }
}

function summary(played: readonly Played[]): Record<string, string | number> {
  const times = played.flatMap(({ tookMs }) => tookMs ?? [])
  return {
    held: `${times.length} of ${played.length}`,
    'ms, median': rounded(times, 0.5),
    'ms, most': rounded(times, 1),
  }
}
