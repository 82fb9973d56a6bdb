import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { lines, runGoodput } from './goodput.ts'
import { networks, runGrid } from './grid.ts'
import type { StartPeerOptions } from './lab.ts'
import { missing } from './namespaces.ts'
import { runScenarios } from './run-scenarios.ts'
import { scenarios } from './scenarios.ts'
import { runSoak } from './soak.ts'
import { runTransfer } from './transfer.ts'

const usage = `npm run netlab -- grid      [--seeds 5] [--networks ${Object.keys(networks).join(',')}] [--hub turn|stun] [--loss all|udp]
npm run netlab -- scenarios [--seeds 1] [--only ${Object.keys(scenarios).join(',')}]
npm run netlab -- soak      [--minutes 60] [--peers 10] [--survives SECONDS]
npm run netlab -- transfer  [--gib 2] [--cuts 20,150]
npm run netlab -- goodput   [--rounds 3] [--lines ${Object.keys(lines).join(',')}]

--relay never|fallback|first: what peers ask of the hub's relay.  --first-seed N: the seeds are N, N + 1, ...
--cuts: for how many seconds the line is down, at even distances.
--survives: streams must outlive what lasts no longer than this; 0, the default, excuses them from every fault.`

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string' },
    'first-seed': { type: 'string', default: String(randomInt(1_000_000)) },
    networks: { type: 'string', default: Object.keys(networks).join(',') },
    hub: { type: 'string', default: 'turn' },
    loss: { type: 'string', default: 'all' },
    only: { type: 'string', default: Object.keys(scenarios).join(',') },
    minutes: { type: 'string', default: '60' },
    peers: { type: 'string', default: '10' },
    survives: { type: 'string', default: '0' },
    gib: { type: 'string', default: '2' },
    cuts: { type: 'string', default: '20,150' },
    rounds: { type: 'string', default: '3' },
    lines: { type: 'string', default: Object.keys(lines).join(',') },
    relay: { type: 'string', default: 'never' },
  },
})

const firstSeed = whole(values['first-seed'])
const seeds = (count: string) =>
  Array.from({ length: whole(values.seeds ?? count) }, (_, index) => firstSeed + index)
// Longer than every blackout. What a version doesn't know, it ignores.
const peers: StartPeerOptions = {
  relay: oneOf(values.relay, ['never', 'fallback', 'first']),
  resumeMs: 60_000,
}
const commands: Readonly<Record<string, () => Promise<boolean>>> = {
  grid: () =>
    runGrid({
      seeds: seeds('5'),
      networks: list(values.networks, Object.keys(networks)),
      hub: oneOf(values.hub, ['turn', 'stun']),
      loss: oneOf(values.loss, ['all', 'udp']),
      peers,
    }),
  scenarios: () =>
    runScenarios({ seeds: seeds('1'), names: list(values.only, Object.keys(scenarios)), peers }),
  soak: () =>
    runSoak({
      seed: firstSeed,
      minutes: whole(values.minutes),
      peers: whole(values.peers),
      survivesMs: whole(values.survives) * 1000,
      options: peers,
    }),
  transfer: () =>
    runTransfer({
      seed: firstSeed,
      gib: whole(values.gib),
      cutSeconds: values.cuts.split(',').map(whole),
      relay: peers.relay ?? 'never',
    }),
  goodput: () =>
    runGoodput({
      seed: firstSeed,
      rounds: whole(values.rounds),
      names: list(values.lines, Object.keys(lines)),
    }),
}

const command = commands[positionals[0] ?? '']
if (command === undefined || missing !== '') {
  console.log(command === undefined ? usage : `there can be no laboratory here${missing}`)
  process.exitCode = 2
} else {
  console.log(`the first seed is ${firstSeed}`)
  process.exitCode = (await command()) ? 0 : 1
}

function whole(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`${text} is not a whole number\n${usage}`)
  return number
}

function oneOf<T extends string>(text: string, known: readonly T[]): T {
  const found = known.find((each) => each === text)
  if (found === undefined) throw new Error(`${text} is none of ${known.join(', ')}\n${usage}`)
  return found
}

function list(text: string, known: readonly string[]): string[] {
  return text.split(',').map((each) => oneOf(each, known))
}
