/** What either side of a transfer takes from the other, and how long it waits. docs/file-transfer.md says the same. */
export const transferLimits = {
  /** Of files in one offer; what has more is better packed. */
  files: 10_000,
  /** Of one name with its folders: what no system of today goes beyond by much. */
  nameCharacters: 1024,
  /** Of all names of an offer: they are held in memory and shown to a person. */
  namesCharacters: 1024 * 1024,
  /** Folders in a name, the file itself included. */
  nameParts: 32,
  /** Of one message: the longest name with every character escaped. */
  messageBytes: 16 * 1024,
  /** Of a file in one frame: large enough for the disk, small enough for memory. */
  dataBytes: 256 * 1024,
  /** The largest file: whole numbers are exact beyond it still. */
  fileBytes: 2 ** 50,
  /** Milliseconds since 1970 that a `Date` can hold. */
  latestMs: 8.64e15,
  /** From the connection to the last name of the offer: nobody occupies a receiver without offering something. */
  offerTimeoutMs: 30_000,
  /** Whoever has nothing to say for so long says that it is alive: large files take time to hash and to reach the disk. */
  aliveAfterMs: 15_000,
  /** Then the far side is gone. More than the minute in which rtc mends a path by itself. */
  silentMs: 90_000,
  /** Dialing again: full jitter under a bound that doubles between these. */
  shortestBackoffMs: 500,
  longestBackoffMs: 30_000,
  /** File systems keep times as coarse as this (FAT). */
  modifiedToleranceMs: 2_000,
  /** Left free on the disk: a machine without any room is in trouble. */
  spareBytes: 16 * 1024 * 1024,
  /** Of the numbers that are tried for a free name. */
  renames: 1_000,
} as const
