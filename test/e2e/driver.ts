import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright'
import { expect, vi } from 'vitest'
import type { Path } from '../../core/types.ts'
import { drive, driveProcess, type DrivenProcess } from './driven-process.ts'
import type { DrivenPeer } from './harness/peer.mjs'

export type { DrivenProcess as Desktop } from './driven-process.ts'

/** The peer of a page. */
export function drivePage(page: Page): DrivenPeer {
  return drive((name, args) =>
    page.evaluate(([which, given]) => window.callPeer(which, given), [name, args] as const),
  )
}

/** Looks again and again; the time of the test is its bound. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20))
}

/** Resolves once a connection is on that path: one over rtc begins on the relay and moves. */
export async function untilOn(path: Path | null, peer: DrivenPeer, connection: number): Promise<void> {
  const look = async () => expect((await peer.describe(connection)).path).toBe(path)
  await vi.waitFor(look, { timeout: 20_000 })
}

export interface Whereabouts {
  readonly hub: string
  /** `isolated`: direct, and its WebRTC in yet another process. @default direct */
  readonly way?: 'direct' | 'relayed' | 'isolated'
}

/** A peer in a process of its own that nobody can dial but through the hub, or one that listens for WebSockets. */
export function startDesktop(where: Whereabouts | 'ws'): DrivenProcess {
  const args = where === 'ws' ? ['ws'] : ['rtc', where.hub, where.way ?? 'direct']
  const script = fileURLToPath(new URL('./harness/desktop.mjs', import.meta.url))
  return driveProcess(fork(script, args, { execArgv: ['--expose-gc'] }))
}
