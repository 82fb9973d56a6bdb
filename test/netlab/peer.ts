import { spawn } from 'node:child_process'
import type { Finding } from '../../plugs/doctor/index.ts'
import { driveProcess, type DrivenProcess } from '../e2e/driven-process.ts'
import { labFile } from './namespaces.ts'

/** A peer program in a namespace. */
export interface LabPeer extends DrivenProcess {
  /** What its WebRTC was told of far sides: the lines of their descriptions, and their candidates. */
  heard(): Promise<readonly string[]>
  /** What its process holds of the system. */
  holdings(): Promise<Holdings>
  /**
   * Of its heap and the buffers beside it, garbage collected, without what V8 has compiled and keeps for that: it compiles what is used more
   * and more often, for hours. Takes a second in which the process does nothing else.
   */
  ownBytes(): Promise<number>
  /** What the doctor says there. */
  examine(options?: { readonly timeoutMs?: number }): Promise<readonly Finding[]>
}

export interface Holdings {
  readonly threads: number
  /** Handles of the event loop that are no timers: sockets, pipes. */
  readonly handles: number
}

/** Options of the rtc plug that are JSON; those that this version doesn't know are ignored. */
export interface LabPeerOptions {
  readonly iceTransportPolicy?: 'all' | 'relay'
  readonly relay?: 'never' | 'fallback' | 'first'
  readonly resumeMs?: number
}

export function startLabPeer(namespace: string, hubUrl: string, options: LabPeerOptions): LabPeer {
  const program = [process.execPath, '--expose-gc', labFile('peer-process.mjs')]
  const args = ['netns', 'exec', namespace, ...program, hubUrl, JSON.stringify(options)]
  // `ip` becomes the program: the channel, and the process id, are the program's own.
  return driveProcess(spawn('ip', args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })) as LabPeer
}
