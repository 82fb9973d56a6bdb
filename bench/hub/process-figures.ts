import { readFileSync } from 'node:fs'

/** Resident bytes of a process; NaN where the system has no /proc. */
export function residentOf(pid: number | undefined): number {
  return Number(/VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? NaN) * 1024
}

/** What a process has worked so far, milliseconds; the kernel counts in hundredths of a second. */
export function cpuMsOf(pid: number | undefined): number {
  // The second field is the name in parentheses, and may have spaces.
  const fields = read(`/proc/${pid}/stat`)
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11] ?? NaN) + Number(fields[12] ?? NaN)) * 10
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
