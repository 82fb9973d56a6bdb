import { execFileSync } from 'node:child_process'

/** Whether a program of the system is there; `scripts/install-test-tools.sh` installs those that tests need. */
export function canRun(program: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** For the title of a suite that needs `program`: with what to do where it is missing. */
export function titleOf(program: string): string {
  return canRun(program) ? program : `${program} (not installed: run scripts/install-test-tools.sh)`
}
