/** A file on its way, in either direction, for those who show it. */
export interface Transfer {
  readonly direction: 'incoming' | 'outgoing'
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** `verified`: both ends have the same SHA-256. */
  readonly state: TransferState
  /** Bytes that have arrived at the receiver, as far as this side knows. */
  readonly moved: number
  /** Of what was sent or has arrived, in hex, once it is complete. */
  readonly sha256: string | undefined
  /** Why it failed, in words. */
  readonly why: string | undefined
  /** Called after each change; at most one listener for a transfer. */
  onChange: (() => void) | undefined
}

export type TransferState = 'offered' | 'moving' | 'verified' | 'failed'

export function isOver(transfer: Transfer): boolean {
  return transfer.state === 'verified' || transfer.state === 'failed'
}
