import { examineNetwork, type Finding } from '../../plugs/doctor/index.ts'
import { exitCodes } from '../failures.ts'
import { requireHub } from '../flags.ts'
import { onInterruption } from '../interruption.ts'
import { hang, paint, print, printable, printJson } from '../terminal.ts'

interface DoctorFlags {
  readonly hub?: string | undefined
  /** URLs. */
  readonly stun?: string[] | undefined
  /** Seconds. */
  readonly timeout: number
  readonly json?: boolean | undefined
}

/** Its exit code says whether the hub can be used. */
export async function examine({ hub, stun, timeout, json = false }: DoctorFlags): Promise<void> {
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
  const { stdout } = process
  const [style, mark] = marks[state]
  const column = nameColumns + 3
  print(hang(`${paint(style, mark, stdout)} ${name.padEnd(nameColumns)} `, column, printable(words), stdout))
  if (remedy === undefined) return
  const lead = `${' '.repeat(column)}${paint('cyan', '→', stdout)} `
  print(hang(lead, column + 2, printable(remedy), stdout))
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
