/** What a process has, in bytes. */
export interface Memory {
  /** What is alive in its heap and in its buffers. */
  readonly liveBytes: number
  /** What the system sees. */
  readonly residentBytes: number
}

export function measureMemory(): Memory
