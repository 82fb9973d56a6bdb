import { spawn } from 'node:child_process'
import type { Ground } from '../../bench/measurement.ts'
import { printed } from '../../bench/report.ts'
import { measureTable } from '../../bench/rounds.ts'
import type { Table } from '../../bench/table.ts'
import type { Faults } from './internet.ts'
import { createLab, type Lab } from './lab.ts'

export interface GoodputOptions {
  readonly seed: number
  readonly rounds: number
  /** Of {@link lines}. */
  readonly names: readonly string[]
}

/** What lies between the two ends; delays are one way. */
interface Line {
  readonly title: string
  readonly faults: Faults
  /** Enough for a few seconds. */
  readonly megabytes: number
}

export const lines: Readonly<Record<string, Line>> = {
  dsl: {
    title: '20 Mbit/s, round trip 50 ms',
    faults: { bitsPerSecond: 20e6, delayMs: 25 },
    megabytes: 12,
  },
  city: {
    title: '50 Mbit/s, round trip 20 ms',
    faults: { bitsPerSecond: 50e6, delayMs: 10 },
    megabytes: 30,
  },
  continent: {
    title: '80 Mbit/s, round trip 80 ms',
    faults: { bitsPerSecond: 80e6, delayMs: 40 },
    megabytes: 50,
  },
  ocean: {
    title: '50 Mbit/s, round trip 200 ms',
    faults: { bitsPerSecond: 50e6, delayMs: 100 },
    megabytes: 30,
  },
  lossy: {
    title: '50 Mbit/s, round trip 50 ms, 1 % lost',
    faults: { bitsPerSecond: 50e6, delayMs: 25, loss: 0.01 },
    megabytes: 6,
  },
}

/**
 * A session with shs2 beside the bare data channel of the same library, on the direct path between two hosts without a NAT, over lines
 * whose routers hold back half a second before they drop.
 *
 * @returns whether it moved at least 0.95 of what the bare channel did, on every line
 */
export async function runGoodput({ seed, rounds, names }: GoodputOptions): Promise<boolean> {
  const lab = await createLab({ nats: [], seed })
  try {
    // Without TURN: one of the two hosts has that server, and would be next to it.
    const ground = groundIn(lab, (await lab.startHub({})).url)
    const reached: boolean[] = []
    for (const name of names) {
      const line = lines[name]
      if (line === undefined) throw new Error(`${name} is none of ${Object.keys(lines).join(', ')}`)
      await lab.set(line.faults)
      const result = await measureTable(tableOf(line), rounds, ground)
      console.log(`\n${line.title}\n${printed(result)}`)
      reached.push(result.verdictOver('data channel')?.isReached === true)
    }
    return reached.every(Boolean)
  } finally {
    await lab.close()
  }
}

function tableOf({ title, megabytes }: Line): Table {
  return {
    title,
    role: 'send',
    amount: megabytes,
    rows: ['rtc~shs2 direct', 'data channel'],
    control: 'data channel',
    goals: [{ over: 'data channel', atLeast: 0.95 }],
  }
}

function groundIn(lab: Lab, introducer: string): Ground {
  return {
    introducer,
    start(end, args, env) {
      const [command, rest] = lab.command(
        end === 'server' ? 'hub' : 'turn',
        '../../dist/bench/worker.js',
        ...args,
      )
      return spawn(command, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env })
    },
  }
}
