/** A hub as it comes, but for the rates of an address: all come from this one. Loaded by whoever needs it only. */
export async function introduceByHub(): Promise<string> {
  const { startHub } = await import('../../signal-server/index.ts')
  const { url } = await startHub({ exemptLoopback: true })
  return url
}
