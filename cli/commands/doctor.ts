import { Option, type Command } from 'commander'
import { examineNetwork, type Finding } from '../../plugs/doctor/index.ts'
import { exitCodes } from '../failures.ts'
import { addJsonFlag, hubOption, parseNumber, requireHub } from '../flags.ts'
import { onInterruption } from '../interruption.ts'
import { examples, paint, print, printable, printJson } from '../terminal.ts'

interface DoctorFlags {
  readonly hub?: string | undefined
  /** URLs. */
  readonly stun?: string[] | undefined
  /** Seconds. */
  readonly timeout: number
  readonly json?: boolean | undefined
}

/** `doctor`: says in words what this network allows. */
export function addDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .summary('say what this network allows')
    .description(
      'Goes to a hub as any peer does, and asks its STUN and TURN servers what this network looks like from outside: whether direct connections will open, and what can be done where not.',
    )
    .addOption(hubOption('the hub to go to'))
    .option('--stun <url...>', 'STUN servers to ask beside those that the hub names')
    .addOption(
      new Option('--timeout <seconds>', 'what is not known by then is unknown')
        .argParser((text) => parseNumber(text, 1, 3600))
        .default(20),
    )
    .addHelpText(
      'after',
      examples(
        ['multiserver doctor --hub hub.example.com', 'for people'],
        ['multiserver doctor --hub hub.example.com --json', 'for a script: one line, a list of findings'],
      ),
    )
    .action(examine)
  addJsonFlag(command)
}

async function examine({ hub, stun, timeout, json = false }: DoctorFlags): Promise<void> {
  const signal = onInterruption()
  const findings = await examineNetwork({
    hub: requireHub(hub),
    iceServers: stun && [{ urls: stun }],
    timeoutMs: timeout * 1000,
    signal,
  })
  signal.throwIfAborted()
  if (json) printJson(findings)
  else for (const finding of findings) show(finding)
  process.exitCode = judge(findings)
}

const marks = { yes: ['green', '✓'], no: ['red', '✗'], unknown: ['yellow', '?'] } as const

function show({ name, state, words, remedy }: Finding): void {
  const [style, mark] = marks[state]
  print(`${paint(style, mark, process.stdout)} ${name.padEnd(nameColumns)} ${printable(words)}`)
  if (remedy === undefined) return
  const arrow = paint('cyan', '→', process.stdout)
  print(`${' '.repeat(nameColumns + 2)} ${arrow} ${printable(remedy)}`)
}

/** The longest name of a finding. */
const nameColumns = 12

/** A network that allows little is no failure; a hub that can not be used is. */
function judge(findings: readonly Finding[]): number {
  const isNo = (name: string) => findings.some((finding) => finding.name === name && finding.state === 'no')
  if (isNo('hub')) return exitCodes.unreachable
  if (isNo('registration')) return exitCodes.refused
  return isNo('webrtc') ? exitCodes.failed : exitCodes.ok
}
