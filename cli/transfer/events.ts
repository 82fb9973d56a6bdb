import type { GoneCode, SkipCode } from './messages.ts'

/** What happens in a transfer, for whoever shows it; `--json` prints each as a line. Names are safe to print. */
export type TransferEvent =
  /** The receiver listens. */
  | { readonly event: 'listening'; readonly address: string }
  | { readonly event: 'connected'; readonly peer: string }
  /** A list of files came, or was sent. */
  | {
      readonly event: 'offered'
      readonly peer: string
      readonly files: number
      readonly bytes: number
      readonly folders: number
    }
  | { readonly event: 'accepted' }
  /** An empty folder is there, at the receiver. */
  | { readonly event: 'made'; readonly name: string }
  /** The receiver is of a version that makes no empty folders. */
  | { readonly event: 'left-out'; readonly folders: number; readonly why: string }
  /** This receiver does not want what was offered. */
  | { readonly event: 'refused'; readonly code: string; readonly why: string }
  /** Bytes of a file begin to move. `from`: so many were there from an earlier attempt. */
  | { readonly event: 'started'; readonly name: string; readonly size: number; readonly from: number }
  /** An earlier attempt left something that is of no use: it begins from the first byte. */
  | { readonly event: 'restarted'; readonly name: string; readonly why: string }
  | { readonly event: 'progress'; readonly name: string; readonly size: number; readonly at: number }
  /** `moved`: bytes of it that crossed this connection. At the receiver `as` is where it is. */
  | {
      readonly event: 'done'
      readonly name: string
      readonly size: number
      readonly moved: number
      readonly sha256: string
      readonly as?: string
    }
  | {
      readonly event: 'skipped'
      readonly name: string
      readonly code: SkipCode | GoneCode
      readonly why: string
    }
  /** The connection is gone; at the sender, it is dialed again after `againMs`. */
  | { readonly event: 'lost'; readonly why: string; readonly againMs?: number }
  | { readonly event: 'finished'; readonly done: number; readonly skipped: number; readonly moved: number }

export type Report = (event: TransferEvent) => void
